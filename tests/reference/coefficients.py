"""Coefficients W (k, n) of ``A ~ A[:, piv] @ W`` for given columns."""

import numpy as np


def coefficients_from_qr(R, piv):
    """From a pivoted factor R (k, n): ``R[:, piv]^{-1} R``. Optimal if ``R = Q^H A``."""
    return _with_identity(np.linalg.solve(R[:, piv], R), piv)


def coefficients_from_lu(perm, L):
    """From LUPP of a sketch ``Y = A^H Omega``: ``W[:, perm] = (L L1^{-1})^H``, L1 (k, k) on top."""
    k = L.shape[1]
    W = np.empty((k, perm.size), L.dtype)
    W[:, perm] = np.linalg.solve(L[:k].conj().T, L.conj().T)
    return _with_identity(W, perm[:k])


def osid_coefficients(Y, piv):
    """Oversampled sketchy ID: least squares on ``Y^H = Omega^H A``, Y (n, l), ``l > k``."""
    return optimal_coefficients(Y.conj().T, piv)


def optimal_coefficients(A, piv):
    """Least squares against A: ``A[:, piv]^+ A``."""
    return _with_identity(np.linalg.lstsq(A[:, piv], A, rcond=None)[0], piv)


def _with_identity(W, piv):
    W[:, piv] = np.eye(len(piv))
    return W
