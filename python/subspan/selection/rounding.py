"""From weights to a subset: random designs with given inclusion probabilities, and the largest weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._progress import Progress
from ..cube import cube
from .budget import Array, Budget, Indices
from .criteria import certify
from .matching import Problem
from .rows import Rows

Parts = list[tuple[Indices, Budget]]  # groups of rows, each with its own budget
_FLIGHT = 2e10  # products of numbers that the cube method may take: some ten seconds


def inclusion_probabilities(weights: Array, budget: Budget, cap: float) -> Array:
    """``min(s / cap, 1)`` of the candidates, scaled until they spend the budget; 0 elsewhere.

    If the rows of positive weight do not spend it, the others share what is left.
    """
    pi = np.where(budget.free, np.clip(weights / cap, 0, 1), 0.0)
    price, total = budget.price(), budget.total
    if price @ pi > total:
        pi *= total / (price @ pi)
    for _ in range(100):
        missing = total - price @ pi
        if abs(missing) <= 1e-12 * total:
            break
        free = (pi > 0) & (pi < 1)
        if free.any():
            pi[free] = np.minimum(pi[free] * (1 + missing / (price[free] @ pi[free])), 1.0)
        else:
            others = budget.free & (pi == 0)
            pi[others] = missing / price[others].sum()
    return pi


def systematic(pi: Array, coordinates: Array, generator: np.random.Generator) -> Indices:
    """One random start and equal steps along a k-d order of the coordinates: spread out in them."""
    order = kd_order(coordinates)
    ends = np.cumsum(pi[order])
    if abs(ends[-1] - round(ends[-1])) < 1e-6:  # a whole number of rows, but for rounding
        ends *= round(ends[-1]) / ends[-1]
    crossed = np.floor(ends - generator.random()) + 1
    chosen = np.diff(np.concatenate([[0.0], crossed])) > 0
    return np.sort(order[chosen])


def kd_order(coordinates: Array) -> Indices:
    """Indices in the order of the leaves of a k-d tree: split at the median of the widest coordinate."""
    leaves: list[Indices] = []
    stack = [np.arange(len(coordinates))]
    while stack:
        part = stack.pop()
        if len(part) <= 2:
            leaves.append(part)
            continue
        values = coordinates[part]
        axis = int(np.argmax(values.max(axis=0) - values.min(axis=0)))
        ranked = part[np.argsort(values[:, axis], kind="stable")]
        half = len(ranked) // 2
        stack += [ranked[half:], ranked[:half]]
    return np.concatenate(leaves) if leaves else np.zeros(0, np.int64)


def pivotal(pi: Array, generator: np.random.Generator) -> Indices:
    """Units fight in pairs, one of each pair settled at a time (Deville and Tille, 1998)."""
    state = np.array(pi, np.float64)
    held = -1
    for unit in generator.permutation(np.flatnonzero((state > 0) & (state < 1))):
        if held < 0:
            held = int(unit)
            continue
        a, b = state[held], state[unit]
        total = a + b
        if total < 1:
            wins = generator.random() * total < b
            state[held], state[unit] = (0.0, total) if wins else (total, 0.0)
        else:
            wins = generator.random() * (2 - total) < 1 - a
            state[held], state[unit] = (total - 1, 1.0) if wins else (1.0, total - 1)
        held = _still_open(state, held, int(unit))
    if held >= 0:
        state[held] = float(generator.random() < state[held])
    return np.flatnonzero(state > 0.5)


def _still_open(state: Array, a: int, b: int) -> int:
    for unit in (a, b):
        if 1e-12 < state[unit] < 1 - 1e-12:
            return unit
    return -1


def successive(weights: Array, budget: Budget, generator: np.random.Generator) -> Indices:
    """Draws without replacement with probabilities proportional to the weights, as published.

    The inclusion probabilities are not ``n s``; kept for reproduction.
    """
    p = np.where(budget.free, weights, 0.0)
    if np.count_nonzero(p) < budget.count:
        raise ValueError(
            f"only {np.count_nonzero(p)} weights are positive, {budget.count} rows are wanted"
        )
    drawn = generator.choice(len(p), np.count_nonzero(p), replace=False, p=p / p.sum())
    return np.sort(budget.take_in_order(drawn))


def top(weights: Array, budget: Budget) -> Indices:
    """The largest weights per unit of cost; of equal ones the first."""
    return np.sort(budget.take_in_order(np.argsort(-weights / budget.price(), kind="stable")))


def draw(
    method: str,
    pi: Array,
    budget: Budget,
    balance: Array | None,
    generator: np.random.Generator,
    poll: Any = None,
) -> Indices:
    """Draw rows with inclusion probabilities pi. Where costs vary the last ones may not fit and are left."""
    if method == "pivotal":
        chosen = pivotal(pi, generator)
    elif method == "systematic":
        assert balance is not None
        chosen = systematic(pi, balance[:, :8], generator)
    else:
        assert balance is not None
        chosen = cube(pi, balance, generator, poll, budget.costs)
    if budget.costs is not None:
        chosen = np.sort(budget.take_in_order(generator.permutation(chosen)))
    return chosen


RANDOM = ("cube", "systematic", "pivotal")
ROUNDINGS = (*RANDOM, "top", "successive")


class Rounding:
    """From weights to rows: within every group, the best of several draws."""

    def __init__(
        self, rows: Rows, problem: Problem, weights: Array, method: str, parts: Parts
    ) -> None:
        self._rows, self._problem, self._weights = rows, problem, weights
        self._method, self._parts = method, parts
        self.probabilities: Array | None = None
        self._balance: Array | None = None
        if method in RANDOM:
            cap = problem.weights.cap
            self.probabilities = np.zeros(len(rows))
            for members, budget in parts:
                found = inclusion_probabilities(weights[members], budget, cap)
                self.probabilities[members] = found
        if method in ("cube", "systematic"):
            self._balance = self._coordinates()

    def best_of(self, restarts: int, generator: np.random.Generator, work: Progress) -> Indices:
        """The draw of least moment error among so many."""
        if self._method == "top" or restarts == 1:
            return self._once(generator, work)
        best, least = None, np.inf
        before = self._problem.weights.budget.before
        for _ in range(restarts):
            chosen = self._once(generator, work)
            subset = np.concatenate([before, chosen])
            error = certify(self._rows, self._problem.basis, subset, None, 0.0, None, 0, None)
            if best is None or error.moment_error < least:
                best, least = chosen, error.moment_error
        assert best is not None
        return best

    def _once(self, generator: np.random.Generator, work: Progress) -> Indices:
        chosen = []
        for members, budget in self._parts:
            weights = self._weights[members]
            if self._method == "top":
                found = top(weights, budget)
            elif self._method == "successive":
                found = successive(weights, budget, generator)
            else:
                assert self.probabilities is not None
                balance = None if self._balance is None else self._balance[members]
                pi = self.probabilities[members]
                found = draw(self._method, pi, budget, balance, generator, work.poll)
            chosen.append(members[found])
        return np.sort(np.concatenate(chosen))

    def _coordinates(self) -> Array:
        """Coordinates along the leading eigenvectors and their squares.

        As many directions as the flight of the cube can balance in its N steps of O(directions^2).
        """
        basis, rows = self._problem.basis, self._rows
        most = max(8, int(np.sqrt(_FLIGHT / len(rows))) // 2)
        leading = basis.vectors[:, :most] / np.sqrt(basis.values[:most])
        image = np.concatenate([tile @ leading for _, tile in rows.tiles()]).astype(np.float64)
        return np.concatenate([image, image**2], axis=1)
