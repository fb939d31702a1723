"""Pivoting by singular vectors: leverage scores, (Q-)DEIM and adaptive randomized pivoting.

Sorensen & Embree 2016 (DEIM); Drmac & Gugercin 2016 (Q-DEIM); Cortinovis & Kressner 2412.13992
and Epperly 2510.02513 (ARP).
"""

import numpy as np

from .lu import lupp
from .qr import cpqr


def leverage_scores(A, k):
    """Squared row norms (n,) of the k leading right singular vectors; they sum to k."""
    Vh = np.linalg.svd(A, full_matrices=False)[2]
    return np.sum(np.abs(Vh[:k]) ** 2, axis=0)


def deim(V):
    """DEIM indices of V (n, k): the pivots of LU with partial pivoting."""
    return lupp(V)[0][: V.shape[1]]


def qdeim(V):
    """Q-DEIM indices of V (n, k): the pivots of CPQR of ``V^H``."""
    return cpqr(V.conj().T, V.shape[1])[0]


def arp(Q, uniforms):
    """k rows of an orthonormal Q (n, k) with ``P(S) = |det Q[S]|^2``, from k uniforms.

    Row by row, with probability proportional to the squared norm of its part orthogonal to
    the rows chosen before (the sampler of a projection determinantal point process).
    """
    E = np.array(Q)
    S = []
    for u in uniforms:
        d = np.linalg.norm(E, axis=1) ** 2
        d[S] = 0
        cumulative = np.cumsum(d)
        S.append(int(np.searchsorted(cumulative, u * cumulative[-1], side="right")))
        v = E[S[-1]].conj() / np.linalg.norm(E[S[-1]])
        E = E - np.outer(E @ v, v.conj())
    return np.array(S)


def arp_coefficients(Q, S):
    """W (k, n) with ``Q^H = Q[S]^H W``: exact if the rows of A lie in the range of Q."""
    return np.linalg.solve(Q[S].conj().T, Q.conj().T)
