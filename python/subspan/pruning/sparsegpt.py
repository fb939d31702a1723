"""SparseGPT: zeros from left to right, their errors carried over to the weights that follow."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._array import as_rank, as_tolerance, library_of
from .damping import factor
from .hessian import damped_hessian
from .inputs import Array, real_array
from .masked import MaskedWeights, masked
from .masks import Mask, as_pattern, as_sparsity, mask_of


def sparsegpt(
    W: Any,
    moments: Any,
    sparsity: float | None = None,
    *,
    pattern: str = "unstructured",
    block_size: int = 128,
    damping: float = 1e-2,
    mask: Any = None,
    held_out: Any = None,
) -> MaskedWeights:
    """Prune a linear layer column by column, every error made up for by the columns to the right.

    Parameters
    ----------
    W : array, shape (outputs, inputs)
    moments : Moments or array, shape (inputs, inputs)
        Of the inputs.
    sparsity, pattern
        As in :func:`subspan.pruning.magnitude`; weights compete within a block of columns.
    block_size : int
        Columns whose mask is chosen together.
    damping : float
        Added to the second moment, in units of the median of its diagonal.
    mask : array of bool, optional
        Zeros that are given; only the values are then computed.
    held_out : Moments or array, optional

    Returns
    -------
    MaskedWeights

    Raises
    ------
    ValueError
        If an argument is out of range.
    SingularMoments
        If the damped second moment is singular.

    Notes
    -----
    With ``H^-1 = U^T U``, ``U_jj^2`` is the j-th diagonal entry of the inverse of H restricted to the columns
    from j on, hence one factor serves all steps. ``d^3 / 3 + outputs d^2`` flops.

    References
    ----------
    Frantar and Alistarh, arXiv 2301.00774.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import sparsegpt
    >>> S = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> sparsegpt(np.array([[1.0, 4.0]]), S, 0.5, damping=0).W
    array([[0. , 4.5]])
    """
    library, given = library_of(W), real_array(W, "W")
    rows, columns = given.shape
    width = as_rank(block_size, 2**31, "block_size")
    if width < 1:
        raise ValueError("block_size=0 must be at least 1")
    fixed = _as_mask(mask, given.shape)
    share = as_sparsity(sparsity, pattern, columns) if fixed is None else 0.0
    groups = as_pattern(pattern, columns) if fixed is None else None
    if groups is not None and width % groups[1]:
        raise ValueError(f"block_size={width} must be a multiple of the {groups[1]} in {pattern!r}")
    H, dead = damped_hessian(moments, columns, as_tolerance(damping, "damping"))
    U = inverse_factor(H)
    new = given.astype(np.float64)
    new[:, dead] = 0.0
    keep = np.ones((rows, columns), bool) if fixed is None else fixed
    zeros = 0
    for start in range(0, columns, width):
        stop = min(start + width, columns)
        if fixed is None and groups is None:
            # Counts of the blocks add up to that of the whole.
            wanted = round(share * rows * stop) - zeros if pattern == "unstructured" else 0
            scores = (new[:, start:stop] / np.diagonal(U)[start:stop]) ** 2
            if pattern == "row":
                target = round(share * stop) - round(share * start)
                part = mask_of(scores, target / (stop - start), "row")
            else:
                part = mask_of(scores, wanted / scores.size if scores.size else 0.0, pattern)
            keep[:, start:stop] = part
            zeros += int((~part).sum())
        errors = _sweep(new, keep, U, start, stop, groups)
        new[:, stop:] -= errors @ U[start:stop, stop:]
    return masked(given, new, keep, "sparsegpt", library, moments, held_out)


def inverse_factor(H: Array) -> Array:
    """Upper triangular U with ``H^-1 = U^T U``.

    ``H = R R^T`` with R upper triangular, from the Cholesky factorization in reversed order; ``U = R^-1``:
    no inverse is formed and factored again.
    """
    from scipy.linalg.lapack import dtrtri

    R = factor(H[::-1, ::-1], 0.0)[::-1, ::-1]
    return np.asarray(dtrtri(np.asfortranarray(R))[0])


def _sweep(
    W: Array, keep: Mask, U: Array, start: int, stop: int, groups: tuple[int, int] | None
) -> Array:
    """Zero the columns of a block in order, in place; the errors that its other columns took over."""
    errors = np.empty((len(W), stop - start))
    for j in range(start, stop):
        if groups is not None and j % groups[1] == 0:
            at = slice(j, j + groups[1])
            scores = (W[:, at] / np.diagonal(U)[at]) ** 2
            keep[:, at] = mask_of(scores, 0.0, f"{groups[0]}:{groups[1]}")
        lost = np.where(keep[:, j], 0.0, W[:, j])
        e = lost / U[j, j]
        W[:, j:stop] -= np.outer(e, U[j, j:stop])
        errors[:, j - start] = e
    return errors


def _as_mask(mask: Any, shape: tuple[int, ...]) -> Mask | None:
    if mask is None:
        return None
    given = np.array(mask)
    if given.dtype != bool or given.shape != shape:
        raise ValueError(f"mask must be bool of shape {shape}, got {given.dtype} {given.shape}")
    return given
