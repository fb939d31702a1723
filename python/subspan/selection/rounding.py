"""From weights to a subset: random designs with given inclusion probabilities, and the largest weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cube import cube

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def inclusion_probabilities(weights: Array, count: int) -> Array:
    """``min(n s, 1)``, the others enlarged until the sum is n."""
    pi = np.minimum(count * np.asarray(weights, np.float64), 1.0)
    for _ in range(100):
        free = pi < 1
        missing = count - (len(pi) - np.count_nonzero(free)) - pi[free].sum()
        if abs(missing) <= 1e-12 * count or not free.any():
            break
        total = pi[free].sum()
        if total <= 0:
            raise ValueError(
                f"only {len(pi) - np.count_nonzero(free)} weights are positive, n={count}"
            )
        pi[free] = np.minimum(pi[free] * (1 + missing / total), 1.0)
    return pi


def systematic(pi: Array, coordinates: Array, generator: np.random.Generator) -> Indices:
    """One random start and equal steps along a k-d order of the coordinates: spread out in them."""
    order = kd_order(coordinates)
    ends = np.cumsum(pi[order])
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


def successive(weights: Array, count: int, generator: np.random.Generator) -> Indices:
    """Draws without replacement with probabilities proportional to the weights, as published.

    The inclusion probabilities are not ``n s``; kept for reproduction.
    """
    p = np.asarray(weights, np.float64) / np.sum(weights)
    if np.count_nonzero(p) < count:
        raise ValueError(f"only {np.count_nonzero(p)} weights are positive, n={count}")
    return np.sort(generator.choice(len(p), count, replace=False, p=p))


def largest(weights: Array, count: int) -> Indices:
    """The largest weights; of equal ones the first."""
    order = np.argsort(-np.asarray(weights), kind="stable")
    return np.sort(order[:count])


def round_weights(
    method: str,
    weights: Array,
    count: int,
    balance: Callable[[], Array],
    generator: np.random.Generator,
    poll: Any = None,
) -> Indices:
    """Choose `count` units by one of the methods above."""
    if method == "top":
        return largest(weights, count)
    if method == "successive":
        return successive(weights, count, generator)
    pi = inclusion_probabilities(weights, count)
    if method == "pivotal":
        return pivotal(pi, generator)
    if method == "systematic":
        return systematic(pi, balance()[:, :8], generator)
    return cube(pi, balance(), generator, poll)


ROUNDINGS = ("cube", "systematic", "pivotal", "top", "successive")
