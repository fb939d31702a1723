"""Handwritten digits: which few images stand for all."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import plots
from ..interp import interpolative
from .figure import headline
from .measure import by_scipy, certified, projection_error, tail_error
from .text import percent, print_table, seconds_text


def measure(seed: int, images: int | None, picks: int, draws: int, repeats: int) -> dict[str, Any]:
    """Choose the images whose similarities to all others span those of every image."""
    from scipy.sparse.linalg import aslinearoperator
    from sklearn.datasets import load_digits

    data = load_digits()
    X, labels = data.data[:images] / 16, data.target[:images]
    squares = (X**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * X @ X.T, 0)
    K = np.exp(-distances / np.median(distances))  # row i: how similar image i is to each other
    k = picks
    methods = [
        certified("subspan", K, lambda: interpolative(K, k, axis=0, rng=seed), repeats),
        certified(
            'subspan, pivoting="greedy"',
            K,
            lambda: interpolative(K, k, axis=0, pivoting="greedy"),
            repeats,
        ),
        certified(
            'subspan, coefficients="osid"',
            K,
            lambda: interpolative(K, k, axis=0, coefficients="osid", rng=seed),
            repeats,
        ),
        by_scipy("SciPy interp_decomp, LinearOperator", K, aslinearoperator(K.T), k, seed, repeats),
        by_scipy("SciPy interp_decomp, array", K, K.T, k, seed, repeats),
    ]
    errors = [
        projection_error(K, np.random.default_rng([seed, i]).choice(len(K), k, replace=False))
        for i in range(draws)
    ]
    methods.append({"method": "rows picked at random", "rank": k, "true": float(np.mean(errors))})
    spectrum = np.sort(np.abs(np.linalg.eigvalsh(K)))[::-1]
    methods.append({"method": "best possible (SVD)", "rank": k, "true": tail_error(spectrum, k)})
    chosen = methods[0]["indices"]
    return {
        "shape": K.shape,
        "rank": k,
        "draws": draws,
        "matrix": K,
        "methods": methods,
        "labels": labels[chosen],
        "pictures": X[chosen].reshape(-1, 8, 8),
    }


def show(part: dict[str, Any]) -> None:
    """Print the table."""
    m, n = part["shape"]
    print(f"1. Handwritten digits: {part['rank']} of {m} images stand for all")
    print(f"   Row ID of their {m} x {n} similarity matrix (RBF kernel), rank {part['rank']}.\n")
    rows = [("method", "certified", "upper bound", "true error", "time")]
    rows += [
        (
            entry["method"],
            percent(entry.get("value")) or "none",
            (percent(entry["upper"]) if "upper" in entry else "none"),
            percent(entry["true"]),
            seconds_text(entry.get("seconds")),
        )
        if "seconds" in entry
        else (entry["method"], "", "", percent(entry["true"]), "")
        for entry in part["methods"]
    ]
    print_table(rows)
    counts = np.bincount(part["labels"], minlength=10)
    shown = ", ".join(f"{digit}: {count}" for digit, count in enumerate(counts))
    probability = max(entry.get("failure_probability", 0.0) for entry in part["methods"])
    print(f"\n   Images chosen of each digit: {shown}.")
    print(
        "   Errors are relative, in the Frobenius norm. Certified value and upper bound are equal\n"
        f"   where the error is known exactly; other bounds fail with probability {probability:g}."
    )
    print(f"   Picking at random: best coefficients, mean of {part['draws']} draws.\n")


def draw(figure: Any, part: dict[str, Any]) -> None:
    """Draw one row of the picture."""
    k, m = part["rank"], part["shape"][0]
    headline(figure, f"{k} handwritten digits stand for all {m}")
    left, right = figure.subplots(1, 2, width_ratios=[1.45, 1.0])
    order = np.argsort(part["labels"], kind="stable")
    plots.montage(left, part["pictures"][order], min(k, 10))
    left.set_title("the images that subspan chose, sorted by digit", fontsize=11)

    entries = part["methods"][::-1]
    y = np.arange(len(entries))
    true = np.array([100 * entry["true"] for entry in entries])
    colors = [
        plots.OURS if "value" in e else plots.OTHER if "seconds" in e else "#b5b5b5"
        for e in entries
    ]
    right.barh(y, true, color=colors, height=0.62)
    reach = max(true.max(), max(100 * e.get("upper", 0.0) for e in entries))
    for i, entry in enumerate(entries):
        end = true[i]
        if entry.get("kind") not in (None, "exact"):
            bound = 100 * entry["upper"]
            right.plot([end, bound], [i, i], color=plots.OURS, linewidth=1.2)
            right.plot([bound, bound], [i - 0.25, i + 0.25], color=plots.OURS, linewidth=2)
            end = bound
        text = f"{true[i]:.2f} %"
        if "seconds" in entry:
            text += f" in {seconds_text(entry['seconds'])}"
        right.text(end + 0.015 * reach, i, text, va="center", fontsize=10, color=plots.INK)
    right.set_title(f"error and time at rank {k}, on a {m} × {m} similarity matrix", fontsize=11)
    right.set_yticks(y, [e["method"].replace(", ", "\n", 1) for e in entries], fontsize=9.5)
    right.set_xlim(0, 1.42 * reach)
    right.set_xlabel("true relative error, %;  line: certified upper bound where it is larger")
    right.spines[["top", "right"]].set_visible(False)
    right.tick_params(axis="y", length=0)
