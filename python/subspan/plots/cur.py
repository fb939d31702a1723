"""Picture of a CUR decomposition: which rows and columns were chosen, and the error while they were."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ..cur import CURDecomposition
from .skeleton import interpolative


def cur(result: CURDecomposition, A: Any = None) -> Any:
    """Draw the chosen rows and columns, and how the error fell while columns were chosen.

    Parameters
    ----------
    result : CURDecomposition
    A : array, shape (m, n), optional
        The dense matrix that was decomposed: adds its picture, see :func:`interpolative`.

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
    >>> figure = plots.cur(subspan.cur(A, 5, rng=0), A)  # doctest: +SKIP
    """
    two_sided: Any = SimpleNamespace(
        axis=None,
        indices=(result.rows, result.columns),
        **{name: getattr(result, name) for name in ("shape", "rank", "error", "history")},
    )
    return interpolative(two_sided, A)
