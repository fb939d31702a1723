"""The closest point with given zeros in the metric of a Hessian."""

from __future__ import annotations

import numpy as np

from .damping import factor, solve
from .inputs import Array
from .masks import Mask


def project(P: Array, H: Array, mask: Mask) -> Array:
    """Minimise ``(theta - p)^T H (theta - p)`` over theta that vanish off the mask, for every row p.

    ``theta_K = p_K + H_KK^-1 H_KS p_S`` with S the zeros: Optimal Brain Surgeon with all of S at
    once. Rows with the same mask share a factorization of order k.
    """
    out = np.zeros_like(P)
    patterns, which = np.unique(mask, axis=0, return_inverse=True)
    for number, kept in enumerate(patterns):
        rows = np.flatnonzero(which.ravel() == number)
        K, S = np.flatnonzero(kept), np.flatnonzero(~kept)
        if len(K) == 0:
            continue
        theta = P[np.ix_(rows, K)]
        if len(S):
            L = factor(H[np.ix_(K, K)], 0.0)
            theta = theta + solve(L, H[np.ix_(K, S)] @ P[np.ix_(rows, S)].T).T
        out[np.ix_(rows, K)] = theta
    return out
