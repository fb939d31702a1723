"""Picture of a subset: chosen rows among all, in two principal directions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..selection.moments import second_moment
from ..selection.rows import Rows
from .figure import label, legend, single
from .style import MARKERS, palette_of

MOST_POINTS = 20_000  # of the rows that were not chosen; more are shown by every so many
MOST_GROUPS = 6


def selection(X: Any, chosen: Any, *, labels: Any = None, ax: Any = None) -> Any:
    """Draw the chosen rows over all rows, in the two directions along which the rows vary most.

    Parameters
    ----------
    X : array, memory map or CSR matrix, shape (N, d)
        Candidates, read twice in tiles: ``N d (d + 2)`` flops.
    chosen : Selection, or array of int, shape (n,)
        The areas of the marks of a selection grow with its weights.
    labels : array, shape (N,), optional
        Group of every row, at most six of them: the chosen ones get a mark and a colour each.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If X is not a finite matrix of at least two columns, an index lies outside it, or the labels
        do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import plots
    >>> X = np.random.default_rng(0).standard_normal((500, 8)) * [9, 4, 1, 1, 1, 1, 1, 1]
    >>> ax = plots.selection(X, [0, 3, 5])
    >>> ax.get_title()
    '3 of 500 rows'
    """
    rows = Rows(X)
    if rows.shape[1] < 2 or not len(rows):
        raise ValueError(f"X has shape {rows.shape}; expected rows of at least two numbers")
    indices, weights = _chosen(chosen, len(rows))
    groups = _groups(labels, len(rows))
    points, share = principal(rows)
    ax = single(ax, 6.2, 4.8)
    palette = palette_of(ax)
    rest = np.setdiff1d(np.arange(len(rows)), indices)
    rest = rest[:: max(1, -(-len(rest) // MOST_POINTS))]
    ax.scatter(*points[rest].T, s=5, c=palette.best, alpha=0.5, lw=0, label="not chosen")
    sizes = 34 * weights / weights.mean() if weights.mean() > 0 else np.full(len(indices), 34.0)
    for i, name in enumerate(groups if labels is not None else [None]):
        mine = slice(None) if name is None else np.asarray(labels)[indices] == name
        ax.scatter(
            *points[indices[mine]].T,
            s=np.clip(sizes[mine], 8, 220),
            c=palette.series[i],
            marker=MARKERS[i],
            edgecolors=palette.paper,
            linewidths=0.6,
            label="chosen" if name is None else f"chosen, {name}",
        )
    label(
        ax,
        f"{len(indices)} of {len(rows)} rows",
        f"first principal direction ({share[0]:.0%} of the variance)",
        f"second ({share[1]:.0%})",
    )
    legend(ax)
    return ax


def principal(rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates of all rows in their two principal directions, and the shares of the variance."""
    mean = sum(tile.sum(axis=0, dtype=np.float64) for _, tile in rows.tiles()) / len(rows)
    values, vectors = np.linalg.eigh(second_moment(rows) - np.outer(mean, mean))
    directions = vectors[:, [-1, -2]]
    directions = directions * np.where(directions.sum(axis=0) < 0, -1, 1)  # one sign, any LAPACK
    points = np.empty((len(rows), 2))
    for where, tile in rows.tiles():
        points[where] = (tile - mean) @ directions
    total = float(np.maximum(values, 0).sum())
    return points, np.maximum(values[[-1, -2]], 0) / (total or 1.0)


def _chosen(chosen: Any, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    indices = np.asarray(getattr(chosen, "indices", chosen))
    if indices.ndim != 1 or not indices.size or indices.dtype.kind not in "iu":
        raise ValueError(
            f"chosen has shape {indices.shape} and dtype {indices.dtype}; expected indices of rows"
        )
    if indices.min() < 0 or indices.max() >= count:
        raise ValueError(
            f"chosen has indices from {indices.min()} to {indices.max()}; X has {count} rows"
        )
    weights = getattr(chosen, "weights", np.ones(len(indices)))
    return indices.astype(np.int64), np.asarray(weights, np.float64)


def _groups(labels: Any, count: int) -> list[Any]:
    if labels is None:
        return []
    given = np.asarray(labels)
    if given.shape != (count,):
        raise ValueError(f"labels has shape {given.shape}; expected ({count},), one per row of X")
    groups = list(np.unique(given))
    if len(groups) > MOST_GROUPS:
        raise ValueError(
            f"labels has {len(groups)} groups; at most {MOST_GROUPS} can be told apart"
        )
    return groups
