"""``scipy.linalg.interpolative`` by its names and signatures, computed by subspan.

>>> import subspan.compat.scipy_interpolative as sli

stands for ``import scipy.linalg.interpolative as sli``. What differs: matrices may be anything that
:func:`subspan.interpolative` takes (single precision, integers, sparse matrices, memory maps), and
results have their precision, where SciPy knows doubles only; NaN and infinity raise ``ValueError``; a
tolerance that cannot be reached warns :class:`subspan.ToleranceNotMet`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import error as _error
from ..interp import InterpolativeDecomposition, interpolative

__all__ = [
    "estimate_rank",
    "estimate_spectral_norm",
    "estimate_spectral_norm_diff",
    "id_to_svd",
    "interp_decomp",
    "reconstruct_interp_matrix",
    "reconstruct_matrix_from_id",
    "reconstruct_skel_matrix",
    "svd",
]

_SMALLEST = 50 * float(np.finfo(np.float64).eps)  # tolerance that rounding in doubles allows


def interp_decomp(A: Any, eps_or_k: float, rand: bool = True, rng: Any = None) -> tuple[Any, ...]:
    """Interpolative decomposition to a relative precision or of a given rank.

    ``A[:, idx[k:]] ~ A[:, idx[:k]] @ proj``.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (m, n)
    eps_or_k : float or int
        Below 1: the relative precision, in the Frobenius norm; what double precision cannot resolve
        is taken as about 1e-14. Else the rank.
    rand : bool
        False pivots on A itself and draws no random numbers (operators are always sampled).
    rng : int, numpy.random.Generator, SeedSequence or None

    Returns
    -------
    k : int
        Only if a precision was given.
    idx : array of int64, shape (n,)
        All columns, the k chosen ones first.
    proj : array, shape (k, n - k)

    Raises
    ------
    ValueError
        If the rank exceeds ``min(m, n)``, or A is not finite, or a precision is beyond that of A.

    See Also
    --------
    subspan.interpolative : the same with an error certificate; costs are stated there.

    Examples
    --------
    >>> import numpy as np
    >>> import subspan.compat.scipy_interpolative as sli
    >>> A = np.vander(np.linspace(1, 2, 20), 6) @ np.ones((6, 9))
    >>> k, idx, proj = sli.interp_decomp(A, 1e-8, rng=0)
    >>> k, proj.shape
    (1, (1, 8))
    """
    found, k = _decompose(A, eps_or_k, rand, rng)
    idx, proj = _permuted(found, k)
    return (k, idx, proj) if eps_or_k < 1 else (idx, proj)


def _decompose(
    A: Any, eps_or_k: float, rand: bool, rng: Any
) -> tuple[InterpolativeDecomposition, int]:
    """Run `interpolative`; also returns the rank that the caller counts on."""
    rng = np.random.default_rng(rng)
    by_pivoting: dict[str, Any] = {}
    if not rand and not hasattr(A, "matmat"):
        by_pivoting = {"pivoting": "cpqr", "sketch": None}
    if eps_or_k < 1:
        eps = max(float(eps_or_k), _SMALLEST)
        found = interpolative(A, rtol=eps, rng=rng, **by_pivoting)
        return found, found.rank
    return interpolative(A, int(eps_or_k), rng=rng, **by_pivoting), int(eps_or_k)


def _permuted(found: InterpolativeDecomposition, k: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """All columns, the chosen ones first, and the coefficients of the others.

    Where A has lower rank than k, further columns are taken as they come, with coefficients zero.
    """
    J, W = (np.asarray(part) for part in found)
    others = np.setdiff1d(np.arange(found.shape[1]), J)
    idx = np.concatenate([J, others]).astype(np.int64)
    proj = np.zeros((k, len(idx) - k), W.dtype)
    proj[: len(J)] = W[:, idx[k:]]
    return idx, proj


def reconstruct_interp_matrix(idx: Any, proj: Any) -> NDArray[Any]:
    """Return P of shape (k, n), for which ``A ~ A[:, idx[:k]] @ P``.

    Parameters
    ----------
    idx : array of int, shape (n,)
    proj : array, shape (k, n - k)
        As :func:`interp_decomp` returns them.

    Returns
    -------
    array, shape (k, n)
        In the precision of `proj`; ``P[:, idx[:k]]`` is the identity.

    Examples
    --------
    >>> import numpy as np
    >>> import subspan.compat.scipy_interpolative as sli
    >>> sli.reconstruct_interp_matrix(np.array([1, 0]), np.array([[0.5]]))
    array([[0.5, 1. ]])
    """
    idx, proj = np.asarray(idx), np.asarray(proj)
    k = len(proj)
    P = np.zeros((k, len(idx)), proj.dtype)
    P[np.arange(k), idx[:k]] = 1
    P[:, idx[k:]] = proj
    return P


def reconstruct_matrix_from_id(B: Any, idx: Any, proj: Any) -> NDArray[Any]:
    """Return the approximation ``B @ P`` from the chosen columns ``B = A[:, idx[:k]]``.

    Parameters
    ----------
    B : array, shape (m, k)
    idx : array of int, shape (n,)
    proj : array, shape (k, n - k)

    Returns
    -------
    array, shape (m, n)

    Examples
    --------
    >>> import numpy as np
    >>> import subspan.compat.scipy_interpolative as sli
    >>> sli.reconstruct_matrix_from_id(np.array([[2.0]]), np.array([1, 0]), np.array([[0.5]]))
    array([[1., 2.]])
    """
    B, idx, proj = np.atleast_2d(np.asarray(B)), np.asarray(idx), np.asarray(proj)
    k = len(proj)
    A = np.empty((len(B), len(idx)), np.result_type(B, proj))
    A[:, idx[:k]] = B
    A[:, idx[k:]] = B @ proj
    return A


def reconstruct_skel_matrix(A: Any, k: int, idx: Any) -> Any:
    """Return the chosen columns ``A[:, idx[:k]]``.

    Parameters
    ----------
    A : array or sparse matrix, shape (m, n)
    k : int
    idx : array of int, shape (n,)

    Returns
    -------
    array or sparse matrix, shape (m, k)

    Examples
    --------
    >>> import numpy as np
    >>> import subspan.compat.scipy_interpolative as sli
    >>> sli.reconstruct_skel_matrix(np.array([[1.0, 2.0]]), 1, np.array([1, 0]))
    array([[2.]])
    """
    return A[:, idx[:k]]


def id_to_svd(B: Any, idx: Any, proj: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Turn an interpolative decomposition into a singular value decomposition.

    Parameters
    ----------
    B : array, shape (m, k)
        The chosen columns.
    idx : array of int, shape (n,)
    proj : array, shape (k, n - k)

    Returns
    -------
    U : array, shape (m, k)
    S : array, shape (k,)
        Descending.
    V : array, shape (n, k)
        ``A ~ U * S @ V.conj().T``.

    Notes
    -----
    From QR of both factors and the SVD of a k-by-k matrix: ``O((m + n) k^2)`` flops.

    Examples
    --------
    >>> import numpy as np
    >>> import subspan.compat.scipy_interpolative as sli
    >>> U, S, V = sli.id_to_svd(np.array([[3.0], [4.0]]), np.array([0]), np.zeros((1, 0)))
    >>> S.round(9)
    array([5.])
    """
    return _svd_of_product(np.atleast_2d(np.asarray(B)), reconstruct_interp_matrix(idx, proj))


