"""Picture of an interpolative decomposition: what was chosen, and the error while it was."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..interp import InterpolativeDecomposition
from .figure import BEST, INK, OURS, new_figure


def error_by_rank(A: Any, skeleton: Any) -> NDArray[np.float64]:
    """Relative error of A in the span of the first j columns of a skeleton, j = 0 ... k.

    Parameters
    ----------
    A : array, shape (m, n)
    skeleton : array, shape (m, k)
        Chosen columns of A, in the order chosen.

    Returns
    -------
    array of float64, shape (k + 1,)
        ``||A - Q_j Q_j^H A||_F / ||A||_F``, with optimal coefficients; starts at 1, never rises.

    Notes
    -----
    ``4 m n k`` flops and a copy of A.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import plots
    >>> plots.error_by_rank(np.diag([3.0, 4.0]), np.array([[0.0], [4.0]])).tolist()
    [1.0, 0.6]
    """
    dtype = np.result_type(A, np.float64)
    A, C = np.asarray(A, dtype), np.asarray(skeleton, dtype)
    Q = np.linalg.qr(C)[0]
    B = Q.conj().T @ A
    rest = np.linalg.norm(A - Q @ B) ** 2  # no cancellation, unlike ||A||^2 - ||B||^2
    squares = np.append(np.linalg.norm(B, axis=1) ** 2, rest)
    left = np.cumsum(squares[::-1])[::-1]
    return np.asarray(np.sqrt(left / left[0]) if left[0] > 0 else np.zeros_like(left))


def interpolative(result: InterpolativeDecomposition, A: Any = None) -> Any:
    """Draw what was chosen, and how the error fell while it was.

    Parameters
    ----------
    result : InterpolativeDecomposition
    A : array, shape (m, n), optional
        The dense matrix that was decomposed: adds its picture, and for a result without history the
        error for every smaller rank (one product with A more).

    Returns
    -------
    matplotlib.figure.Figure
        Write it with ``figure.savefig("picture.png")``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If A has another shape than the result.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> from subspan import plots
    >>> A = np.vander(np.linspace(1, 2, 50), 20)
    >>> r = subspan.interpolative(A, 5, rng=0)
    >>> figure = plots.interpolative(r, A)  # doctest: +SKIP
    """
    if A is not None:
        A = np.asarray(A)
        if A.shape != result.shape:
            raise ValueError(f"A has shape {A.shape}; expected {result.shape}")
    figure = new_figure(11, 4.6)
    figure.get_layout_engine().set(wspace=0.06)
    left, right = figure.subplots(1, 2)
    _draw_choice(left, result, A)
    _draw_error(right, result, A)
    m, n = result.shape
    what = {1: "columns", 0: "rows", None: "rows and columns"}[result.axis]
    figure.suptitle(
        f"{result.rank} {what} of a {m} × {n} matrix: {_described(result)}",
        color=INK,
        fontweight="bold",
    )
    return figure


def _described(result: InterpolativeDecomposition) -> str:
    e = result.error
    name = {"fro": "Frobenius", "spectral": "spectral"}[e.norm]
    text = f"relative error {e.relative:.3g} ({name}, {e.kind})"
    if e.upper > e.value > 0 and e.kind != "exact":
        text += f", at most {e.upper * e.relative / e.value:.3g}"
    return text


def _draw_choice(ax: Any, result: InterpolativeDecomposition, A: Any) -> None:
    """Mark the chosen rows and columns along the sides of the matrix, shown if it is given."""
    m, n = result.shape
    if A is not None and A.size:
        size = np.abs(A.astype(np.result_type(A, np.float32)))
        step = max(1, m // 1000), max(1, n // 1000)
        ax.imshow(
            np.sqrt(size[:: step[0], :: step[1]]),
            extent=(0, n, m, 0),
            aspect="auto",
            cmap="Greys",
            interpolation="nearest",
        )
    rows = result.indices if result.axis == 0 else result.indices[0] if result.axis is None else ()
    cols = result.indices if result.axis == 1 else result.indices[1] if result.axis is None else ()
    ax.set_xlim(0, n or 1)
    ax.set_ylim(m or 1, 0)
    marks = {"clip_on": False, "color": OURS, "linewidth": 1.0}
    ax.vlines(np.asarray(cols) + 0.5, 1.0, 1.04, transform=ax.get_xaxis_transform(), **marks)
    ax.hlines(np.asarray(rows) + 0.5, 1.0, 1.03, transform=ax.get_yaxis_transform(), **marks)
    entries = "; darkness: $|a_{ij}|^{1/2}$" if A is not None else ""
    ax.set_xlabel(f"column{entries}")
    ax.set_ylabel("row")
    ax.set_title("Chosen (blue marks)", pad=14, fontsize=10.5)


def _draw_error(ax: Any, result: InterpolativeDecomposition, A: Any) -> None:
    """Error against rank: from the history, or from A, or the certificate alone."""
    e = result.error
    # The curve is in the Frobenius norm. Beside a spectral certificate both are absolute.
    reference = e.value / e.relative if e.norm == "fro" and e.relative > 0 else 1.0
    if result.history:
        ranks = [step["rank"] for step in result.history]
        errors = [step["residual"] / reference for step in result.history]
        if e.norm == "fro":
            ranks, errors = [0, *ranks], [1.0, *errors]
        kind = "as the algorithm ran"
    elif A is not None and result.rank:
        columns = A[:, _columns_of(result)] if result.axis != 0 else A.T[:, result.indices]
        scale = 1.0 if e.norm == "fro" else float(np.linalg.norm(A))
        errors = list(scale * error_by_rank(A if result.axis != 0 else A.T, columns))
        ranks, kind = list(range(len(errors))), "first picks, best coefficients"
    else:
        ranks, errors, kind = [0], [1.0], ""
    floor = np.finfo(np.float64).tiny
    if kind:
        kind += "" if e.norm == "fro" else " (Frobenius)"
        ax.plot(ranks, np.maximum(errors, floor), "o-", color=BEST, markersize=3, label=kind)
    ax.errorbar(
        [result.rank],
        [max(e.value / reference, floor)],
        yerr=[[0.0], [max(e.upper - e.value, 0.0) / reference]],
        fmt="D",
        color=OURS,
        capsize=4,
        label=f"certificate ({e.kind}{'' if e.norm == 'fro' else ', spectral'})",
    )
    ax.set_yscale("log")
    ax.set_xlim(-0.5, max(result.rank, 1) * 1.04 + 0.5)
    ax.set_xlabel("rank")
    ax.set_ylabel("relative error, Frobenius norm" if e.norm == "fro" else "absolute error")
    ax.set_title("Error", fontsize=10.5)
    ax.grid(alpha=0.25)
    ax.legend(frameon=False)


def _columns_of(result: InterpolativeDecomposition) -> Any:
    return result.indices if result.axis == 1 else result.indices[1]
