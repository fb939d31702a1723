"""Matrix products by SciPy's BLAS, which also factors and solves here.

NumPy's wheels bring another copy. Products of one between solutions of the other leave the threads of each
spinning on the cores of the other.
"""

from __future__ import annotations

import numpy as np

from .inputs import Array


def product(A: Array, B: Array) -> Array:
    """``A B``, stored by rows."""
    from scipy.linalg.blas import dgemm

    if not (A.size and B.size):
        return A @ B
    # (A B)^T = B^T A^T is stored by columns, as BLAS does; a factor is read as it lies.
    right, left = _by_columns(B.T), _by_columns(A.T)
    return np.asarray(dgemm(1.0, right[0], left[0], trans_a=right[1], trans_b=left[1])).T


def apply(A: Array, x: Array) -> Array:
    """``A x``."""
    return product(A, x[:, None])[:, 0]


def inner(A: Array, B: Array) -> float:
    """``tr(A B^T)``, without a BLAS: NumPy's would share it among threads."""
    return float(np.einsum("ij,ij->", A, B))


def lower_gram(W: Array) -> Array:
    """Lower triangle of ``W^T W``, in Fortran order; the upper one is zero."""
    from scipy.linalg.blas import dsyrk

    if not W.size:
        return np.zeros((W.shape[1],) * 2, order="F")
    return np.asarray(dsyrk(1.0, W.T, lower=1))


def _by_columns(X: Array) -> tuple[Array, bool]:
    """A matrix stored by columns, and whether X is its transpose."""
    return (X, False) if X.flags.f_contiguous else (X.T, True)
