"""Pivoting by residual norms: greedy, random, blockwise and with the robust filter.

CPQR is Businger & Golub 1965; RBRP is Dong, Chen, Martinsson & Pearce 2309.16002; accelerated
sampling by rejection is Epperly, Tropp & Webber 2410.03969; strong RRQR is Gu & Eisenstat 1996.
"""

import numpy as np

from .rng import exponential_race

EPS = np.finfo(np.float64).eps


def cpqr(A, k):
    """Greedy column pivoting, residual recomputed at each step: ``piv, Q, R``.

    Stops early when nothing but rounding is left.
    """
    E = np.array(A, dtype=np.result_type(A, np.float64))
    m, n = E.shape
    piv, Q, R = [], np.zeros((m, 0), E.dtype), np.zeros((0, n), E.dtype)
    for _ in range(min(k, m, n)):
        norms = np.linalg.norm(E, axis=0)
        norms[piv] = 0
        p = int(np.argmax(norms))
        if _exhausted(norms, A):
            break
        q = _orthonormalize(E[:, [p]], Q)
        r = q.conj().T @ E
        E -= q @ r
        r[0, piv] = 0
        piv, Q, R = [*piv, p], np.hstack([Q, q]), np.vstack([R, r])
    return np.array(piv, dtype=np.int64), Q, R


def robust_filter(V, tau):
    """Positions of the columns of V (m, c) that a local CPQR keeps, in pivot order.

    With ``tail(j)`` the squared norm of rows ``j, j + 1, ...`` of its R factor, the first
    ``min{j >= 1 : tail(j) < tau * tail(0)}`` pivots are kept, and all if there is no such j;
    ``tau = 0`` keeps whatever is numerically nonzero.
    """
    piv, _, R = cpqr(V, V.shape[1])
    rows = np.sum(np.abs(R) ** 2, axis=1)
    for j in range(1, piv.size):
        if np.sum(rows[j:]) < tau * np.sum(rows):
            return piv[:j]
    return piv


def gram_filter(H, tau):
    """The robust filter by pivoted Cholesky of ``H = V^H V`` (c, c)."""
    H = np.array(H)
    c = H.shape[0]
    d = H.diagonal().real.copy()
    total = np.sum(d)
    F = np.zeros((c, c), H.dtype)
    kept = []
    for j in range(c):
        p = int(np.argmax(d))
        kept.append(p)
        column = H[:, p] - F[:, :j] @ F[p, :j].conj()
        F[:, j] = column / np.sqrt(column[p].real)
        d = np.maximum(0, d - np.abs(F[:, j]) ** 2)
        d[kept] = 0
        if np.sum(d) < tau * total or np.sum(d) == 0:
            break
    return np.array(kept)


def blockwise(A, k, block, candidates, tau=None):
    """Blockwise pivoting: ``piv, Q, R, blocks``.

    ``candidates(d, c)`` returns c distinct columns given the squared residual norms; `race`
    and `greedy` make such functions. The robust filter with ``tau`` (default ``1 / block``)
    thins each block, ``tau = 0`` keeps it: RBRP and RBGP by default, BRP and BGP with zero,
    sequential random pivoting with ``block = 1``. ``blocks`` lists (proposed, accepted).
    Stops early when nothing but rounding is left.
    """
    A = np.asarray(A)
    m, n = A.shape
    tau = 1 / block if tau is None else tau
    dtype = np.result_type(A, np.float64)
    piv, Q, R, blocks = [], np.zeros((m, 0), dtype), np.zeros((0, n), dtype), []
    while len(piv) < min(k, m, n):
        E = A - Q @ R
        d = np.linalg.norm(E, axis=0) ** 2
        d[piv] = 0
        if _exhausted(np.sqrt(d), A):
            break
        J = candidates(d, min(block, k - len(piv), np.count_nonzero(d)))
        kept = robust_filter(E[:, J], tau)
        Q_new = _orthonormalize(E[:, J[kept]], Q)
        R_new = Q_new.conj().T @ A
        R_new[:, piv] = 0
        R_new[:, J[kept]] = np.triu(R_new[:, J[kept]])
        piv, Q, R = [*piv, *J[kept].tolist()], np.hstack([Q, Q_new]), np.vstack([R, R_new])
        blocks.append((J.size, kept.size))
    return np.array(piv, dtype=np.int64), Q, R, blocks


