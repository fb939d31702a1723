"""Moment matching: weights of the rows under which no direction is covered too little.

With ``t_j = lambda_j / c`` and ``(A s)_j = sum_i s_i (v_j^T g_i)^2``, minimise

    ``F(s) = 1/2 sum_j w_j (t_j - (A s)_j)_+^2``   over   ``0 <= s_i <= 1/n, sum s = 1``.

The linear function ``g^T s`` is largest, over these s, at 1/n on the n largest entries of g. That makes
both the Frank-Wolfe step and the dual bound cheap:

    ``F* >= r^T t - 1/2 sum_j r_j^2 / w_j - max_s (A^T r)^T s``   for every ``r >= 0``.

`Weights` holds the set of s, with costs, candidates and rows that are chosen already.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from .budget import Array, Budget, Indices
from .moments import Eigenbasis, moments_of, scores_of
from .rows import Rows


@dataclasses.dataclass(frozen=True)
class Matched:
    """Weights, the objective that they reach, and a bound that no weights go below."""

    weights: Array
    objective: float
    dual: float
    passes: int
    history: tuple[tuple[float, float], ...]  # objective and dual bound of every iteration


@dataclasses.dataclass(frozen=True)
class Weights:
    """The weights that a budget allows: ``0 <= s_i <= cap``, of cost at most `total`.

    With n rows to choose and b chosen already the cap is ``1 / (n + b)``. Rows chosen already are at
    the cap, and rows that are no candidates at 0 or there.
    """

    budget: Budget

    @property
    def cap(self) -> float:
        """Weight of a row that is chosen for certain."""
        return 1 / self.budget.size

    def start(self) -> Array:
        """Equal weights of all candidates."""
        price, free = self.budget.price(), self.budget.free
        return self._with_before(np.where(free, self.cap * self._total / price[free].sum(), 0.0))

    def vertex(self, scores: Array) -> Array:
        """The weights of largest ``scores^T s``: rows by score per cost until the budget is spent."""
        weights = np.zeros(len(scores))
        worth = np.where(self.budget.free, scores / self.budget.price(), -np.inf)
        if self.budget.costs is None:
            weights[largest(worth, self.budget.count)] = self.cap
            return self._with_before(weights)
        order = np.argsort(-worth, kind="stable")
        price = self.budget.costs[order]
        share = np.clip((self._total - (np.cumsum(price) - price)) / price, 0, 1)
        weights[order] = self.cap * share
        return self._with_before(weights * self.budget.free)

    def project(self, point: Array) -> Array:
        """Nearest weights: ``clip(point - tau cost, 0, cap)``, with tau such that the budget is spent.

        The cost is piecewise linear in tau, with kinks where an entry meets 0 or the cap.
        """
        free, cap = self.budget.free, self.cap
        p, price = point[free], self.budget.price()[free]
        kinks = np.sort(np.concatenate([p / price, (p - cap) / price]))
        budget = cap * self._total

        def cost(tau: float) -> float:
            return float(price @ np.clip(p - tau * price, 0, cap))

        low, high = 0, len(kinks) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if cost(kinks[middle]) > budget else (low, middle)
        a, b = cost(kinks[low]), cost(kinks[high])
        tau = kinks[low]
        if a > b:
            tau += (a - budget) / (a - b) * (kinks[high] - kinks[low])
        weights = np.zeros(len(point))
        weights[free] = np.clip(p - tau * price, 0, cap)
        return self._with_before(weights)

    @property
    def _total(self) -> float:
        return self.budget.total

    def _with_before(self, weights: Array) -> Array:
        weights[self.budget.before] = self.cap
        return weights


@dataclasses.dataclass(frozen=True)
class Problem:
    """The targets, their weights in the objective, and the weights of rows to choose from."""

    basis: Eigenbasis
    targets: Array
    importance: Array
    weights: Weights

    def objective(self, moments: Array) -> float:
        """Value of F for given ``A s``."""
        return 0.5 * float(self.importance @ np.maximum(self.targets - moments, 0) ** 2)

    def multipliers(self, moments: Array) -> Array:
        """``w (t - A s)_+``, minus the gradient with respect to ``A s``."""
        return np.asarray(self.importance * np.maximum(self.targets - moments, 0))

    def dual(self, multipliers: Array, most: float) -> float:
        """Lower bound of the least objective; `most` is the largest ``(A^T r)^T s``."""
        quadratic = 0.5 * float((multipliers**2 / self.importance).sum())
        return float(multipliers @ self.targets) - quadratic - most


def frank_wolfe(
    rows: Rows,
    problem: Problem,
    tolerance: float,
    iterations: int,
    poll: Callable[[], None] | None,
) -> Matched:
    """Frank-Wolfe with exact line search: one pass over the rows per step, O(m) numbers beside s."""
    weights = problem.weights.start()
    moments = moments_of(rows, problem.basis, weights)
    best, dual, history, passes = problem.objective(moments), 0.0, [], 1
    enough = tolerance * best
    for _ in range(iterations):
        if poll is not None:
            poll()
        if best <= 0:
            break
        multipliers = problem.multipliers(moments)
        scores = scores_of(rows, problem.basis, multipliers)
        passes += 1
        vertex = problem.weights.vertex(scores)
        dual = max(dual, problem.dual(multipliers, float(scores @ vertex)))
        history.append((best, dual))
        if best - dual <= enough:
            break
        direction = moments_of(rows, problem.basis, vertex) - moments
        length = line_search(problem, moments, direction)
        if length == 0:
            break
        weights += length * (vertex - weights)
        moments = moments + length * direction
        best = problem.objective(moments)
    return Matched(weights, best, min(dual, best), passes, tuple(history))


def largest(scores: Array, count: int) -> Indices:
    """Indices of the largest scores, ascending; of equal ones the first."""
    least = np.partition(scores, len(scores) - count)[len(scores) - count]
    above = np.flatnonzero(scores > least)
    equal = np.flatnonzero(scores == least)[: count - len(above)]
    return np.sort(np.concatenate([above, equal]))


def line_search(problem: Problem, moments: Array, direction: Array) -> float:
    """Least step in [0, 1] that minimises the piecewise quadratic ``F(s + step d)`` exactly.

    Where F is flat, longer steps would only leave even weights farther behind. Its derivative increases
    and is linear between the steps where a target is just met.
    """
    short = problem.targets - moments

    def slope(step: float) -> float:
        return -float((problem.importance * direction) @ np.maximum(short - step * direction, 0))

    if slope(0.0) >= 0:
        return 0.0
    if slope(1.0) < 0:
        return 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        kinks = short / direction
    kinks = np.unique(np.concatenate([[0.0], kinks[(kinks > 0) & (kinks < 1)], [1.0]]))
    low, high = 0, len(kinks) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if slope(kinks[middle]) < 0 else (low, middle)
    a, b = slope(kinks[low]), slope(kinks[high])
    return float(kinks[low] - a * (kinks[high] - kinks[low]) / (b - a)) if b > a else kinks[low]


def fista(
    rows: Rows,
    problem: Problem,
    tolerance: float,
    iterations: int,
    poll: Callable[[], None] | None,
) -> Matched:
    """Accelerated projected gradient with restarts, for candidates that fit in memory N times m."""
    vectors = problem.basis.vectors.astype(rows.dtype)
    squares = np.concatenate([(tile @ vectors) ** 2 for _, tile in rows.tiles()]).astype(np.float64)
    # Scaled so that the objective is 1/2 |(t - A s)_+|^2.
    scale = np.sqrt(problem.importance)
    A, targets = squares * scale, problem.targets * scale
    step = 1 / _largest_eigenvalue(A)
    weights = previous = problem.weights.start()
    momentum = 1.0
    best_weights, best, dual = weights, problem.objective(squares.T @ weights), 0.0
    history, enough = [], tolerance * best
    for iteration in range(iterations):
        if poll is not None:
            poll()
        if best <= 0:
            break
        ahead = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        point = weights + (momentum - 1) / ahead * (weights - previous)
        gradient = -A @ np.maximum(targets - A.T @ point, 0)
        following = problem.weights.project(point - step * gradient)
        if gradient @ (following - weights) > 0:  # the momentum points uphill: begin anew
            ahead, following = 1.0, weights
        previous, weights, momentum = weights, following, ahead
        value = problem.objective(squares.T @ weights)
        if value < best:
            best_weights, best = weights, value
        if iteration % 10 == 9 or iteration == iterations - 1:
            multipliers = problem.multipliers(squares.T @ weights)
            scores = squares @ multipliers
            most = float(scores @ problem.weights.vertex(scores))
            dual = max(dual, problem.dual(multipliers, most))
            history.append((best, dual))
            if best - dual <= enough:
                break
    return Matched(best_weights, best, min(dual, best), 1, tuple(history))


def _largest_eigenvalue(A: Array) -> float:
    """``||A||_2^2``, a little above by power iteration on the smaller side."""
    return float(np.linalg.eigvalsh(A.T @ A)[-1]) * (1 + 1e-10)
