"""What the examples of this folder share: results in files, and the tables and figures made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from subspan import plots

HERE = Path(__file__).parent
COLOURS = (
    plots.OURS,
    plots.INK,
    plots.OTHER,
    "#3a8f6b",
    "#8e5ea2",
    "#b8860b",
    "#c0504d",
    "#17a2b8",
)
Row = dict[str, Any]


def summary(values: Sequence[float]) -> Row:
    """Mean, a 95 % interval of it by bootstrap, median and values, as `compare_selectors` gives them."""
    given = np.asarray(values, np.float64)
    means = np.random.default_rng(0).choice(given, (2000, len(given))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    found = {"mean": given.mean(), "low": low, "high": high, "median": np.median(given)}
    return {**{k: float(v) for k, v in found.items()}, "values": given.tolist()}


def save(path: Path, about: Row, rows: Iterable[Row]) -> None:
    """One line of JSON about the run, then one per row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in (about, *rows)))


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
    """Means against sizes on a logarithmic axis, with their intervals."""
    sizes = sorted({row["n"] for row in rows})
    for i, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
        found = [row for row in rows if row["method"] == method]
        n, colour = [row["n"] for row in found], COLOURS[i % len(COLOURS)]
        dash = "o-" if i < len(COLOURS) else "s--"
        ax.plot(n, [r["mean"] for r in found], dash, color=colour, ms=3.5, lw=1.4, label=method)
        low, high = ([r[side] for r in found] for side in ("low", "high"))
        ax.fill_between(n, low, high, color=colour, alpha=0.1, lw=0)
    ax.set_xscale("log")
    ax.set_xticks(sizes, [str(n) for n in sizes])
    ax.minorticks_off()
    ax.grid(alpha=0.25)


def write(name: str, lines: Sequence[str], page: Path = HERE / "README.md") -> None:
    """Put lines between the marks that carry a name."""
    start, end = f"<!-- {name}: written by {name}.py -->", f"<!-- end of {name} -->"
    text = page.read_text() if page.exists() else ""
    if start not in text:
        text += f"{start}\n{end}\n"
    before, after = text.split(start)[0], text.split(end)[1]
    page.write_text(f"{before}{start}\n" + "\n".join(lines) + f"\n{end}{after}")
