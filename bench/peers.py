"""What others do: SciPy's routes, and the short prototypes that a numpy user would write.

Every function takes ``(A, k, seed)`` and returns indices J and coefficients W with
``A ~ A[:, J] @ W``, or what `pair` turns into them outside the clock.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import scipy.linalg
import scipy.linalg.interpolative as sli
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import aslinearoperator


def installed(module: str, suite: str) -> bool:
    """Whether a library that is not needed is there; says so if its rows will be missing."""
    if importlib.util.find_spec(module) is not None:
        return True
    print(f"[{suite}] {module} is not installed: its rows are missing", file=sys.stderr)
    return False


def gaussian_lu(A: Any, k: int, seed: int) -> tuple[Any, Any]:
    """Gaussian sketch in numpy, LU with partial pivoting in SciPy."""
    S = np.random.default_rng(seed).standard_normal((k + 10, A.shape[0]))
    return lu_of_sketch(S @ A, k)


def csr_lu(A: Any, k: int, seed: int) -> tuple[Any, Any]:
    """Sparse-sign sketch as a CSR product, LU with partial pivoting in SciPy."""
    return lu_of_sketch(dense(sparse_sign(k + 10, A.shape[0], seed).tocsr() @ A), k)


def csc_lu(A: Any, k: int, seed: int) -> tuple[Any, Any]:
    """Sparse-sign sketch as a CSC product, LU with partial pivoting in SciPy."""
    return lu_of_sketch(dense(sparse_sign(k + 10, A.shape[0], seed) @ A), k)


def lu_of_sketch(Y: NDArray[Any], k: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Pivots of Y.T and the coefficients L21 inv(L11) of the factor."""
    row_of, L, _ = scipy.linalg.lu(Y.T, p_indices=True, check_finite=False)
    order = np.argsort(row_of)  # row order[i] of Y.T is pivot i
    W = np.empty((k, Y.shape[1]))
    W[:, order[:k]] = np.eye(k)
    W[:, order[k:]] = scipy.linalg.solve_triangular(
        L[:k, :k], L[k:, :k].T, trans="T", lower=True, unit_diagonal=True, check_finite=False
    )
    return order[:k], W


def sparse_sign(size: int, dim: int, seed: int, nnz: int = 8) -> sp.csc_array:
    """`nnz` signs per column, one in each of `nnz` groups of rows."""
    rng = np.random.default_rng(seed)
    edges = np.linspace(0, size, nnz + 1).astype(np.int32)
    rows = edges[:-1] + (rng.random((dim, nnz)) * np.diff(edges)).astype(np.int32)
    signs = rng.choice([-1.0, 1.0], size=dim * nnz) / np.sqrt(nnz)
    starts = np.arange(0, dim * nnz + 1, nnz, dtype=np.int32)
    return sp.csc_array((signs, rows.ravel(), starts), shape=(size, dim))


def scipy_random(A: Any, k: int, seed: int) -> tuple[Any, Any]:
    return sli.interp_decomp(A, k, rand=True, rng=np.random.default_rng(seed))


def scipy_deterministic(A: Any, k: int, seed: int) -> tuple[Any, Any]:
    return sli.interp_decomp(A, k, rand=False)


def scipy_operator(A: Any, k: int, seed: int) -> tuple[Any, Any]:
    """SciPy's best route: on an operator it does randomize at a fixed rank."""
    return sli.interp_decomp(aslinearoperator(A), k, rng=np.random.default_rng(seed))


def pivoted_qr(A: Any, k: int, seed: int) -> tuple[Any, Any, Any]:
    return scipy.linalg.qr(A, mode="economic", pivoting=True)


def pair(found: Any, k: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Indices and coefficients from what a contender returned."""
    if len(found) == 3:  # Q, R, permutation
        _, R, order = found
        W = np.empty((k, R.shape[1]), R.dtype)
        W[:, order] = scipy.linalg.solve_triangular(R[:k, :k], R[:k])
        return order[:k], W
    J, W = found
    if W.shape[1] == len(J) - k:  # SciPy: permutation and projection
        return J[:k], sli.reconstruct_interp_matrix(J, W)
    return J, W


def dense(Y: Any) -> NDArray[Any]:
    return np.asarray(Y.toarray() if sp.issparse(Y) else Y)


def relative_error(A: Any, J: NDArray[np.int64], W: NDArray[Any]) -> float:
    """Measure ``|A - A[:, J] @ W| / |A|`` in the Frobenius norm, in double precision."""
    W = W.astype(np.result_type(W, np.float64))
    if sp.issparse(A):  # |A|^2 - 2 Re<A, C W> + |C W|^2; cancels only for small errors
        C = A[:, J]
        norm2 = float((np.abs(A.data) ** 2).sum())
        cross = np.vdot(dense(C.conj().T @ A), W).real
        product2 = np.vdot(W, dense(C.conj().T @ C) @ W).real
        return float(np.sqrt(max(0.0, norm2 - 2 * cross + product2) / norm2))
    total = reference = 0.0
    step = max(1, 2**23 // A.shape[1])
    for start in range(0, A.shape[0], step):
        block = A[start : start + step].astype(W.dtype)
        total += float(np.linalg.norm(block - block[:, J] @ W)) ** 2
        reference += float(np.linalg.norm(block)) ** 2
    return float(np.sqrt(total / reference))
