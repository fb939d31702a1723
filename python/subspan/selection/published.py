"""Moment matching as the authors' code does it, to reproduce their figures.

Adam on the weights and on slack multipliers gamma of ``(A s)_j - gamma_j lambda_j``, ``gamma_j >= 1 / c``.
"adam": the notebook of the synthetic experiments; entries are clipped to [0, 1/n] and divided by their sum.
"adam_simplex": that of the sweeps on images; projection on the simplex without the cap, moments from the
*squares* of the weights, a norm and not its square, and a penalty on the norm of s. "adam_softmax": the
regression code; s is a softmax of what is optimised. None of them has a bound to stop at.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .budget import Array
from .matching import Matched, Problem
from .rows import Rows

Poll = Callable[[], None] | None


class Adam:
    """Kingma and Ba's step, 2015, with their default moments."""

    def __init__(self, rate: float) -> None:
        self._rate, self._step = rate, 0
        self._mean: Array | float = 0.0
        self._square: Array | float = 0.0

    def __call__(self, gradient: Array) -> Array:
        """Return the change of the variables."""
        self._step += 1
        self._mean = 0.9 * self._mean + 0.1 * gradient
        self._square = 0.999 * self._square + 0.001 * gradient**2
        mean = self._mean / (1 - 0.9**self._step)
        return np.asarray(
            -self._rate * mean / (np.sqrt(self._square / (1 - 0.999**self._step)) + 1e-8)
        )


def adam(
    rows: Rows, problem: Problem, iterations: int, generator: np.random.Generator, poll: Poll
) -> Matched:
    """The notebook's loop: rate 1e-5, weights 1/n on n random rows at first, the best ones kept."""
    A, least, scale = _squares(rows, problem), _least_slack(problem), problem.basis.values
    count, N = problem.weights.budget.count, len(rows)
    s = np.zeros(N)
    s[generator.choice(N, count, replace=False)] = 1 / count
    gamma = np.maximum(least + generator.random(len(scale)) * (1 - least), least)
    step_s, step_gamma = Adam(1e-5), Adam(1e-5)
    best, least_value = s, np.inf
    for _ in range(iterations):
        _poll(poll)
        left = A.T @ s - gamma * scale
        if left @ left < least_value:
            best, least_value = s, float(left @ left)
        s = np.clip(s + step_s(2 * (A @ left)), 0, 1 / count)
        s = s / s.sum()
        gamma = np.maximum(gamma + step_gamma(-2 * scale * left), least)
    return _matched(A, problem, best, iterations)


def adam_simplex(
    rows: Rows, problem: Problem, iterations: int, generator: np.random.Generator, poll: Poll
) -> Matched:
    """The loop of the image experiments: rate 1e-2, penalty 1e-3 / |s|, the simplex without a cap."""
    A, least, scale = _squares(rows, problem), _least_slack(problem), problem.basis.values
    count, N = problem.weights.budget.count, len(rows)
    s = np.zeros(N)
    s[generator.choice(N, count, replace=False)] = 1 / count
    gamma = np.full(len(scale), least)
    step_s, step_gamma = Adam(1e-2), Adam(1e-2)
    for _ in range(iterations):
        _poll(poll)
        left = A.T @ s**2 - gamma * scale
        left = left / max(float(np.linalg.norm(left)), np.finfo(float).tiny)
        gradient = 2 * s * (A @ left) - 1e-3 * s / np.linalg.norm(s) ** 3
        s = _onto_simplex(s + step_s(gradient))
        gamma = np.maximum(gamma + step_gamma(-scale * left), least)
    return _matched(A, problem, s, iterations)


def adam_softmax(
    rows: Rows, problem: Problem, iterations: int, generator: np.random.Generator, poll: Poll
) -> Matched:
    """The loop of the regression code: rate 1e-2 on logits, decreasing gradient steps on the slack."""
    A, scale = _squares(rows, problem), problem.basis.values
    least = _least_slack(problem)
    logits, step = np.zeros(len(rows)), Adam(1e-2)
    gamma = np.maximum(generator.random(len(scale)), least)
    s = np.full(len(rows), 1 / len(rows))
    for iteration in range(iterations):
        _poll(poll)
        left = A.T @ s - gamma * scale
        along = 2 * (A @ left) - 0.1 * s / np.linalg.norm(s) ** 3
        logits = logits + step(s * (along - s @ along))
        gamma = np.maximum(gamma + 1e-4 / (iteration + 1) * 2 * scale * left, least)
        s = np.exp(logits - logits.max())
        s = s / s.sum()
    return _matched(A, problem, s, iterations)


def _least_slack(problem: Problem) -> float:
    return float(problem.targets[0] / problem.basis.values[0])


def _squares(rows: Rows, problem: Problem) -> Array:
    vectors = problem.basis.vectors
    return np.concatenate([(tile @ vectors) ** 2 for _, tile in rows.tiles()])


def _matched(A: Array, problem: Problem, s: Array, iterations: int) -> Matched:
    """The weights, at their own objective; without a bound other than 0."""
    objective = problem.objective(A.T @ s)
    return Matched(s, objective, 0.0, iterations, ((objective, 0.0),))


def _onto_simplex(point: Array) -> Array:
    """Nearest non-negative weights of sum 1."""
    ordered = np.sort(point)[::-1]
    excess = (np.cumsum(ordered) - 1) / np.arange(1, len(point) + 1)
    last = int(np.flatnonzero(ordered > excess)[-1])
    return np.asarray(np.maximum(point - excess[last], 0))


def _poll(poll: Poll) -> None:
    if poll is not None:
        poll()


PUBLISHED = {"adam": adam, "adam_simplex": adam_simplex, "adam_softmax": adam_softmax}
ITERATIONS = {"adam": 10_000, "adam_simplex": 2000, "adam_softmax": 20_000}
