"""Choosing which handwritten digits to label: accuracy of a classifier, and risk of least squares.

``python examples/data_selection/digits.py`` computes `results/digits.jsonl`, and from that two tables of
`README.md` and `digits.png`; with ``--page`` it only writes the page again. The data come with scikit-learn.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import page
from numpy.typing import NDArray
from subspan import plots
from subspan.selection import compare_selectors, moment_certificate, select

SIZES, SEEDS, SKETCH = (50, 100, 200, 400), 10, 20
METHODS: list[dict[str, Any]] = [
    {"name": "SkMM", "method": "skmm", "sketch_size": SKETCH},
    {"name": "uniform", "method": "uniform"},
    {"name": "leverage", "method": "leverage", "sketch_size": SKETCH},
    {"name": "ridge leverage", "method": "ridge_leverage", "sketch_size": SKETCH},
    {"name": "adaptive (random pivoting)", "method": "adaptive"},
    {"name": "k-center", "method": "k_center"},
    {"name": "herding", "method": "herding"},
    {"name": "greedy V-optimal", "method": "v_opt", "sketch_size": SKETCH},
]
Array = NDArray[np.float64]


def data() -> tuple[Array, Array, Array, Array]:
    """1197 images to choose from and their classes, 600 to test on."""
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    images, classes = images[order] / 16, classes[order]
    return images[:1197], classes[:1197], images[1197:], classes[1197:]


def least_squares_risk(X: Array, indices: Array, draws: int, seed: int) -> float:
    """Mean excess risk of least squares on a subset whose labels have noise of variance one.

    Labels are ``X theta + z``; the answer does not depend on theta, which is zero here.
    """
    noise = np.random.default_rng(seed).standard_normal((len(indices), draws))
    theta = np.linalg.lstsq(X[indices], noise)[0]
    return float(np.einsum("ij,ik,kj->", theta, X.T @ X, theta, optimize=True)) / (len(X) * draws)


def measure(sizes: list[int], seeds: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Test error in per cent of logistic regression, and risks at the largest size."""
    from sklearn.linear_model import LogisticRegression

    begin, (X, y, X_test, y_test) = time.process_time(), data()

    def error(indices: Any) -> float:
        model = LogisticRegression(C=1.0, max_iter=300).fit(X[indices], y[indices])
        return 100 * float(np.mean(model.predict(X_test) != y_test))

    rows = compare_selectors(METHODS, X, error, sizes, seeds=range(seeds))
    rows += risks(X, max(sizes))
    about = {"seeds": seeds, "full": error(np.arange(len(X)))}
    return {**about, "seconds": round(time.process_time() - begin)}, rows


def risks(X: Array, n: int) -> list[dict[str, Any]]:
    """Risk of least squares on the leading principal coordinates, by the certificate and measured."""
    Z, rows = X @ np.linalg.svd(X, full_matrices=False)[2][:SKETCH].T, []
    for given in METHODS:
        options = {key: value for key, value in given.items() if key != "name"}
        chosen = select(X, n, rng=0, **options).indices
        predicted = moment_certificate(Z, chosen, references=0).variance / n
        measured = least_squares_risk(Z, chosen, 20000, 0)
        rows.append({"method": given["name"], "n": n, "predicted": predicted, "measured": measured})
    return rows


def show(about: dict[str, Any], rows: list[dict[str, Any]], out: Path) -> None:
    """Write the tables and draw the figure."""
    errors = [row for row in rows if "mean" in row]
    told = (
        f"Test error in per cent, mean over {about['seeds']} seeds and its 95 % interval; with all "
        f"images it is {about['full']:.1f}. All of it took "
        f"{about['seconds']} s of processor time."
    )
    lines = page.table(errors, lambda r: f"{r['mean']:.1f} [{r['low']:.1f}, {r['high']:.1f}]")
    of_fit = [row for row in rows if "measured" in row]
    lines += [
        "",
        f"Risk of least squares on {SKETCH} principal coordinates of {of_fit[0]['n']} images:",
        "",
    ]
    lines += ["| method | predicted by the certificate | measured | ratio |"]
    lines += ["| --- | ---: | ---: | ---: |"]
    for row in of_fit:
        p, m = row["predicted"], row["measured"]
        lines.append(f"| {row['method']} | {p:.4f} | {m:.4f} | {m / p:.3f} |")
    page.write("digits", [told, "", *lines], out / "README.md")
    figure = plots.new_figure(7.5, 4.8)
    ax = figure.subplots()
    page.curves(ax, errors)
    ax.axhline(about["full"], color=plots.BEST, lw=1, ls=":")
    ax.set_xlabel("images labelled of 1197")
    ax.set_ylabel("test error in per cent")
    page.legend(figure, ax)
    figure.savefig(out / "digits.png", dpi=110)


def main() -> None:
    """Compute unless told not to, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=page.HERE, help="folder of page and results")
    parser.add_argument("--page", action="store_true", help="only write the page from the results")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    asked = parser.parse_args()
    results = asked.out / "results" / "digits.jsonl"
    if not asked.page:
        page.save(results, *measure(asked.sizes, asked.seeds))
    show(*page.load(results), asked.out)


if __name__ == "__main__":
    main()
