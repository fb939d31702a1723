"""Weak-to-strong training on images: handwritten digits, networks of different width.

``python examples/weak_to_strong/digits.py`` computes the tables of `README.md` that are about digits and
draws the figure: a minute, nothing to download.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from compare import draw_risks, predicted_and_measured, rank_agreement, risk_table, write
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

HERE = Path(__file__).parent
Array = NDArray[Any]
STUDENT = 64
RANDOM, TRAINED = (16, 32, 64), (4, 8, 16, 32)
FIRST, FEW, N, SEEDS, LABELS, ENERGY = 500, (60, 120, 240), 600, range(40), 500, 0.98


def random_features(width: int) -> Callable[[Array], Array]:
    """ReLU units with random weights."""
    rng = np.random.default_rng([0, width])
    weights, bias = rng.standard_normal((64, width)) / 4, 0.3 * rng.standard_normal(width)
    return lambda images: np.maximum(images @ weights + bias, 0)


def trained_network(width: int, images: Array, digits: Array) -> Callable[[Array], Array]:
    """The hidden layer of a network that was trained to tell the ten digits."""
    model = MLPClassifier((width,), alpha=1e-3, tol=1e-3, max_iter=5000, random_state=0)
    model.fit(images, digits)
    weights, bias = model.coefs_[0], model.intercepts_[0]
    return lambda more: np.maximum(more @ weights + bias, 0)


def features() -> tuple[Array, dict[str, Array], Array]:
    """Features of student and teachers, and the labels: even or odd.

    The images that networks were trained on are left out.
    """
    images, digits = load_digits(return_X_y=True)
    images = images / 16 - 0.3
    order = np.random.default_rng(0).permutation(len(images))
    first, pool = order[:FIRST], order[FIRST:]
    teachers = {f"random, {width}": random_features(width)(images[pool]) for width in RANDOM}
    for width in (*TRAINED, STUDENT):
        network = trained_network(width, images[first], digits[first])
        teachers[f"trained, {width}"] = network(images[pool])
    strong = teachers.pop(f"trained, {STUDENT}")
    return strong, teachers, np.where(digits[pool] % 2 == 0, 1.0, -1.0)


def main() -> None:
    """Compute, draw and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the figure and the page")
    asked = parser.parse_args()
    setting = {"n": FEW, "N": N, "seeds": SEEDS, "labels": LABELS, "energy": ENERGY}
    rows = predicted_and_measured(*features(), **setting)
    title = f"Digits: {len(FEW)} numbers of labels, {len(RANDOM) + len(TRAINED)} teachers"
    draw_risks(rows, title).savefig(asked.out / "digits.png", dpi=110)
    for name, lines in {"digits": risk_table(rows), "digit ranks": rank_agreement(rows)}.items():
        print("\n".join(lines), "\n")
        write(asked.out / "README.md", name, lines, "digits.py")


if __name__ == "__main__":
    main()
