"""Predicted errors of teachers and students beside those of training: rows, table, ranking, figure."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
from numpy.typing import NDArray
from scipy.stats import kendalltau
from subspan import plots
from subspan.w2s import W2SExperiment, diagnose

Array = NDArray[Any]
NAMES = ("weak", "w2s", "strong_baseline", "strong_ceiling")
COLOURS = {
    "weak": plots.OTHER,
    "w2s": plots.OURS,
    "strong_baseline": plots.BEST,
    "strong_ceiling": plots.INK,
}


def predicted_and_measured(
    strong: Array,
    teachers: Mapping[str, Array],
    y: Array,
    *,
    n: Sequence[int],
    N: int,
    seeds: Sequence[int],
    labels: int,
    energy: float,
) -> list[dict[str, Any]]:
    """One entry for every teacher and number of labels."""
    known = np.random.default_rng(0).permutation(len(y))[:labels]
    given = np.full(len(y), np.nan)
    given[known] = y[known]
    rows = []
    for name, weak in teachers.items():
        report = diagnose(strong, weak, energy=energy, labels=given)
        found = W2SExperiment(energy=energy).run(strong, weak, y, n=n, N=[N], seeds=seeds, test=0.3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NaN where there is no gap to recover
            pgr, low, high = found.pgr()
            predicted = [report.predict(few, N) for few in n]
        for i, (few, risks) in enumerate(zip(n, predicted, strict=True)):
            row = {"teacher": name, "n": few, "report": report, "pgr": risks.pgr}
            row |= {f"predicted {k}": getattr(risks, k) + report.noise_var for k in NAMES}
            row |= {k: float(getattr(found, k)[i, 0]) for k in NAMES}
            row |= {"measured pgr": pgr[i, 0], "low": low[i, 0], "high": high[i, 0]}
            row["interval"] = risks.interval("pgr", 0.9)
            rows.append(row)
    return rows


def draw_risks(rows: list[dict[str, Any]], title: str) -> Any:
    """Predicted against measured test errors, and recovery against overlap."""
    few = sorted({row["n"] for row in rows})
    figure = plots.new_figure(11, 4.6)
    left, right = figure.subplots(1, 2)
    for name in NAMES:
        x, y = (np.array([row[k] for row in rows]) for k in (f"predicted {name}", name))
        left.plot(x, y, "o", ms=4, color=COLOURS[name], label=name.replace("_", " "))
    ends = np.array([left.get_xlim(), left.get_ylim()])
    span = [ends.min(), ends.max()]
    left.plot(span, span, "-", color=plots.INK, lw=0.8)
    left.set_xscale("log")
    left.set_yscale("log")
    for axis in (left.xaxis, left.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())
    left.set_xlabel("predicted test error (mean square)")
    left.set_ylabel("measured, mean over training sets")
    left.set_title(title, fontsize=10.5)
    for n, colour in zip(few, (plots.OTHER, plots.OURS, plots.INK), strict=False):
        some = [row for row in rows if row["n"] == n]
        x = [row["report"].d_overlap / row["report"].d_weak for row in some]
        y = [row["measured pgr"] for row in some]
        bars = [[v - row["low"] for v, row in zip(y, some, strict=True)],
                [row["high"] - v for v, row in zip(y, some, strict=True)]]  # fmt: skip
        right.errorbar(x, y, bars, fmt="o", ms=4, color=colour, label=f"n = {n}, measured")
        right.plot(x, [row["pgr"] for row in some], "x", color=colour, label=f"n = {n}, predicted")
        if n == few[len(few) // 2]:
            _name(right, x, y, [row["teacher"] for row in some])
    right.set_xlabel("part of the teacher that the student shares, overlap / weak dimension")
    right.set_ylabel("performance gap recovery")
    right.set_xlim(right=right.get_xlim()[1] + 0.08)  # room for the last name
    right.set_title("What a student recovers", fontsize=10.5)
    for ax in (left, right):
        ax.legend(frameon=False, fontsize=8)
        ax.grid(alpha=0.25)
    return figure


def _name(ax: Any, x: list[float], y: list[float], names: list[str]) -> None:
    """Names beside points, raised where they would cover each other."""
    low, high = ax.get_ylim()
    free = low
    points = zip(y, x, names, strict=True)
    for height, at, name in sorted(point for point in points if np.isfinite(point[0])):
        free = max(height, free)
        ax.annotate(name, (at, free), fontsize=7, xytext=(6, -3), textcoords="offset points",
                    color=plots.BEST)  # fmt: skip
        free += 0.035 * (high - low)


def risk_table(rows: list[dict[str, Any]]) -> list[str]:
    """Markdown lines."""
    head = ("teacher", "n", "dimension", "overlap", "teacher error", "student error", "baseline", "ceiling",
            "PGR", "90 % of runs")  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for row in rows:
        report = row["report"]
        pairs = [f"{row[f'predicted {k}']:.3f} / {row[k]:.3f}" for k in NAMES]
        low, high = row["interval"]
        cells = [row["teacher"], str(row["n"]), str(report.d_weak), f"{report.d_overlap:.1f}", *pairs,
                 f"{row['pgr']:.2f} / {row['measured pgr']:.2f}", f"{low:.2f} to {high:.2f}"]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def rank_agreement(rows: list[dict[str, Any]]) -> list[str]:
    """Kendall's tau of predicted and measured student errors over all pairs of teachers."""
    lines = []
    for n in sorted({row["n"] for row in rows}):
        some = [row for row in rows if row["n"] == n]
        tau = kendalltau(
            [row["predicted w2s"] for row in some], [row["w2s"] for row in some]
        ).statistic
        lines.append(f"- n = {n}: Kendall's tau {tau:.2f}")
    return lines


def write(page: Path, name: str, lines: list[str], script: str) -> None:
    """Put lines between the marks of a table."""
    start, end = f"<!-- {name}: written by {script} -->", f"<!-- end of {name} -->"
    text = page.read_text()
    before, after = text.split(start)[0], text.split(end)[1]
    page.write_text(f"{before}{start}\n" + "\n".join(lines) + f"\n{end}{after}")
