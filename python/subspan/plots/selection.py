"""Picture of a subset of rows: where it lies among all candidates."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..selection import Selection
from ..selection.rows import Rows
from ..svd import svd
from .figure import BEST, INK, OURS, new_figure

_SHOWN = 20_000  # candidates, evenly spaced


def selection(result: Selection, X: Any) -> Any:
    """Draw candidates and chosen rows in the two leading principal directions.

    Parameters
    ----------
    result : Selection
    X : array, memory map or CSR matrix, shape (N, d)
        The candidates.

    Returns
    -------
    matplotlib.figure.Figure
        Write it with ``figure.savefig("picture.png")``. The area of a chosen row is in proportion to its
        weight.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If a chosen row is not one of X.

    Notes
    -----
    A truncated SVD of X of rank 2, without centering: the directions of the second moment, which moment
    matching preserves.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import plots
    >>> from subspan.selection import select
    >>> X = np.random.default_rng(0).standard_normal((200, 5))
    >>> figure = plots.selection(select(X, 20, rng=0), X)  # doctest: +SKIP
    """
    rows = Rows(X)
    if len(result.indices) and result.indices.max() >= len(rows):
        raise ValueError(
            f"result has chosen row {result.indices.max()} of X, which has {len(rows)}"
        )
    figure = new_figure(6.4, 5.2)
    ax = figure.subplots()
    decomposition = svd(X, min(2, *rows.shape), angles=False, rng=result.seed)
    shown = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _SHOWN)).astype(np.int64))
    for which, style in (
        (shown, {"s": 6, "color": BEST, "alpha": 0.4, "linewidths": 0, "label": "candidates"}),
        (result.indices, {"s": _areas(result), "color": OURS, "label": "chosen"}),
    ):
        place = rows.take(which) @ decomposition.Vh.T
        ax.scatter(place[:, 0], place[:, -1], **style)
    ax.set_xlabel("first principal direction")
    ax.set_ylabel("second principal direction")
    ax.grid(alpha=0.25)
    ax.legend(frameon=False)
    ax.set_title(
        f"{len(result.indices)} of {len(rows)} rows by {result.method}",
        color=INK,
        fontweight="bold",
        fontsize=10.5,
    )
    return figure


def _areas(result: Selection) -> Any:
    weights = np.abs(np.asarray(result.weights, np.float64))
    return 28 * weights / weights.mean() if weights.size and weights.any() else 28
