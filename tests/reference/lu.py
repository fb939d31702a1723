"""LU with partial pivoting on a sketch: Dong & Martinsson 2104.05877, Pearce et al. 2310.09417."""

import numpy as np


def lupp(Y, *, magnitude=np.abs):
    """LU with partial (row) pivoting of Y (n, l): ``Y[perm] = L @ U``.

    L is (n, r) unit lower trapezoidal and U (r, l) upper trapezoidal, ``r = min(n, l)``.
    LAPACK measures complex pivots by `taxicab` instead of `abs`. A zero column gives a zero
    pivot and zero multipliers, as in LAPACK.
    """
    S = np.array(Y, dtype=np.result_type(Y, np.float64))
    n, r = len(S), min(S.shape)
    perm = np.arange(n)
    for j in range(r):
        p = j + np.argmax(magnitude(S[j:, j]))
        S[[j, p]] = S[[p, j]]
        perm[[j, p]] = perm[[p, j]]
        if S[j, j] != 0:
            S[j + 1 :, j] /= S[j, j]
            S[j + 1 :, j + 1 :] -= np.outer(S[j + 1 :, j], S[j, j + 1 :])
    return perm, np.tril(S[:, :r], -1) + np.eye(n, r), np.triu(S[:r])


def taxicab(z):
    """``|Re z| + |Im z|``: the pivot size of LAPACK's complex LU."""
    return np.abs(z.real) + np.abs(z.imag)


def numerical_rank(U, n):
    """Number of pivots greater than ``n * eps * max |pivot|``."""
    pivots = np.abs(np.diagonal(U))
    return int(np.sum(pivots > n * np.finfo(np.float64).eps * pivots.max(initial=0.0)))


def adaptive_lupp(sketches, threshold=0.0, k_max=None):
    """Blocked LUPP with an unbiased estimate of the squared error after each block.

    ``sketches[t] = A^H @ G_t`` (n, b_t) with G_t fresh and ``E[G_t G_t^H] = I``. Before block t
    is factored, its Schur complement is ``(A[:, rest] - A[:, chosen] @ T)^H @ G_t`` for the
    coefficients T of the rows chosen so far, so its squared Frobenius norm estimates the
    squared error. Stops when the estimate is at most `threshold`, at `k_max`, when the
    sketches run out, or when a block loses rank.

    Returns ``perm``, ``L`` (n, k) unit lower trapezoidal with respect to ``perm``, and the
    list of ``(rank, estimate)`` before each block looked at.
    """
    n = sketches[0].shape[0]
    k_max = n if k_max is None else k_max
    perm, L, history = np.arange(n), np.zeros((n, 0)), []
    for Y in sketches:
        k = L.shape[1]
        S = Y[perm]
        S = S[k:] - L[k:] @ np.linalg.solve(L[:k], S[:k])
        history.append((k, float(np.linalg.norm(S))))
        if k >= k_max or history[-1][1] <= threshold:
            break
        block = S[:, : k_max - k]
        order, L_block, U_block = lupp(block)
        r = numerical_rank(U_block, n)
        perm[k:], L[k:] = perm[k:][order], L[k:][order]
        L = np.hstack([L, np.vstack([np.zeros((k, r)), L_block[:, :r]])])
        if r < min(block.shape):
            break
    return perm, L, history
