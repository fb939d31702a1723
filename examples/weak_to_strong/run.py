"""Weak-to-strong training on sentences: what the features predict, and what training gives.

``python examples/weak_to_strong/run.py --features features.npz`` computes the tables of `README.md` and draws
the figures; `encode.py` makes the features.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
from numpy.typing import NDArray
from scipy.stats import kendalltau, t
from subspan import plots
from subspan.w2s import W2SExperiment, diagnose
from subspan.w2s.heads import softmax_regression
from subspan.w2s.losses import softmax
from subspan.w2s.spurious import EnhancedW2S

HERE = Path(__file__).parent
Array = NDArray[Any]
STUDENT = "layer 4"
TEACHERS = ("letters", "words", "layer 0", "layer 1", "layer 2", "layer 3", "layer 6")
FEW, N, SEEDS, LABELS, ENERGY = (300, 600, 1200), 4000, range(20), 2000, 0.95
NAMES = ("weak", "w2s", "strong_baseline", "strong_ceiling")
COLOURS = {
    "weak": plots.OTHER,
    "w2s": plots.OURS,
    "strong_baseline": plots.BEST,
    "strong_ceiling": plots.INK,
}


def predicted_and_measured(data: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """One entry for every teacher and number of labels."""
    y = np.where(data["genres"] >= "k", 1.0, -1.0)  # imaginative or informative prose
    known = np.random.default_rng(0).permutation(len(y))[:LABELS]
    labels = np.full(len(y), np.nan)
    labels[known] = y[known]
    rows, reports = [], {}
    for name in TEACHERS:
        report = diagnose(data[STUDENT], data[name], energy=ENERGY, labels=labels)
        reports[name] = report
        found = W2SExperiment(energy=ENERGY).run(
            data[STUDENT], data[name], y, n=FEW, N=[N], seeds=SEEDS, test=0.3
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NaN where there is no gap to recover
            pgr, low, high = found.pgr()
        for i, n in enumerate(FEW):
            risks = report.predict(n, N)
            row = {"teacher": name, "n": n, "report": report, "pgr": risks.pgr, "opr": risks.opr}
            row |= {f"predicted {k}": getattr(risks, k) + report.noise_var for k in NAMES}
            row |= {k: float(getattr(found, k)[i, 0]) for k in NAMES}
            row |= {f"error {k}": float(found.standard_error(k)[i, 0]) for k in NAMES}
            row |= {"measured pgr": pgr[i, 0], "low": low[i, 0], "high": high[i, 0]}
            row["interval"] = risks.interval("pgr", 0.9)
            rows.append(row)
    return rows, reports


def draw_risks(rows: list[dict[str, Any]]) -> Any:
    """Predicted against measured test errors, and recovery against overlap."""
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
    left.set_ylabel("measured, mean of 20 training sets")
    left.set_title("Three numbers of labels, seven teachers", fontsize=10.5)
    for n, colour in zip(FEW, (plots.OTHER, plots.OURS, plots.INK), strict=True):
        some = [row for row in rows if row["n"] == n]
        x = [row["report"].d_overlap / row["report"].d_weak for row in some]
        y = [row["measured pgr"] for row in some]
        bars = [[v - row["low"] for v, row in zip(y, some, strict=True)],
                [row["high"] - v for v, row in zip(y, some, strict=True)]]  # fmt: skip
        right.errorbar(x, y, bars, fmt="o", ms=4, color=colour, label=f"n = {n}, measured")
        right.plot(x, [row["pgr"] for row in some], "x", color=colour, label=f"n = {n}, predicted")
        if n == FEW[1]:
            for at, height, row in zip(x, y, some, strict=True):
                right.annotate(row["teacher"], (at, height), fontsize=7, xytext=(4, -9),
                               textcoords="offset points", color=plots.BEST)  # fmt: skip
    right.set_xlabel("part of the teacher that the student shares, overlap / weak dimension")
    right.set_ylabel("performance gap recovery")
    right.set_xlim(right=right.get_xlim()[1] + 0.08)  # room for the last name
    right.set_title("What a student recovers", fontsize=10.5)
    for ax in (left, right):
        ax.legend(frameon=False, fontsize=8)
        ax.grid(alpha=0.25)
    return figure


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
    for n in FEW:
        some = [row for row in rows if row["n"] == n]
        tau = kendalltau(
            [row["predicted w2s"] for row in some], [row["w2s"] for row in some]
        ).statistic
        lines.append(f"- n = {n}: Kendall's tau {tau:.2f}")
    return lines


def imbalance(data: Any) -> list[str]:
    """Fiction and persons go together in nine of ten labelled sentences, in half of the unlabelled ones."""
    y, persons = (data["genres"] >= "k").astype(int), data["persons"].astype(int)
    minority = y != persons
    lines = ["| teacher | teacher, minority | student, average | Enhanced-W2S | student, minority | "
             "Enhanced-W2S | t of the minority | t of the average |", "| --- |" + " ---: |" * 7]  # fmt: skip

    def take(rng: np.random.Generator, left: Array, size: int, eta: float) -> Array:
        few = round(size * eta)
        pools = (left[minority[left]], few), (left[~minority[left]], size - few)
        return np.concatenate([rng.choice(pool, count, replace=False) for pool, count in pools])

    strong = data[STUDENT] / data[STUDENT].std()
    for name in ("letters", "words", "layer 1"):
        weak = data[name] / data[name].std()
        found = []
        for seed in range(10):
            rng = np.random.default_rng(seed)
            rows = np.arange(len(y))
            labelled = take(rng, rows, 1000, 0.1)
            rows = np.setdiff1d(rows, labelled)
            unlabelled = take(rng, rows, 4000, 0.5)
            test = take(rng, np.setdiff1d(rows, unlabelled), 2500, 0.5)
            teacher = softmax_regression(weak[labelled], np.eye(2)[y[labelled]], ridge=1e-2)
            model = EnhancedW2S(0.5, q=0.7, ridge=1e-2, rng=seed)
            model.fit(strong[unlabelled], softmax(teacher(weak[unlabelled])))
            right = [
                outputs.argmax(axis=1) == y[test]
                for outputs in (
                    teacher(weak[test]),
                    model.vanilla_(strong[test]),
                    model.student_(strong[test]),
                )
            ]
            rare = minority[test]
            found.append([right[0][rare].mean(), right[1].mean(), right[2].mean(),
                          right[1][rare].mean(), right[2][rare].mean()])  # fmt: skip
        table = np.array(found)
        gains = table[:, 4] - table[:, 3], table[:, 2] - table[:, 1]
        ts = [gain.mean() / (gain.std(ddof=1) / len(gain) ** 0.5) for gain in gains]
        cells = [
            name,
            *(f"{value:.3f}" for value in table.mean(axis=0)),
            *(f"{value:.1f}" for value in ts),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"Paired over ten seeds; |t| > {t.ppf(0.975, 9):.2f} is significant at 5 %."]
    return lines


def write(page: Path, name: str, lines: list[str]) -> None:
    """Put lines between the marks of a table."""
    start, end = f"<!-- {name}: written by run.py -->", f"<!-- end of {name} -->"
    text = page.read_text()
    before, after = text.split(start)[0], text.split(end)[1]
    page.write_text(f"{before}{start}\n" + "\n".join(lines) + f"\n{end}{after}")


def main() -> None:
    """Compute, draw and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the figures and the page")
    asked = parser.parse_args()
    with np.load(asked.features) as file:
        data = {name: file[name] for name in file.files}
    rows, reports = predicted_and_measured(data)
    draw_risks(rows).savefig(asked.out / "risks.png", dpi=110)
    reports["words"].plot(N=N).savefig(asked.out / "words.png", dpi=110)
    parts = {"risks": risk_table(rows), "ranks": rank_agreement(rows), "groups": imbalance(data)}
    for name, lines in parts.items():
        print("\n".join(lines), "\n")
        write(asked.out / "README.md", name, lines)


if __name__ == "__main__":
    main()
