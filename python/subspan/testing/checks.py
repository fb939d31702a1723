"""Checks of a decomposition or a sketch against dense linear algebra, for small matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .matrices import Matrix


def interpolation_error(A: Any, J: npt.ArrayLike, W: Any) -> float:
    """Relative Frobenius error ``|A - A[:, J] @ W| / |A|`` of an interpolative decomposition.

    Parameters
    ----------
    A : array or scipy.sparse array, shape (m, n)
        Made dense in double precision.
    J : array_like of int, shape (k,)
        Chosen columns.
    W : array, shape (k, n)
        Coefficients.

    Returns
    -------
    float
        Zero if `A` is zero and reproduced exactly.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import interpolation_error
    >>> A = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 2.0]])
    >>> interpolation_error(A, [1, 2], [[0.5, 1, 0], [0, 0, 1]])
    0.0
    >>> round(interpolation_error(A, [1], [[0.5, 1, 0]]), 4)
    0.6667
    """
    A = _scaled_dense(A)
    return _ratio(np.linalg.norm(A - A[:, np.asarray(J)] @ _dense(W)), np.linalg.norm(A))


def optimal_error(A: Any, k: int) -> float:
    """Relative Frobenius error of the best rank-`k` approximation of `A`.

    No rank-`k` decomposition can do better (Eckart and Young).

    Parameters
    ----------
    A : array or scipy.sparse array, shape (m, n)
        Made dense in double precision.
    k : int
        Rank, nonnegative.

    Returns
    -------
    float
        ``sqrt(sum_{j>k} sigma_j**2 / sum_j sigma_j**2)``; zero if `A` is zero.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import optimal_error
    >>> optimal_error(np.diag([4.0, 3.0]), 1)
    0.6
    """
    sigma = np.linalg.svd(_scaled_dense(A), compute_uv=False)
    return _ratio(np.linalg.norm(sigma[k:]), np.linalg.norm(sigma))


def distortion(S: Any, U: Matrix) -> tuple[float, float]:
    """Smallest and largest singular value of ``S @ U`` for an orthonormal `U`.

    Parameters
    ----------
    S : array, scipy.sparse array or operator with ``@``, shape (d, m)
        Sketch.
    U : ndarray, shape (m, k)
        Orthonormal columns, ``k <= d``.

    Returns
    -------
    smallest, largest : float
        Both one for an isometry on the range of `U`; about ``1 -+ sqrt(k / d)`` for a
        Gaussian sketch.

    Raises
    ------
    ValueError
        If the columns of `U` are not orthonormal to ``sqrt(eps)``, or ``k > d``.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import distortion
    >>> smallest, largest = distortion(np.diag([2.0, 3.0, 9.0]), np.eye(3)[:, :2])
    >>> round(smallest, 6), round(largest, 6)
    (2.0, 3.0)
    """
    k = U.shape[1]
    deviation = np.abs(U.conj().T @ U - np.eye(k)).max(initial=0.0)
    if deviation > np.sqrt(np.finfo(U.dtype).eps):
        raise ValueError(f"columns of U must be orthonormal; |U^H U - I| = {deviation:.1e}")
    sketched = _dense(S @ U)
    if k > sketched.shape[0]:
        raise ValueError(f"U has k={k} columns, more than the {sketched.shape[0]} rows of S")
    sigma = np.linalg.svd(sketched, compute_uv=False)
    return float(sigma[-1]), float(sigma[0])


def _dense(A: Any) -> Matrix:
    """Convert to a double-precision array, real or complex."""
    dense: Matrix = np.asarray(A.toarray() if hasattr(A, "toarray") else A)
    return dense.astype(np.result_type(dense.dtype, np.float64))


def _scaled_dense(A: Any) -> Matrix:
    """Dense `A` divided by a power of two, so that squares of its entries do not overflow."""
    dense = _dense(A)
    largest = np.abs(dense).max(initial=0.0)
    if largest > 0:
        dense *= np.ldexp(1.0, min(1023, -int(np.frexp(largest)[1])))
    return dense


def _ratio(part: Any, whole: Any) -> float:
    """``part / whole``, and zero for zero over zero."""
    return float(part / whole) if whole else float(np.sign(part)) * np.inf if part else 0.0