def _svd_of_product(
    B: NDArray[Any], P: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    Q1, R1 = np.linalg.qr(B)
    Q2, R2 = np.linalg.qr(P.conj().T)
    U, S, Vh = np.linalg.svd(R1 @ R2.conj().T)
    return Q1 @ U[:, : len(S)], S, Q2 @ Vh[: len(S)].conj().T


def svd(
    A: Any, eps_or_k: float, rand: bool = True, rng: Any = None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Singular value decomposition through an interpolative decomposition.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (m, n)
    eps_or_k : float or int
    rand : bool
    rng : int, numpy.random.Generator, SeedSequence or None
        As in :func:`interp_decomp`.

    Returns
    -------
    U : array, shape (m, k)
    S : array, shape (k,)
    V : array, shape (n, k)
        ``A ~ U * S @ V.conj().T``: V itself, not its adjoint.

    Raises
    ------
    ValueError
        If the rank exceeds ``min(m, n)``, or A is not finite, or a precision is beyond that of A.

    Examples
    --------
    >>> import numpy as np
    >>> import subspan.compat.scipy_interpolative as sli
    >>> U, S, V = sli.svd(np.diag([3.0, 2.0, 1.0]), 3, rng=0)
    >>> S.round(9)
    array([3., 2., 1.])
    """
    found, k = _decompose(A, eps_or_k, rand, rng)
    return _svd_of(found, k)


def _svd_of(
    found: InterpolativeDecomposition, k: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Singular value decomposition of an approximation, with zeros where its rank is below k."""
    skeleton, missing = found.skeleton, k - found.rank
    B = np.asarray(skeleton.toarray() if hasattr(skeleton, "toarray") else skeleton)
    W = np.asarray(found.coefficients)
    return _svd_of_product(np.pad(B, ((0, 0), (0, missing))), np.pad(W, ((0, missing), (0, 0))))


def estimate_rank(A: Any, eps: float, rng: Any = None) -> int:
    """Estimate how many singular values exceed ``eps`` times the largest.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (m, n)
    eps : float
        Relative, in the spectral norm.
    rng : int, numpy.random.Generator, SeedSequence or None

    Returns
    -------
    int
        The number counted in an approximation four times as precise as `eps`, so singular values
        that close to the threshold may be on either side.

    Examples
    --------
    >>> import numpy as np
    >>> import subspan.compat.scipy_interpolative as sli
    >>> sli.estimate_rank(np.diag([1.0, 1e-3, 1e-12]), 1e-6, rng=0)
    2
    """
    rng = np.random.default_rng(rng)
    largest = _error.norm(A, norm="spectral", rng=rng)
    if largest == 0:
        return 0
    found = interpolative(A, atol=max(eps / 4, _SMALLEST) * largest, rng=rng)
    _, S, _ = _svd_of(found, found.rank)
    return int((eps * S[0] < S).sum())


def estimate_spectral_norm(A: Any, its: int = 20, rng: Any = None) -> float:
    """Estimate ``||A||_2`` by block power iteration.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (m, n)
    its : int
        Steps.
    rng : int, numpy.random.Generator, SeedSequence or None

    Returns
    -------
    float
        Never above the norm but for rounding, see :func:`subspan.error.norm`.

    Examples
    --------
    >>> import numpy as np
    >>> import subspan.compat.scipy_interpolative as sli
    >>> round(sli.estimate_spectral_norm(np.diag([3.0, 1.0]), rng=0), 9)
    3.0
    """
    return _error.norm(A, norm="spectral", rng=np.random.default_rng(rng), iterations=its)


def estimate_spectral_norm_diff(A: Any, B: Any, its: int = 20, rng: Any = None) -> float:
    """Estimate ``||A - B||_2`` by block power iteration, without forming the difference.

    Parameters
    ----------
    A, B : array, sparse matrix or LinearOperator, shape (m, n)
    its : int
        Steps.
    rng : int, numpy.random.Generator, SeedSequence or None

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> import subspan.compat.scipy_interpolative as sli
    >>> round(sli.estimate_spectral_norm_diff(np.diag([3.0, 1.0]), np.eye(2), rng=0), 9)
    2.0
    """
    from scipy.sparse.linalg import aslinearoperator

    difference = aslinearoperator(A) - aslinearoperator(B)
    return estimate_spectral_norm(difference, its, rng)
