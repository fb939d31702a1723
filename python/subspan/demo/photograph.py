"""A photograph rebuilt from some of its own columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import plots
from ..interp import interpolative
from .figure import headline
from .measure import certified, tail_error
from .text import percent, print_table, seconds_text


def measure(seed: int, ranks: Sequence[int], repeats: int) -> dict[str, Any]:
    """Rebuild a photograph from some of its own columns of pixels."""
    from sklearn.datasets import load_sample_image

    colors = load_sample_image("china.jpg")
    A = colors.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255
    spectrum = np.linalg.svd(A, compute_uv=False)
    parts = []
    for k in ranks:
        part = certified(f"{k} columns", A, partial(interpolative, A, k, rng=seed), repeats)
        part["optimal"] = tail_error(spectrum, k)
        # k columns of pixels, and k coefficients for every other column
        part["stored"] = k * (A.shape[0] + A.shape[1] - k) / A.size
        part["picture"] = interpolative(A, k, rng=seed).toarray()
        parts.append(part)
    return {"shape": A.shape, "original": A, "ranks": parts}


def show(part: dict[str, Any]) -> None:
    """Print the table."""
    m, n = part["shape"]
    print(f"2. A photograph ({m} x {n} pixels) rebuilt from some of its columns\n")
    rows = [("kept", "numbers stored", "certified", "true error", "best possible", "time")]
    rows += [
        (
            f"{entry['rank']} of {n} columns",
            percent(entry["stored"]),
            percent(entry["value"]),
            percent(entry["true"]),
            percent(entry["optimal"]),
            seconds_text(entry["seconds"]),
        )
        for entry in part["ranks"]
    ]
    print_table(rows)
    print()


def draw(figure: Any, part: dict[str, Any]) -> None:
    """Draw one row of the picture."""
    n = part["shape"][1]
    headline(figure, "A photograph rebuilt from some of its own columns of pixels (blue marks)")
    axes = figure.subplots(1, 1 + len(part["ranks"]))
    plots.photograph(axes[0], part["original"])
    axes[0].set_title(f"original, {n} columns", fontsize=11)
    for ax, entry in zip(axes[1:], part["ranks"], strict=True):
        plots.photograph(ax, np.clip(entry["picture"], 0, 1), entry["indices"])
        ax.set_title(
            f"{entry['rank']} columns, {100 * entry['stored']:.0f} % of the numbers\n"
            f"error {100 * entry['true']:.1f} % (best possible {100 * entry['optimal']:.1f} %)",
            fontsize=11,
        )
