"""Picture of a decomposition by rows and columns: what was chosen, and the error while it was."""

from __future__ import annotations

from typing import Any

from .choice import choice
from .errors import NORMS, errors
from .figure import headline, panels


def interpolative(result: Any, A: Any = None, *, ax: Any = None) -> Any:
    """Draw what was chosen, and how the error fell while it was.

    Parameters
    ----------
    result : InterpolativeDecomposition, CURDecomposition or PivotedQR
    A : array, shape (m, n), optional
        The dense matrix that was decomposed: adds its picture, and for a result without history the
        error for every smaller rank (one product with A more).
    ax : pair of matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    array of two matplotlib.axes.Axes
        Of :func:`choice` and :func:`errors`. Write the figure with :func:`save`.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If A has another shape than the result, or the result is of a batch.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> from subspan import plots
    >>> A = np.vander(np.linspace(1, 2, 50), 20)
    >>> r = subspan.interpolative(A, 5, rng=0)
    >>> left, right = plots.interpolative(r, A)
    >>> plots.save(left, "columns.png")  # doctest: +SKIP
    """
    axes = panels(ax, 2, 11, 4.6)
    choice(result, A, ax=axes[0])
    errors(result, A, ax=axes[1])
    if ax is None:
        axes[0].figure.get_layout_engine().set(wspace=0.06)
        m, n = result.shape
        picked = axes[0].get_title().removesuffix(" chosen")
        headline(axes, f"{picked} of a {m} × {n} matrix: {_described(result)}")
        axes[0].set_title("Chosen (marks)", pad=14, fontsize=axes[1].title.get_fontsize())
    return axes


def _described(result: Any) -> str:
    e = result.error
    text = f"relative error {e.relative:.3g} ({NORMS[e.norm]}, {e.kind})"
    if e.upper > e.value > 0 and e.kind != "exact":
        text += f", at most {e.upper * e.relative / e.value:.3g}"
    return text
