"""Choosing training data on the mixture of the paper: risks of ridge regression on the chosen rows.

``python examples/data_selection/run.py`` computes the table of `README.md` and draws `risks.png`. After the
synthetic experiments of arXiv 2407.06120.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from subspan import plots
from subspan.selection import compare_selectors
from subspan.testing import finetuning_mixture

HERE = Path(__file__).parent
SIZES, SEEDS = (48, 64, 80, 120, 400), range(8)
START, END = "<!-- table: written by run.py -->", "<!-- end of table -->"
METHODS: list[dict[str, Any]] = [
    {"name": "SkMM", "method": "skmm"},
    {"name": "SkMM, settings as published", "method": "skmm", "weighting": "absolute",
     "coverage": 0.5, "rounding": "successive", "restarts": 1, "sketch_size": 32},
    {"name": "uniform", "method": "uniform"},
    {"name": "leverage", "method": "leverage"},
    {"name": "ridge leverage", "method": "ridge_leverage"},
    {"name": "adaptive (random pivoting)", "method": "adaptive"},
    {"name": "k-center", "method": "k_center"},
    {"name": "herding", "method": "herding"},
    {"name": "greedy V-optimal", "method": "v_opt"},
]  # fmt: skip


def draw(table: list[dict[str, Any]]) -> Any:
    """Mean risk against the number of rows, with its 95 % interval."""
    figure = plots.new_figure(7.5, 4.8)
    ax = figure.subplots()
    colours = [plots.OURS, "#b8860b", plots.INK, "#3a8f6b", "#8e5ea2", plots.OTHER, "#c0504d"]
    colours += [plots.BEST, "#17a2b8"]
    for given, colour in zip(METHODS, colours, strict=True):
        rows = [row for row in table if row["method"] == given["name"]]
        n = [row["n"] for row in rows]
        ax.plot(n, [row["mean"] for row in rows], "o-", color=colour, ms=3.5, label=given["name"])
        ax.fill_between(
            n, [r["low"] for r in rows], [r["high"] for r in rows], color=colour, alpha=0.12
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(SIZES, [str(n) for n in SIZES])
    ax.minorticks_off()
    ax.set_xlabel("rows chosen of 2000")
    ax.set_ylabel("mean risk over all rows")
    ax.grid(alpha=0.25)
    ax.legend(frameon=False, fontsize=8.5, ncols=2)
    return figure


def main() -> None:
    """Compute, draw and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the figure and the page")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    asked = parser.parse_args()
    mixture = finetuning_mixture()
    table = compare_selectors(METHODS, mixture.X, mixture.validated_risk, asked.sizes, seeds=SEEDS)
    lines = [
        f"| method | {' | '.join(f'n = {n}' for n in asked.sizes)} |",
        "| --- |" + " ---: |" * len(asked.sizes),
    ]
    for given in METHODS:
        rows = [row for row in table if row["method"] == given["name"]]
        cells = [f"{row['mean']:.2e} ({row['median']:.2e})" for row in rows]
        lines.append(f"| {given['name']} | {' | '.join(cells)} |")
    print("\n".join(lines))
    if tuple(asked.sizes) == SIZES:
        draw(table).savefig(asked.out / "risks.png", dpi=110)
        page = asked.out / "README.md"
        text = page.read_text() if page.exists() else f"{START}\n{END}\n"
        before, after = text.split(START)[0], text.split(END)[1]
        page.write_text(f"{before}{START}\n" + "\n".join(lines) + f"\n{END}{after}")


if __name__ == "__main__":
    main()
