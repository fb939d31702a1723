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
    {"name": "leverage", "method": "leverage"},
    {"name": "ridge leverage", "method": "ridge_leverage"},
    {"name": "adaptive (random pivoting)", "method": "adaptive"},
    {"name": "k-center", "method": "k_center"},
    {"name": "herding", "method": "herding"},
    {"name": "greedy V-optimal", "method": "v_opt"},
]  # fmt: skip


def measure(sizes: list[int], seeds: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Compare the methods, and say how long it took."""
    begin, mixture = time.process_time(), finetuning_mixture()
    rows = compare_selectors(METHODS, mixture.X, mixture.validated_risk, sizes, seeds=range(seeds))
    full = mixture.validated_risk(range(len(mixture.X)))
    about = {"seeds": seeds, "full": full, "seconds": round(time.process_time() - begin)}
    return about, rows


def show(about: dict[str, Any], rows: list[dict[str, Any]], out: Path) -> None:
    """Write the table and draw the figure."""

    def cell(row: dict[str, Any]) -> str:
        return f"{row['mean']:.2e} [{row['low']:.1e}, {row['high']:.1e}]"

    told = (
        f"Mean risk over {about['seeds']} seeds and its 95 % interval; with all rows it is "
        f"{about['full']:.2e}. All of it took "
        f"{about['seconds']} s of processor time."
    )
    page.write("mixture", [told, "", *page.table(rows, cell)], out / "README.md")
    figure = plots.new_figure(7.5, 4.8)
    ax = figure.subplots()
    page.curves(ax, rows)
    ax.axhline(about["full"], color=plots.BEST, lw=1, ls=":")
    ax.set_yscale("log")
    ax.set_xlabel("rows chosen of 2000")
    ax.set_ylabel("mean risk over all rows")
    page.legend(figure, ax)
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
