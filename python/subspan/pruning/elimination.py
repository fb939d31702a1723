"""Greedy elimination of symmetric matrices: one recursion behind backward OBS and forward output pursuit.

Both keep a positive semidefinite H and a matrix M with a column per unit, and take a unit q out by

    u = H[:, q] / sqrt(H[q, q]),   H <- H - u u^T,   M <- M - (M[:, q] / sqrt(H[q, q])) u^T,

the score of a unit being ``|M[:, j]|^2 / H[j, j]``. Backward: ``H = S^-1`` and M the weights, the least score
leaves. Forward: H = S and ``M = W S``, the largest enters. Only ``G = M^T M`` is needed of M:

    G <- G - u v^T - v u^T,   v = G[:, q] / sqrt(H[q, q]) - (G[q, q] / (2 H[q, q])) u.

Updates are delayed: a block of them is applied by one matrix product, and only the column of the next
pivot is brought up to date before that, as in LAPACK's pstrf.
"""

from __future__ import annotations

import numpy as np

from .inputs import Array, Indices

_BLOCK = 96


def eliminate(
    H: Array, G: Array, steps: int, *, largest: bool, per_group: tuple[int, int] | None = None
) -> tuple[Indices, Array, Array]:
    """Take out `steps` units, the largest or the least score first.

    Returns the units in order, their scores when taken, and the scores that the others end with (NaN for
    those taken out). Stops early where no pivot is above rounding. ``3 m^2 steps`` flops. H and G must be
    in Fortran order; only their lower triangles are read, and they are overwritten. With
    `per_group`, (N, M), no more than N of every M consecutive units are taken.
    """
    from scipy.linalg.blas import dsyr2k, dsyrk

    state = _State(H, G, largest, per_group)
    taken: list[int] = []
    gains: list[float] = []
    while len(taken) < steps:
        width = min(_BLOCK, steps - len(taken))
        block = _Block(state)
        while len(block.taken) < width and block.take():
            pass
        taken += block.taken
        gains += block.gains
        if len(block.taken) < width:
            break
        if len(taken) < steps:
            U, V = block.U[:, :width], block.V[:, :width]
            dsyrk(-1.0, U, 1.0, H, lower=1, overwrite_c=1)
            dsyr2k(-1.0, U, V, 1.0, G, lower=1, overwrite_c=1)
    last = state.scores()
    last[taken] = np.nan
    return np.array(taken, np.int64), np.array(gains), last


class _State:
    """The diagonals of H and G, always up to date, and the matrices as of the last whole block."""

    def __init__(
        self, H: Array, G: Array, largest: bool, per_group: tuple[int, int] | None = None
    ) -> None:
        self.H, self.G = H, G
        most, self.width = per_group or (len(H), max(len(H), 1))
        self.room = np.full(len(H) // self.width, most)
        self.h, self.g = np.diagonal(H).copy(), np.diagonal(G).copy()
        self.floor = self.h * (len(H) * np.finfo(np.float64).eps)
        self.worst = -np.inf if largest else np.inf
        self.choose = np.argmax if largest else np.argmin

    def scores(self) -> Array:
        """``|M_j|^2 / H_jj``; the worst of all for units that are out or that the others determine."""
        scores = np.full(len(self.h), self.worst)
        np.divide(np.maximum(self.g, 0.0), self.h, out=scores, where=self.h > self.floor)
        scores[np.repeat(self.room == 0, self.width)] = self.worst
        return scores


class _Block:
    """Eliminations that are not yet applied to H and G."""

    def __init__(self, state: _State) -> None:
        self.state = state
        self.U, self.V = (np.empty((len(state.h), _BLOCK), order="F") for _ in range(2))
        self.taken: list[int] = []
        self.gains: list[float] = []

    def take(self) -> bool:
        """Eliminate the next unit; False if there is none with a pivot above rounding."""
        state, t = self.state, len(self.taken)
        scores = state.scores()
        q = int(state.choose(scores))
        if scores[q] == state.worst:
            return False
        U, V = self.U[:, :t], self.V[:, :t]
        pivot = state.h[q]
        u = (_column(state.H, q) - U @ U[q]) / np.sqrt(pivot)
        v = (_column(state.G, q) - U @ V[q] - V @ U[q]) / np.sqrt(pivot)
        v -= (state.g[q] / (2 * pivot)) * u
        self.U[:, t], self.V[:, t] = u, v
        state.h -= u * u
        state.g -= 2 * u * v
        state.h[q] = 0.0  # out: below every floor from now on
        state.floor[q] = 0.0
        state.room[q // state.width] -= 1
        self.taken.append(q)
        self.gains.append(float(scores[q]))
        return True


def _column(lower: Array, q: int) -> Array:
    """Column q of the symmetric matrix with this lower triangle."""
    return np.concatenate([lower[q, :q], lower[q:, q]])
