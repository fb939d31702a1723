"""Solving with second moments that may be singular, always on a fresh copy."""

from __future__ import annotations

import numpy as np

from .exceptions import SingularMoments
from .inputs import Array


def scale_of(S: Array) -> float:
    """Median mean square of the channels that are not dead: a few huge ones do not set it."""
    diagonal = np.diagonal(S)
    alive = diagonal[diagonal > np.finfo(np.float64).eps * diagonal.max(initial=0.0)]
    return float(np.median(alive)) if len(alive) else 0.0


def factor(S: Array, added: float) -> Array:
    """Lower Cholesky factor of ``S + added I``.

    Raises
    ------
    SingularMoments
        If that is not positive definite to working precision.
    """
    from scipy.linalg.lapack import dpotrf

    shifted = np.array(S.T, order="F")  # S is symmetric: no transposition of a C-ordered one
    shifted[np.diag_indices_from(shifted)] += added
    diagonal = np.diagonal(shifted).copy()
    L, info = dpotrf(shifted, lower=1, clean=1, overwrite_a=1)
    # Pivots that are rounding of the diagonal they came from are as good as zero.
    least = len(S) * np.finfo(np.float64).eps * diagonal
    if info != 0 or (np.diagonal(L) ** 2 <= least).any():
        raise SingularMoments(
            f"the second moment of {len(S)} channels, plus {added:.3g} on the diagonal, is singular; "
            "ask for more damping or show more rows"
        )
    return np.asarray(L)


def solve(L: Array, B: Array) -> Array:
    """``(L L^T)^-1 B``."""
    from scipy.linalg.lapack import dpotrs

    return np.asarray(dpotrs(L, B, lower=1)[0])


def inverse_lower(L: Array) -> Array:
    """Lower triangle of ``(L L^T)^-1``, in Fortran order; the upper one is zero."""
    from scipy.linalg.lapack import dpotri

    return np.asarray(dpotri(L, lower=1)[0]) if len(L) else np.array(L)  # LAPACK takes no order 0


def inverse(L: Array) -> Array:
    """``(L L^T)^-1``, both triangles."""
    lower = inverse_lower(L)
    return np.asarray(np.tril(lower) + np.tril(lower, -1).T)
