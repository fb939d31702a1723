"""``torch.svd_lowrank`` and ``torch.pca_lowrank`` by their signatures, computed by subspan.

What differs: ``generator=`` seeds a call by itself (without it, PyTorch's default generator does, so
``torch.manual_seed`` works as ever); sparse tensors of any layout take memory in proportion to their
entries, centred or not; integers are computed in double precision; and gradients are not followed: a
tensor that requires them is refused rather than detached behind the caller's back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._array import as_array, as_rank, is_sparse, to_host
from .._rng import seed_word
from ..svd import svd

__all__ = ["pca_lowrank", "svd_lowrank"]


_Tensors = tuple[Any, Any, Any]


def svd_lowrank(
    A: Any, q: int | None = 6, niter: int | None = 2, M: Any = None, *, generator: Any = None
) -> _Tensors:
    """Leading singular values and vectors of a matrix, or of each matrix of a batch.

    Parameters
    ----------
    A : Tensor, shape (..., m, n)
        On the CPU; dense, or sparse with two dimensions.
    q : int, optional
        Triplets wanted, by default 6; beyond ``min(m, n)`` that many come back.
    niter : int, optional
        Power iterations, by default 2.
    M : Tensor, optional
        Subtracted from A, of a shape that broadcasts to that of A; not formed for sparse A.
    generator : torch.Generator, optional
        Source of the seed; by default PyTorch's own.

    Returns
    -------
    U : Tensor, shape (..., m, q)
    S : Tensor, shape (..., q)
        Descending.
    V : Tensor, shape (..., n, q)
        ``A - M ~ U @ diag(S) @ V.mH``.

    Raises
    ------
    ValueError
        If an argument is out of range or A is not finite.
    TypeError
        If A is no tensor, or requires gradients while they are recorded.

    See Also
    --------
    subspan.svd : the same with an error certificate; costs and papers are stated there.

    Examples
    --------
    >>> import torch
    >>> from subspan.compat.torch import svd_lowrank
    >>> A = torch.diag(torch.tensor([3.0, 2.0, 0.0]))
    >>> U, S, V = svd_lowrank(A, q=2, generator=torch.Generator().manual_seed(0))
    >>> [round(float(value), 5) for value in S]
    [3.0, 2.0]
    """
    _check(A, "A")
    if M is not None:
        _check(M, "M")
    matrix = to_host(A)
    shift = None if M is None else np.atleast_2d(_dense(M, "M"))
    rank = min(as_rank(6 if q is None else q, 2**31, "q"), *matrix.shape[-2:])
    niter = as_rank(2 if niter is None else niter, 1000, "niter")
    seed = seed_word(torch.default_generator if generator is None else generator)
    if is_sparse(matrix):
        operator = matrix if shift is None else _shifted(matrix, shift)
        return _as_tensors(*_triplets(operator, rank, niter, seed))
    dense = as_array(matrix) if shift is None else as_array(matrix) - shift
    if dense.shape != matrix.shape:
        raise ValueError(
            f"M has shape {shift.shape}, which does not broadcast to {matrix.shape} of A"  # type: ignore[union-attr]
        )
    return _as_tensors(*_triplets(dense, rank, niter, seed))


def pca_lowrank(
    A: Any, q: int | None = None, center: bool = True, niter: int = 2, *, generator: Any = None
) -> _Tensors:
    """Principal directions of the rows of a matrix, or of each matrix of a batch.

    Parameters
    ----------
    A : Tensor, shape (..., m, n)
        m samples of n features, on the CPU; dense, or sparse with two dimensions.
    q : int, optional
        Directions wanted, at most ``min(m, n)``; by default 6 or as many as there are.
    center : bool
        Subtract the mean of every feature; for sparse A without forming the difference.
    niter : int
        Power iterations.
    generator : torch.Generator, optional
        Source of the seed; by default PyTorch's own.

    Returns
    -------
    U : Tensor, shape (..., m, q)
    S : Tensor, shape (..., q)
        ``S**2 / (m - 1)`` are the leading eigenvalues of the covariance.
    V : Tensor, shape (..., n, q)
        Principal directions as columns; ``A @ V`` projects on them.

    Raises
    ------
    ValueError
        If an argument is out of range or A is not finite.
    TypeError
        If A is no tensor, or requires gradients while they are recorded.

    Examples
    --------
    >>> import torch
    >>> from subspan.compat.torch import pca_lowrank
    >>> A = torch.tensor([[1.0, 5.0], [3.0, 5.0], [5.0, 5.0]])
    >>> U, S, V = pca_lowrank(A, q=1, generator=torch.Generator().manual_seed(0))
    >>> round(float(S[0] ** 2 / 2), 5)  # the variance of the first feature
    4.0
    """
    _check(A, "A")
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(f"q={q} must lie in [0, {min(m, n)}] for A of shape {tuple(A.shape)}")
    if not center:
        return svd_lowrank(A, q, niter, generator=generator)
    matrix = to_host(A)
    matrix = matrix if is_sparse(matrix) else as_array(matrix)
    mean = matrix.mean(axis=-2, dtype=np.result_type(matrix.dtype, np.float64))
    M = np.asarray(mean, matrix.dtype).reshape(*A.shape[:-2], 1, n)
    return svd_lowrank(A, q, niter, torch.from_numpy(M), generator=generator)


def _check(A: Any, name: str) -> None:
    if not isinstance(A, torch.Tensor):
        raise TypeError(f"{name} has type {type(A).__name__}; expected a torch.Tensor")
    if A.ndim < 2 and name == "A":
        raise ValueError(f"{name} must have at least 2 dimensions, got shape {tuple(A.shape)}")
    if A.requires_grad and torch.is_grad_enabled():
        raise TypeError(
            f"{name} requires gradients, which are not followed here; "
            f"pass {name}.detach(), or call torch.svd_lowrank"
        )


def _dense(M: Any, name: str) -> NDArray[Any]:
    host = to_host(M, name)
    return as_array(host.toarray() if is_sparse(host) else host, name)


def _triplets(A: Any, rank: int, niter: int, seed: int) -> tuple[NDArray[Any], ...]:
    U, s, Vh = svd(A, rank, oversampling=0, power_iterations=niter, rng=seed)
    return U, s, Vh.conj().swapaxes(-2, -1)


def _shifted(A: Any, M: NDArray[Any]) -> Any:
    """``A - M`` as an operator, M of one row or column where it is broadcast."""
    from scipy.sparse.linalg import LinearOperator

    (m, n), (rows, cols) = A.shape, M.shape
    if rows not in (1, m) or cols not in (1, n):
        raise ValueError(f"M has shape {M.shape}, which does not broadcast to {A.shape} of A")

    def matmat(X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(A @ X - M @ (X if cols == n else X.sum(axis=0, keepdims=True)))

    def rmatmat(Y: NDArray[Any]) -> NDArray[Any]:
        small = M.conj().T @ (Y if rows == m else Y.sum(axis=0, keepdims=True))
        return np.asarray(A.conj().T @ Y - small)

    return LinearOperator(
        A.shape,
        matvec=lambda x: matmat(x.reshape(n, -1)),
        rmatvec=lambda y: rmatmat(y.reshape(m, -1)),
        matmat=matmat,
        rmatmat=rmatmat,
        dtype=np.result_type(A.dtype, M.dtype),
    )


def _as_tensors(U: NDArray[Any], S: NDArray[Any], V: NDArray[Any]) -> _Tensors:
    U, S, V = (torch.from_numpy(np.ascontiguousarray(part)) for part in (U, S, V))
    return U, S, V