def race(rng):
    """Candidates drawn without replacement with probability proportional to ``d``."""
    return lambda d, c: exponential_race(d, rng.random(d.size), c)


def greedy(d, c):
    """Candidates with the largest ``d``."""
    return np.argsort(-d, kind="stable")[:c]


def rpqr(A, k, block, rng):
    """Sequential random pivoting by blocks with rejection: ``piv, Q, R``.

    Proposals are drawn *with* replacement from the residual norms at the start of the block;
    each is accepted with the ratio of its present to its initial squared residual norm.
    """
    A = np.asarray(A)
    m, n = A.shape
    dtype = np.result_type(A, np.float64)
    piv, Q, R = [], np.zeros((m, 0), dtype), np.zeros((0, n), dtype)
    while len(piv) < min(k, m, n):
        E = A - Q @ R
        d = np.linalg.norm(E, axis=0) ** 2
        d[piv] = 0
        if _exhausted(np.sqrt(d), A):
            break
        J = rng.choice(n, size=block, p=d / np.sum(d))
        accepted, V = [], E[:, J]
        for j in range(block):
            present = np.linalg.norm(V[:, j]) ** 2
            if len(piv) + len(accepted) < k and rng.random() * d[J[j]] < present:
                accepted.append(int(J[j]))
                q = V[:, [j]] / np.sqrt(present)
                V = V - q @ (q.conj().T @ V)
        Q_new = _orthonormalize(E[:, accepted], Q)
        R_new = Q_new.conj().T @ A
        R_new[:, piv] = 0
        R_new[:, accepted] = np.triu(R_new[:, accepted])
        piv, Q, R = [*piv, *accepted], np.hstack([Q, Q_new]), np.vstack([R, R_new])
    return np.array(piv, dtype=np.int64), Q, R


def strong_rrqr(A, k, f=2.0):
    """Strong rank-revealing QR: ``perm, R`` with ``A[:, perm] = Q R``.

    From CPQR, swaps a chosen and a left-out column while that multiplies ``|det R11|`` by more
    than `f`; on return every entry of ``R11^{-1} R12`` is at most `f` in modulus. Needs
    ``1 <= k < n`` and ``rank(A) >= k``.
    """
    n = A.shape[1]
    piv = cpqr(A, k)[0]
    perm = np.concatenate([piv, np.setdiff1d(np.arange(n), piv)])
    while True:
        R = np.linalg.qr(A[:, perm])[1]
        inverse = np.linalg.inv(R[:k, :k])
        W = inverse @ R[:k, k:]
        gamma = np.linalg.norm(R[k:, k:], axis=0)
        inverse_omega = np.linalg.norm(inverse, axis=1)
        rho = np.sqrt(np.abs(W) ** 2 + np.outer(inverse_omega, gamma) ** 2)
        i, j = np.unravel_index(np.argmax(rho), rho.shape)
        if rho[i, j] <= f:
            return perm, R
        perm[[i, k + j]] = perm[[k + j, i]]


def squared_errors(A, Q):
    """``|A - Q_i Q_i^H A|_F^2`` for the leading i = 0, ..., k columns of Q."""
    E, errors = np.array(A), [np.linalg.norm(A) ** 2]
    for q in Q.T[:, :, np.newaxis]:
        E = E - q @ (q.conj().T @ E)
        errors.append(np.linalg.norm(E) ** 2)
    return np.array(errors)


def _exhausted(norms, A):
    """Whether the residual with these column norms is rounding of A."""
    return np.linalg.norm(norms) <= np.sqrt(max(A.shape)) * 8 * EPS * np.linalg.norm(A)


def _orthonormalize(E, Q):
    """Orthonormal basis of residual columns E, orthogonal to Q, keeping their order.

    E was projected before; normalized columns are projected once more, because what rounding
    left of Q in a short column is not small beside it.
    """
    basis = np.linalg.qr(E)[0]
    return np.linalg.qr(basis - Q @ (Q.conj().T @ basis))[0]
