"""Optimal designs, greedily: the next row is the one that improves a criterion of the subset most.

With ``M = (sum_S g g^T + ridge)^{-1}`` and the leverage ``h_i = g_i^T M g_i`` a row changes the criteria by

    A: ``|M g|^2 / (1 + h)``,  V: ``g^T M Sigma M g / (1 + h)``,  D: ``log(1 + h)``,  T: ``|g|^2``,

and E is taken by the smoothed potential ``tr M^p``, p = 4, whose decrease is ``g^T M^{p+1} g / (1 + h)`` to
first order. When a row comes or goes, M changes by Sherman and Morrison's formula, and the leverages and
numerators of all rows by one product of them with two vectors; everything is made anew every 50 changes.
"""

from __future__ import annotations

import numpy as np

from .budget import Array, Indices, Purse
from .moments import second_moment
from .pool import Pool

CRITERIA = ("v_opt", "a_opt", "d_opt", "e_opt", "t_opt")
_REFRESH = 50


class Design:
    """Rows chosen so far and what every row would add to them."""

    def __init__(self, pool: Pool, criterion: str) -> None:
        self.G = pool.dense()
        self._criterion = criterion
        sigma = second_moment(pool.rows)
        d = self.G.shape[1]
        self._shift = max(pool.ridge, 1e-10) * float(np.trace(sigma)) / d or 1.0
        self._metric = sigma if criterion == "v_opt" else np.eye(d)
        self.chosen: list[int] = [int(i) for i in pool.budget.before]
        self._renew()

    def _renew(self) -> None:
        part = self.G[self.chosen]
        M = np.linalg.inv(part.T @ part + self._shift * np.eye(self.G.shape[1]))
        self._M = (M + M.T) / 2
        self._changes = 0
        Y = self.G @ self._M
        self._leverage = np.einsum("ij,ij->i", Y, self.G)
        self._numerator = np.einsum("ij,ij->i", Y @ self._metric, Y)

    def add(self, row: int) -> None:
        """Choose a row."""
        self.chosen.append(row)
        self._change(row, 1.0)

    def remove(self, row: int) -> None:
        """Give a row back."""
        self.chosen.remove(row)
        self._change(row, -1.0)

    def _change(self, row: int, sign: float) -> None:
        u = self._M @ self.G[row]
        gain = 1 + sign * float(self.G[row] @ u)
        self._changes += 1
        if self._changes >= _REFRESH or gain < 1e-8:
            self._renew()
            return
        v = self._M @ (self._metric @ u)
        along = self.G @ np.column_stack([u, v])
        part = sign * along[:, 0] / gain
        self._leverage -= part * along[:, 0]
        self._numerator += part * (part * float(u @ self._metric @ u) - 2 * along[:, 1])
        self._M -= (sign / gain) * np.outer(u, u)

    def gains(self) -> Array:
        """Improvement of the criterion that every row would bring."""
        leverage = np.maximum(self._leverage, 0.0)
        if self._criterion == "d_opt":
            return np.asarray(np.log1p(leverage))
        change = self._numerator
        if self._criterion == "e_opt":
            scaled = self._M / np.linalg.norm(self._M, 2)
            change = np.einsum(
                "ij,ij->i", self.G @ (scaled @ scaled @ scaled), self.G @ (scaled @ scaled)
            )
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
