"""Choosing training data on the mixture of the paper: risks of ridge regression on the chosen rows.

``python examples/data_selection/mixture.py`` computes `results/mixture.jsonl`, and from that the table of
`README.md` and `mixture.png`; with ``--page`` it only writes the page again. After the synthetic
experiments of arXiv 2407.06120.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import page
from subspan import plots
from subspan.selection import compare_selectors
from subspan.testing import finetuning_mixture

SIZES, SEEDS = (48, 64, 80, 120, 400), 8
# Whatever `compare_selectors` takes; a method of the library is compared by a line here.
METHODS: list[dict[str, Any]] = [
    {"name": "SkMM", "method": "skmm"},
    {"name": "uniform", "method": "uniform"},
    {"name": "SkMM, settings as published", "method": "skmm", "weighting": "absolute",
     "coverage": 0.5, "rounding": "successive", "restarts": 1, "sketch_size": 32},
    {"name": "SkMM, published loop", "method": "skmm", "solver": "adam", "weighting": "absolute",
     "rounding": "successive", "restarts": 1, "sketch_size": 32},
    {"name": "leverage", "method": "leverage"},
    {"name": "ridge leverage", "method": "ridge_leverage"},
    {"name": "adaptive (random pivoting)", "method": "adaptive"},
    {"name": "k-center", "method": "k_center"},
    {"name": "herding", "method": "herding"},
    {"name": "greedy V-optimal", "method": "v_opt"},
]  # fmt: skip


RIDGES = np.logspace(-2, 2, 9)
VALIDATED, LEAST = (
    "ridge by cross-validation on the subset",
    "the ridge that is best for the subset",
)


def measure(sizes: list[int], seeds: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Compare the methods, and say how long it took."""
    begin, mixture = time.process_time(), finetuning_mixture()
    risks = {
        VALIDATED: mixture.validated_risk,
        LEAST: lambda S: min(mixture.ridge_risk(S, ridge) for ridge in RIDGES),
    }

    def metric(S: Any) -> dict[str, float]:
        return {name: risk(S) for name, risk in risks.items()}

    found = compare_selectors(METHODS, mixture.X, metric, sizes, seeds=range(seeds))
    rows = [{"ridge": row.pop("metric"), **row} for row in found]
    full = mixture.validated_risk(np.arange(len(mixture.X)))
    about = {"seeds": seeds, "full": full, "seconds": round(time.process_time() - begin)}
    return about, rows


def show(about: dict[str, Any], rows: list[dict[str, Any]], out: Path) -> None:
    """Write the tables and draw the figure."""

    def cell(row: dict[str, Any]) -> str:
        return f"{row['mean']:.2e} [{row['low']:.1e}, {row['high']:.1e}]"

    lines = [
        f"Mean risk over {about['seeds']} seeds and its 95 % interval; with all rows and their "
        f"validated ridge it is {about['full']:.2e}. All of it took "
        f"{about['seconds']} s of processor time."
    ]
    figure = plots.new_figure(10.5, 5.2)
    for ax, name in zip(figure.subplots(1, 2, sharey=True), (VALIDATED, LEAST), strict=True):
        part = [row for row in rows if row["ridge"] == name]
        heading = f"{name[0].upper()}{name[1:]}"
        lines += ["", f"{heading}:", "", *page.table(part, cell)]
        page.curves(ax, part)
        ax.axhline(about["full"], color=plots.BEST, lw=1, ls=":")
        ax.set_yscale("log")
        ax.set_title(heading, fontsize=10.5)
        ax.set_xlabel("rows chosen of 2000")
        ax.set_ylabel("mean risk over all rows")
    page.legend(figure, ax, 5)
    page.write("mixture", lines, out / "README.md")
    figure.savefig(out / "mixture.png", dpi=110)


def main() -> None:
    """Compute unless told not to, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=page.HERE, help="folder of page and results")
    parser.add_argument("--page", action="store_true", help="only write the page from the results")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    asked = parser.parse_args()
    results = asked.out / "results" / "mixture.jsonl"
    if not asked.page:
        page.save(results, *measure(asked.sizes, asked.seeds))
    show(*page.load(results), asked.out)


if __name__ == "__main__":
    main()
