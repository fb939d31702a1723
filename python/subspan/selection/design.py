"""Optimal designs, greedily: the next row is the one that improves a criterion of the subset most.

With ``M = (sum_S g g^T + ridge)^{-1}`` and the leverage ``h_i = g_i^T M g_i`` a row changes the criteria by

    A: ``|M g|^2 / (1 + h)``,  V: ``g^T M Sigma M g / (1 + h)``,  D: ``log(1 + h)``,  T: ``|g|^2``,

and E is taken by the smoothed potential ``tr M^p``, p = 4, whose decrease is ``g^T M^{p+1} g / (1 + h)`` to
first order. Without a ridge all but T are infinite until the subset spans the rows; until then the volume
that it spans is what grows, as in pivoted QR. Rows are taken in coordinates in which Sigma is the
identity, so that M is well conditioned.
"""

from __future__ import annotations

import numpy as np

from .budget import Array, Indices, Purse
from .moments import eigenbasis_of, second_moment
from .pool import Pool

CRITERIA = ("v_opt", "a_opt", "d_opt", "e_opt", "t_opt")
_REFRESH = 50  # changes of M by Sherman and Morrison's formula, after which it is made anew
_SPANNED = 1e-10  # of the largest eigenvalue of the chosen rows


class Design:
    """Rows chosen so far and what every row would add to them."""

    def __init__(self, pool: Pool, criterion: str) -> None:
        basis = eigenbasis_of(second_moment(pool.rows), pool.rows.eps)
        self._criterion, self._scale = criterion, np.sqrt(basis.values)
        self.Z = pool.dense() @ (basis.vectors / self._scale)
        mean = float(basis.values.sum()) / pool.rows.shape[1]
        self._ridge = pool.ridge * mean / basis.values
        # Sigma is the identity here; what is one in the coordinates of the rows is 1 / Sigma.
        self._metric = 1 / basis.values if criterion == "a_opt" else np.ones(basis.rank)
        self.chosen: list[int] = [int(i) for i in pool.budget.before]
        self._renew()

    def _renew(self) -> None:
        part = self.Z[self.chosen]
        values, vectors = np.linalg.eigh(part.T @ part + np.diag(self._ridge))
        spanned = values > _SPANNED * max(float(values[-1]), 1.0) if len(values) else values > 0
        self._spanning = bool(spanned.all())
        self._changes = 0
        if not self._spanning:
            self._Q = vectors[:, spanned]
            self._left = np.square(self.Z - (self.Z @ self._Q) @ self._Q.T).sum(axis=1)
            return
        self._M = (vectors / values) @ vectors.T
        Y = self.Z @ self._M
        self._leverage = np.einsum("ij,ij->i", Y, self.Z)
        self._numerator = np.einsum("ij,ij->i", Y * self._metric, Y)

    def add(self, row: int) -> None:
        """Choose a row."""
        self.chosen.append(row)
        if self._spanning:
            self._change(row, 1.0)
        else:
            self._extend(row)

    def remove(self, row: int) -> None:
        """Give a row back."""
        self.chosen.remove(row)
        if self._spanning:
            self._change(row, -1.0)
        else:
            self._renew()

    def _extend(self, row: int) -> None:
        """One more direction is spanned."""
        q = self.Z[row].copy()
        for _ in range(2):  # twice is enough
            q -= self._Q @ (self._Q.T @ q)
        length = float(np.linalg.norm(q))
        if length**2 > _SPANNED:
            q /= length
            self._left = np.maximum(self._left - (self.Z @ q) ** 2, 0.0)
            self._Q = np.column_stack([self._Q, q])
        if self._Q.shape[1] == len(self._scale):
            self._renew()

    def _change(self, row: int, sign: float) -> None:
        u = self._M @ self.Z[row]
        gain = 1 + sign * float(self.Z[row] @ u)
        self._changes += 1
        if self._changes >= _REFRESH or gain < 1e-8:
            self._renew()
            return
        v = self._M @ (self._metric * u)
        along = self.Z @ np.column_stack([u, v])
        part = sign * along[:, 0] / gain
        self._leverage -= part * along[:, 0]
        self._numerator += part * (part * float(u @ (self._metric * u)) - 2 * along[:, 1])
        self._M -= (sign / gain) * np.outer(u, u)

    def gains(self) -> Array:
        """Improvement that every row would bring: of the volume until the rows span, then as asked."""
        if not self._spanning:
            return np.asarray(self._left)
        leverage = np.maximum(self._leverage, 0.0)
        if self._criterion == "d_opt":
            return np.asarray(np.log1p(leverage))
        change = self._numerator
        if self._criterion == "e_opt":
            M = self._M / self._scale / self._scale[:, None]  # in the coordinates of the rows
            M /= np.linalg.norm(M, 2)
            G = self.Z * self._scale
            change = np.einsum("ij,ij->i", G @ (M @ M @ M), G @ (M @ M))
        return np.asarray(np.maximum(change, 0.0) / (1 + leverage))


def greedy_design(pool: Pool, criterion: str) -> Indices:
    """Choose rows one by one, each for the largest gain per unit of cost."""
    purse = Purse(pool.budget)
    if criterion == "t_opt":
        G = pool.dense()
        squares = np.einsum("ij,ij->i", G, G)
        while (best := purse.best_for_its_cost(squares)) is not None:
            purse.take(best)
        return purse.rows()
    design = Design(pool, criterion)
    while (best := purse.best_for_its_cost(design.gains())) is not None:
        purse.take(best)
        design.add(best)
    return purse.rows()


def exchange(pool: Pool, chosen: Indices, criterion: str, sweeps: int) -> Indices:
    """Fedorov's exchange: swap a chosen row for the one that improves the criterion most, while any does.

    Each sweep tries every chosen row once, at the cost of two greedy picks. With costs, a row is swapped
    for one that is no dearer.
    """
    design = Design(pool, criterion)
    for row in chosen:
        design.add(int(row))
    price, free = pool.budget.price(), pool.budget.free.copy()
    free[chosen] = False
    S = [int(row) for row in chosen]
    for _ in range(sweeps):
        swapped = False
        for place, row in enumerate(S):
            design.remove(row)
            gains = design.gains()
            best = int(np.argmax(np.where(free & (price <= price[row]), gains, -np.inf)))
            if free[best] and gains[best] > gains[row] * (1 + 1e-9):
                free[row], free[best] = True, False
                S[place], swapped = best, True
            design.add(S[place])
        if not swapped:
            break
    return np.array(S, np.int64)
