"""Moment matching: weights of the rows under which no direction is covered too little.

With ``t_j = lambda_j / c`` and ``(A s)_j = sum_i s_i (v_j^T g_i)^2``, minimise

    ``F(s) = 1/2 sum_j w_j (t_j - (A s)_j)_+^2``   over   ``0 <= s_i <= 1/n, sum s = 1``.

The linear function ``g^T s`` is largest, over these s, at 1/n on the n largest entries of g. That makes
both the Frank-Wolfe step and the dual bound cheap:

    ``F* >= r^T t - 1/2 sum_j r_j^2 / w_j - mean of the n largest of A^T r``   for every ``r >= 0``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .moments import Array, Spectrum, moments_of, scores_of
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
class Problem:
    """The targets and their weights in the objective."""

    spectrum: Spectrum
    targets: Array
    importance: Array
    count: int  # n

    def objective(self, moments: Array) -> float:
        """Value of F for given ``A s``."""
        return 0.5 * float(self.importance @ np.maximum(self.targets - moments, 0) ** 2)

    def multipliers(self, moments: Array) -> Array:
        """``w (t - A s)_+``, minus the gradient with respect to ``A s``."""
        return np.asarray(self.importance * np.maximum(self.targets - moments, 0))

    def dual(self, multipliers: Array, scores: Array) -> float:
        """Lower bound of the least objective."""
        largest = np.partition(scores, len(scores) - self.count)[len(scores) - self.count :]
        quadratic = 0.5 * float((multipliers**2 / self.importance).sum())
        return float(multipliers @ self.targets) - quadratic - float(largest.mean())


def frank_wolfe(
    rows: Rows,
    problem: Problem,
    start: Array,
    tolerance: float,
    iterations: int,
    poll: Callable[[], None] | None,
) -> Matched:
    """Frank-Wolfe with exact line search: one pass over the rows per step, O(m) numbers beside s."""
    weights, moments = start.copy(), moments_of(rows, problem.spectrum, start)
    best, dual, history, passes = problem.objective(moments), 0.0, [], 1
    enough = tolerance * best
    for _ in range(iterations):
        if poll is not None:
            poll()
        if best <= 0:
            break
        multipliers = problem.multipliers(moments)
        scores = scores_of(rows, problem.spectrum, multipliers)
        passes += 1
        dual = max(dual, problem.dual(multipliers, scores))
        history.append((best, dual))
        if best - dual <= enough:
            break
        vertex = top(scores, problem.count)
        corner = np.zeros(len(rows))
        corner[vertex] = 1 / problem.count
        direction = moments_of(rows, problem.spectrum, corner) - moments
        length = line_search(problem, moments, direction)
        if length == 0:
            break
        weights *= 1 - length
        weights[vertex] += length / problem.count
        moments = moments + length * direction
        best = problem.objective(moments)
    return Matched(weights, best, min(dual, best), passes, tuple(history))


def top(scores: Array, count: int) -> NDArray[np.int64]:
    """Indices of the largest scores; of equal ones the first."""
    order = np.argsort(-scores, kind="stable")
    return np.asarray(np.sort(order[:count]))


def line_search(problem: Problem, moments: Array, direction: Array) -> float:
    """Step in [0, 1] that minimises the piecewise quadratic ``F(s + step d)`` exactly.

    Its derivative increases and is linear between the steps where a target is just met.
    """
    short = problem.targets - moments

    def slope(step: float) -> float:
        return -float((problem.importance * direction) @ np.maximum(short - step * direction, 0))

    if slope(0.0) >= 0:
        return 0.0
    if slope(1.0) <= 0:
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
    start: Array,
    tolerance: float,
    iterations: int,
    poll: Callable[[], None] | None,
) -> Matched:
    """Accelerated projected gradient with restarts, for candidates that fit in memory N times m."""
    vectors = problem.spectrum.vectors.astype(rows.dtype)
    squares = np.concatenate([(tile @ vectors) ** 2 for _, tile in rows.tiles()]).astype(np.float64)
    # Scaled so that the objective is 1/2 |(t - A s)_+|^2.
    scale = np.sqrt(problem.importance)
    A, targets = squares * scale, problem.targets * scale
    step = 1 / _largest_eigenvalue(A)
    weights, previous, momentum = start.copy(), start.copy(), 1.0
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
        following = project(point - step * gradient, 1 / problem.count)
        if gradient @ (following - weights) > 0:  # the momentum points uphill: begin anew
            ahead, following = 1.0, weights
        previous, weights, momentum = weights, following, ahead
        value = problem.objective(squares.T @ weights)
        if value < best:
            best_weights, best = weights, value
        if iteration % 10 == 9 or iteration == iterations - 1:
            multipliers = problem.multipliers(squares.T @ weights)
            dual = max(dual, problem.dual(multipliers, squares @ multipliers))
            history.append((best, dual))
            if best - dual <= enough:
                break
    return Matched(best_weights, best, min(dual, best), 1, tuple(history))


def project(point: Array, cap: float) -> Array:
    """Nearest weights with ``0 <= s <= cap`` and sum 1: ``clip(point - tau, 0, cap)``.

    The sum is piecewise linear in tau, with kinks at the entries and at the entries minus the cap.
    """
    kinks = np.sort(np.concatenate([point, point - cap]))

    def total(tau: float) -> float:
        return float(np.clip(point - tau, 0, cap).sum())

    low, high = 0, len(kinks) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if total(kinks[middle]) > 1 else (low, middle)
    a, b = total(kinks[low]), total(kinks[high])
    tau = kinks[low] + (a - 1) / (a - b) * (kinks[high] - kinks[low]) if a > b else kinks[low]
    return np.asarray(np.clip(point - tau, 0, cap))


def _largest_eigenvalue(A: Array) -> float:
    """``||A||_2^2``, a little above by power iteration on the smaller side."""
    return float(np.linalg.eigvalsh(A.T @ A)[-1]) * (1 + 1e-10)
