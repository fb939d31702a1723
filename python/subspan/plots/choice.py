"""What was chosen: marks for rows and columns along the sides of the matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import chosen, dense_of
from .figure import label, single
from .style import palette_of

MOST_LINES = 40  # above this the matrix would vanish behind them
MOST_PIXELS = 1000  # per side; larger matrices are shown by every so many rows and columns


def choice(result: Any, A: Any = None, *, ax: Any = None) -> Any:
    """Mark the chosen rows and columns along the sides of the matrix, shown if it is given.

    Parameters
    ----------
    result : InterpolativeDecomposition, CURDecomposition or PivotedQR
    A : array, shape (m, n), optional
        The dense matrix that was decomposed, drawn by the roots of the moduli of its entries.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If the result chose neither rows nor columns.
    ValueError
        If A has another shape than the result, or the result is of a batch.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> from subspan import plots
    >>> A = np.vander(np.linspace(1, 2, 50), 20)
    >>> ax = plots.choice(subspan.cur(A, 4, rng=0), A)
    >>> ax.get_title()
    '4 rows and 4 columns chosen'
    """
    if not any(hasattr(result, name) for name in ("indices", "columns")):
        raise TypeError(f"result is a {type(result).__name__}: it has no chosen rows or columns")
    if np.ndim(result.error.value):
        raise ValueError("result is of a batch: draw one of its matrices")
    if A is not None:
        A = dense_of(A, result)
    ax = single(ax, 5.4, 4.6)
    m, n = result.shape
    rows, columns = chosen(result)
    palette = palette_of(ax)
    if A is not None and A.size:
        ax.imshow(
            thinned(A),
            extent=(0, n, m, 0),
            aspect="auto",
            cmap=palette.gray,
            interpolation="nearest",
        )
    ax.set_xlim(0, n or 1)
    ax.set_ylim(m or 1, 0)
    marks = {"clip_on": False, "color": palette.ours, "linewidth": 1.0}
    ax.vlines(columns + 0.5, 1.0, 1.04, transform=ax.get_xaxis_transform(), **marks)
    ax.hlines(rows + 0.5, 1.0, 1.03, transform=ax.get_yaxis_transform(), **marks)
    if A is not None and len(rows) + len(columns) <= MOST_LINES:
        across = {"color": palette.ours, "linewidth": 0.7, "alpha": 0.5}
        ax.vlines(columns + 0.5, 0, m, **across)
        ax.hlines(rows + 0.5, 0, n, linestyles="--", **across)
    counts = [(len(rows), "row"), (len(columns), "column")]
    text = " and ".join(f"{c} {name}{'s' * (c != 1)}" for c, name in counts if c) or "nothing"
    dark = "brightness" if palette.name == "dark" else "darkness"
    shade = f" ({dark}: root of the modulus of the entry)" if A is not None else ""
    label(ax, f"{text} chosen", f"column{shade}", "row", grid=False)
    ax.set_title(ax.get_title(), pad=14, fontsize=ax.title.get_fontsize())
    return ax


def thinned(A: NDArray[Any]) -> NDArray[Any]:
    """Roots of the moduli of at most `MOST_PIXELS` rows and columns, evenly spaced."""
    down, across = (max(1, -(-size // MOST_PIXELS)) for size in A.shape)
    part = np.abs(A[::down, ::across])
    return np.asarray(np.sqrt(part.astype(np.result_type(part, np.float32))))
