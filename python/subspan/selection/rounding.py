"""From weights to a subset: random designs with given inclusion probabilities, and the largest weights."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._progress import Progress
from ..cube import CubeSample
from .budget import Array, Budget, Indices
from .criteria import certify
from .matching import Problem
from .rows import Rows

Parts = list[tuple[Indices, Budget]]  # groups of rows, each with its own budget
_LEAF = 16  # rows of a leaf of the k-d tree
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
    """Indices in the order of the leaves of a k-d tree.

    Each part is cut where the two sides differ most along a coordinate, neither being less than an eighth:
    clusters stay whole where cuts at the median would divide them, and the tree is not deep.
    """
    coordinates = coordinates / max(float(np.abs(coordinates).max(initial=0.0)), 1e-300)
    leaves: list[Indices] = []
    stack = [np.arange(len(coordinates))]
    while stack:
        part = stack.pop()
        ranked, cut = _parted(coordinates[part])
        if len(part) <= _LEAF:
            leaves.append(part[ranked])
        else:
            stack += [part[ranked[cut:]], part[ranked[:cut]]]
    return np.concatenate(leaves)


def _parted(values: Array) -> tuple[Indices, int]:
    """Order along one coordinate and a place in it: the largest sum of squares between two sides."""
    size = len(values)
    if size < 2 or values.shape[1] == 0:
        return np.arange(size), size
    order = np.argsort(values, axis=0, kind="stable")
    ascending = np.take_along_axis(values, order, axis=0)
    sums = np.cumsum(ascending - ascending.mean(axis=0), axis=0)[:-1]
    left = np.arange(1.0, size)[:, None]
    between = (sums**2 / (left * (size - left)))[size // 8 : size - 1 - size // 8]
    cut, axis = np.unravel_index(int(np.argmax(between)), between.shape)
    return order[:, axis], size // 8 + int(cut) + 1


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


RANDOM = ("cube", "systematic", "pivotal")
ROUNDINGS = (*RANDOM, "top", "successive")


class Rounding:
    """From weights to rows: within every group, the best of several draws."""

    def __init__(
        self, rows: Rows, problem: Problem, weights: Array, method: str, parts: Parts
    ) -> None:
        self._rows, self._problem, self._weights = rows, problem, weights
        self._method, self._parts = method, parts
        self._budget = problem.weights.budget
        self.probabilities: Array | None = None
        if method in RANDOM:
            self.probabilities = np.zeros(len(rows))
            for members, budget in parts:
                found = inclusion_probabilities(weights[members], budget, problem.weights.cap)
                self.probabilities[members] = found

    def best_of(self, restarts: int, generator: np.random.Generator, work: Progress) -> Indices:
        """The draw of least moment error among so many."""
        generators = generator.spawn(1 if self._method == "top" else restarts)
        if self._method == "cube":
            draws = self._by_cube(generators, work)
        else:
            draws = [self._by_parts(own) for own in generators]
        return draws[0] if len(draws) == 1 else min(draws, key=self._moment_error)

    def _moment_error(self, chosen: Indices) -> float:
        subset = np.concatenate([self._budget.before, chosen])
        basis = self._problem.basis
        return certify(self._rows, basis, subset, None, 0.0, None, 0, None).moment_error

    def _by_cube(self, generators: list[np.random.Generator], work: Progress) -> list[Indices]:
        """One reading of the rows for all draws, which fly side by side."""
        assert self.probabilities is not None
        groups = np.zeros(len(self._rows), np.int64)
        for number, (members, _) in enumerate(self._parts):
            groups[members] = number
        coordinates = self._coordinates()
        samples = [
            CubeSample(
                self.probabilities, 2 * coordinates.shape[1], own, self._budget.costs, groups
            )
            for own in generators
        ]
        with ThreadPoolExecutor(min(len(samples), os.cpu_count() or 1)) as threads:
            for where, tile in self._rows.tiles():
                if work.poll is not None:
                    work.poll()
                image = (tile @ coordinates).astype(np.float64)
                balance = np.concatenate([image, image**2], axis=1)
                units = np.arange(where.start, where.stop)
                list(threads.map(lambda s, u=units, b=balance: s.enter(u, b), samples))
        return [self._affordable(s.land(), own) for s, own in zip(samples, generators, strict=True)]

    def _by_parts(self, generator: np.random.Generator) -> Indices:
        chosen = []
        for members, budget in self._parts:
            weights = self._weights[members]
            if self._method == "top":
                found = top(weights, budget)
            elif self._method == "successive":
                found = successive(weights, budget, generator)
            else:
                assert self.probabilities is not None
                pi = self.probabilities[members]
                if self._method == "pivotal":
                    found = pivotal(pi, generator)
                else:
                    found = systematic(pi, self._leading(8)[members], generator)
            chosen.append(members[found])
        found = np.sort(np.concatenate(chosen))
        return self._affordable(found, generator) if self._method in RANDOM else found

    def _affordable(self, chosen: Indices, generator: np.random.Generator) -> Indices:
        """Where costs vary the last rows may not fit: they are left."""
        if self._budget.costs is None:
            return chosen
        return np.sort(self._budget.take_in_order(generator.permutation(chosen)))

    def _coordinates(self) -> NDArray[Any]:
        """Directions whose coordinates, and squares of them, the cube balances.

        As many as its flight can in N steps of O(directions^2), and no more than the rows chosen can.
        """
        basis = self._problem.basis
        most = min(int(np.sqrt(_FLIGHT / len(self._rows))) // 2, self._budget.count // 2)
        most = max(8, most)
        leading = basis.vectors[:, :most] / np.sqrt(basis.values[:most])
        return np.asarray(leading, self._rows.dtype)

    def _leading(self, count: int) -> Array:
        """Coordinates of all rows along the leading directions."""
        vectors = self._problem.basis.vectors[:, :count].astype(self._rows.dtype)
        return np.concatenate([tile @ vectors for _, tile in self._rows.tiles()]).astype(np.float64)
