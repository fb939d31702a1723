"""Masks from one look at the weights: magnitude and Wanda."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._array import library_of
from .inputs import real_array, squares_of
from .masked import MaskedWeights, masked
from .masks import as_sparsity, mask_of
from .moments import Moments


def magnitude(
    W: Any,
    sparsity: float | None = None,
    *,
    pattern: str = "unstructured",
    moments: Any = None,
    held_out: Any = None,
) -> MaskedWeights:
    """Zero the smallest weights.

    Parameters
    ----------
    W : array, shape (outputs, inputs)
    sparsity : float
        Share of zeros; given by the pattern if that is N:M.
    pattern : {"unstructured", "row"} or "N:M"
        Over the whole matrix; as many in every row; N zeros in every M consecutive weights of a row.
    moments, held_out : Moments or array, optional
        Of the inputs, to predict the error with.

    Returns
    -------
    MaskedWeights

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import magnitude
    >>> magnitude(np.array([[1.0, -3.0, 2.0, 0.5]]), pattern="2:4").W
    array([[ 0., -3.,  2.,  0.]])
    """
    library, given = library_of(W), real_array(W, "W")
    wide = given.astype(np.float64)
    share = as_sparsity(sparsity, pattern, given.shape[1])
    mask = mask_of(np.abs(wide), share, pattern)
    return masked(given, wide, mask, "magnitude", library, moments, held_out)


def wanda(
    W: Any,
    moments: Any,
    sparsity: float | None = None,
    *,
    pattern: str = "row",
    held_out: Any = None,
) -> MaskedWeights:
    """Zero the weights of least ``|W_ij| sqrt(E x_j^2)``, by default in every row as many.

    Parameters
    ----------
    W : array, shape (outputs, inputs)
    moments : Moments, or array of shape (inputs,) or (inputs, inputs)
        Of the inputs; the diagonal is enough, but the error is then not predicted.
    sparsity, pattern, held_out
        As in :func:`magnitude`.

    Returns
    -------
    MaskedWeights

    References
    ----------
    Sun, Liu, Bair, Kolter, arXiv 2306.11695.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import wanda
    >>> wanda(np.array([[1.0, 2.0]]), np.array([9.0, 1.0]), 0.5).W
    array([[1., 0.]])
    """
    library, given = library_of(W), real_array(W, "W")
    wide = given.astype(np.float64)
    share = as_sparsity(sparsity, pattern, given.shape[1])
    scores = np.abs(wide) * np.sqrt(squares_of(moments, given.shape[1]))
    diagonal = moments.gram == "diag" if isinstance(moments, Moments) else np.ndim(moments) == 1
    full = None if diagonal else moments
    return masked(given, wide, mask_of(scores, share, pattern), "wanda", library, full, held_out)
