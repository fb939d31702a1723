"""Elimination of groups of channels, such as the heads of an attention module."""

from __future__ import annotations

import numpy as np

from .damping import factor, solve
from .exceptions import SingularMoments
from .inputs import Array, Indices


def eliminate_groups(
    H: Array,
    M: Array,
    groups: list[Indices],
    steps: int,
    *,
    largest: bool,
    balance: Indices | None = None,
) -> tuple[Indices, Array, Array]:
    """Take out `steps` groups g by ``tr(M_g H_gg^-1 M_g^T)``, as `eliminate` does single units.

    With ``H = S^-1`` and M the weights, the least is the group whose loss, after the others have been
    refitted, costs least; with H = S and ``M = W S`` the largest explains most of the output. With
    `balance`, the class of every group, as many are taken of every class.
    ``O(steps m^2 |g|)`` flops.
    """
    H, M = H.copy(), M.copy()
    alive = list(range(len(groups)))
    last = np.full(len(groups), np.nan)
    taken: list[int] = []
    gains: list[float] = []
    scores = {g: _score(H, M, groups[g]) for g in alive}
    classes = np.zeros(len(groups), np.int64) if balance is None else balance
    room = np.full(int(classes.max(initial=0)) + 1, steps // (int(classes.max(initial=0)) + 1))
    for _ in range(steps):
        pick = (max if largest else min)(
            [g for g in alive if room[classes[g]]], key=lambda g: (scores[g], -g if largest else g)
        )
        room[classes[pick]] -= 1
        J = groups[pick]
        gains.append(scores[pick])
        taken.append(pick)
        alive.remove(pick)
        try:
            L = factor(H[np.ix_(J, J)], 0.0)
        except SingularMoments:
            break  # the other groups determine this one
        step = solve(L, H[J])
        M -= M[:, J] @ step
        H -= H[:, J] @ step
        scores = {g: _score(H, M, groups[g]) for g in alive}
    last[alive] = [scores[g] for g in alive]
    return np.array(taken, np.int64), np.array(gains), last


def _score(H: Array, M: Array, J: Indices) -> float:
    """``tr(M_J H_JJ^+ M_J^T)``, by the eigenvalues that are not rounding."""
    w, V = np.linalg.eigh(H[np.ix_(J, J)])
    usable = w > len(J) * np.finfo(np.float64).eps * max(float(w.max(initial=0.0)), 1e-300)
    images = M[:, J] @ V[:, usable]
    return float(((images**2).sum(0) / w[usable]).sum())
