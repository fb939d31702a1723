"""Weak-to-strong training on sentences: what the features predict, and what training gives.

``python examples/weak_to_strong/run.py --features features.npz`` computes the tables of `README.md` and draws
the figures; `encode.py` makes the features.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from compare import draw_risks, predicted_and_measured, rank_agreement, risk_table, write
from numpy.typing import NDArray
from scipy.stats import t
from subspan import plots
from subspan.w2s.heads import softmax_regression
from subspan.w2s.losses import softmax
from subspan.w2s.spurious import EnhancedW2S

HERE = Path(__file__).parent
Array = NDArray[Any]
STUDENT = "layer 4"
TEACHERS = ("letters", "words", "layer 0", "layer 1", "layer 2", "layer 3", "layer 6")
FEW, N, SEEDS, LABELS, ENERGY = (300, 600, 1200), 4000, range(20), 2000, 0.95


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


def main() -> None:
    """Compute, draw and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the figures and the page")
    asked = parser.parse_args()
    with np.load(asked.features) as file:
        data = {name: file[name] for name in file.files}
    y = np.where(data["genres"] >= "k", 1.0, -1.0)  # imaginative or informative prose
    rows = predicted_and_measured(
        data[STUDENT],
        {name: data[name] for name in TEACHERS},
        y,
        n=FEW,
        N=N,
        seeds=SEEDS,
        labels=LABELS,
        energy=ENERGY,
    )
    title = "Three numbers of labels, seven teachers"
    draw_risks(rows, title).savefig(asked.out / "risks.png", dpi=110)
    reports = {row["teacher"]: row["report"] for row in rows}
    plots.save(reports["words"].plot(N=N), asked.out / "words.png", dpi=110)
    parts = {"risks": risk_table(rows), "ranks": rank_agreement(rows), "groups": imbalance(data)}
    for name, lines in parts.items():
        print("\n".join(lines), "\n")
        write(asked.out / "README.md", name, lines, "run.py")


if __name__ == "__main__":
    main()
