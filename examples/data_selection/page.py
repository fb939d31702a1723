"""What the examples of this folder share: results in files, and the tables and figures made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from subspan import plots
from subspan.selection import mean_interval

HERE = Path(__file__).parent
COLOURS = {
    "SkMM": plots.OURS,
    "uniform": plots.INK,
    "leverage": plots.OTHER,
    "ridge leverage": "#b8860b",
    "adaptive": "#3a8f6b",
    "k-center": "#8e5ea2",
    "herding": "#c0504d",
    "greedy V-optimal": "#17a2b8",
}
NOT_KEPT = ("indices", "seconds")  # of what `compare_selectors` gives
LINES = {"SkMM, published loop": ":"}
Row = dict[str, Any]


def summary(values: Sequence[float]) -> Row:
    """Mean, a 95 % interval of it by bootstrap, median and values, as `compare_selectors` gives them."""
    given = np.asarray(values, np.float64)
    low, high = mean_interval(given)
    found = {"mean": given.mean(), "low": low, "high": high, "median": np.median(given)}
    return {**{k: float(v) for k, v in found.items()}, "values": given.tolist()}


def save(path: Path, about: Row, rows: Iterable[Row]) -> None:
    """One line of JSON about the run, then one per row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [{key: row[key] for key in row if key not in NOT_KEPT} for row in rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in (about, *kept)))


def load(path: Path) -> tuple[Row, list[Row]]:
    """What `save` wrote."""
    about, *rows = (json.loads(line) for line in path.read_text().splitlines())
    return about, rows


def table(rows: Sequence[Row], cell: Callable[[Row], str]) -> list[str]:
    """Methods down, sizes across; the methods in the order of the rows."""
    sizes = sorted({row["n"] for row in rows})
    cells = {(row["method"], row["n"]): cell(row) for row in rows}
    lines = [f"| method | {' | '.join(f'n = {n}' for n in sizes)} |"]
    lines.append("| --- |" + " ---: |" * len(sizes))
    for method in dict.fromkeys(row["method"] for row in rows):
        found = [cells.get((method, n), "") for n in sizes]
        lines.append(f"| {method} | {' | '.join(found)} |")
    return lines


def curves(ax: Any, rows: Sequence[Row]) -> None:
    """Means against sizes on a logarithmic axis, with their intervals, a little apart."""
    sizes = sorted({row["n"] for row in rows})
    methods = list(dict.fromkeys(row["method"] for row in rows))
    for i, method in enumerate(methods):
        found = [row for row in rows if row["method"] == method]
        mean, low, high = (np.array([row[key] for row in found]) for key in ("mean", "low", "high"))
        apart = 1 + 0.012 * (i - len(methods) / 2)
        family = [name for name in COLOURS if method.startswith(name)]
        ax.errorbar(
            [row["n"] * apart for row in found],
            mean,
            (mean - low, high - mean),
            color=COLOURS[family[0]] if family else plots.BEST,
            linestyle="--"
            if method.endswith(("gradients", "published"))
            else LINES.get(method, "-"),
            marker="o",
            ms=3.5,
            lw=2.0 if method.startswith("SkMM") else 1.2,
            elinewidth=0.9,
            label=method,
        )
    ax.set_xscale("log")
    ax.set_xticks(sizes, [str(n) for n in sizes])
    ax.minorticks_off()
    ax.grid(alpha=0.25)


def legend(figure: Any, ax: Any, columns: int = 3) -> None:
    """Names of the curves below the panels."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def write(name: str, lines: Sequence[str], page: Path = HERE / "README.md") -> None:
    """Put lines between the marks that carry a name."""
    start, end = f"<!-- {name}: written by {name}.py -->", f"<!-- end of {name} -->"
    text = page.read_text() if page.exists() else ""
    if start not in text:
        text += f"{start}\n{end}\n"
    before, after = text.split(start)[0], text.split(end)[1]
    page.write_text(f"{before}{start}\n" + "\n".join(lines) + f"\n{end}{after}")
