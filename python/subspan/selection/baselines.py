"""What moment matching is compared with, each by its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import pivot as _pivot
from .dpp import k_dpp
from .moments import second_moment, spectrum_of
from .rows import Rows, proportional

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def uniform(rows: Rows, count: int, generator: np.random.Generator, **_: Any) -> Indices:
    """Rows at random, each as likely as any other."""
    return generator.choice(len(rows), count, replace=False)


def stratified(
    rows: Rows, count: int, generator: np.random.Generator, *, labels: Any = None, **_: Any
) -> Indices:
    """Uniform within each label, in proportion to its size, largest remainders first."""
    if labels is None:
        raise ValueError("method='stratified' needs labels")
    given = np.asarray(labels)
    if given.shape != (len(rows),):
        raise ValueError(f"labels has shape {given.shape}; expected ({len(rows)},)")
    names, group = np.unique(given, return_inverse=True)
    quota = proportional(group, count)
    parts = [
        generator.choice(np.flatnonzero(group == j), quota[j], replace=False)
        for j in range(len(names))
    ]
    return np.concatenate(parts)


def leverage(
    rows: Rows, count: int, generator: np.random.Generator, *, ridge: float = 0.0, **_: Any
) -> Indices:
    """Draws without replacement in proportion to the (ridge) leverage scores.

    ``g_i^T (Sigma + ridge tr(Sigma) / d)^{-1} g_i``; directions of rounding are left out.
    """
    return _draw(_leverage_scores(rows, ridge), count, generator)


def ridge_leverage(
    rows: Rows, count: int, generator: np.random.Generator, *, ridge: float = 0.0, **_: Any
) -> Indices:
    """The same with a ridge of a tenth of the mean eigenvalue unless another is given."""
    return _draw(_leverage_scores(rows, ridge or 0.1), count, generator)


def _leverage_scores(rows: Rows, ridge: float) -> Array:
    spectrum = spectrum_of(second_moment(rows), rows.eps)
    if spectrum.rank == 0:
        return np.ones(len(rows))
    shift = ridge * float(spectrum.values.sum()) / rows.shape[1]
    scaled = spectrum.vectors / np.sqrt(spectrum.values + shift)
    scores = np.empty(len(rows))
    for where, tile in rows.tiles():
        image = tile @ scaled
        scores[where] = np.einsum("ij,ij->i", image, image)
    return scores


def _draw(scores: Array, count: int, generator: np.random.Generator) -> Indices:
    """Successive draws; rows of score zero come last, at random."""
    positive = np.flatnonzero(scores > 0)
    first = min(count, len(positive))
    p = scores[positive] / scores[positive].sum()
    drawn = positive[generator.choice(len(positive), first, replace=False, p=p)]
    rest = np.setdiff1d(np.arange(len(scores)), drawn)
    return np.concatenate([drawn, generator.choice(rest, count - first, replace=False)])


def random_pivoting(rows: Rows, count: int, generator: np.random.Generator, **_: Any) -> Indices:
    """Adaptive sampling: each row in proportion to what the chosen ones leave of it."""
    return _pivots(rows, count, generator, "rp")


def robust_random_pivoting(
    rows: Rows, count: int, generator: np.random.Generator, **_: Any
) -> Indices:
    """Robust blockwise random pivoting."""
    return _pivots(rows, count, generator, "rbrp")


def _pivots(rows: Rows, count: int, generator: np.random.Generator, pivoting: str) -> Indices:
    """At most rank many pivots; uniform beyond them."""
    most = min(count, *rows.shape)
    found = _pivot.pivots(rows.dense(), most, axis=0, pivoting=pivoting, rng=generator)
    chosen = np.asarray(found)[:most]
    rest = np.setdiff1d(np.arange(len(rows)), chosen)
    return np.concatenate([chosen, generator.choice(rest, count - len(chosen), replace=False)])


def determinantal(rows: Rows, count: int, generator: np.random.Generator, **_: Any) -> Indices:
    """A determinantal point process of fixed size."""
    return k_dpp(rows, count, generator)


def herding(rows: Rows, count: int, generator: np.random.Generator, **_: Any) -> Indices:
    """Next the row that brings the mean of the subset nearest to the mean of all: an argmin."""
    G = rows.dense().astype(np.float64)
    mean, squares = G.mean(axis=0), np.einsum("ij,ij->i", G, G)
    chosen: list[int] = []
    total, taken = np.zeros(rows.shape[1]), np.zeros(len(G), bool)
    for step in range(count):
        target = (step + 1) * mean - total
        distances = squares - 2 * (G @ target)
        distances[taken] = np.inf
        best = int(np.argmin(distances))
        chosen.append(best)
        taken[best] = True
        total += G[best]
    return np.array(chosen, np.int64)


def k_center(rows: Rows, count: int, generator: np.random.Generator, **_: Any) -> Indices:
    """Greedy k-center: next the row farthest from all chosen ones; O(N) numbers beside the rows."""
    G = rows.dense().astype(np.float64)
    squares = np.einsum("ij,ij->i", G, G)
    chosen = [int(generator.integers(len(G)))]
    nearest = np.full(len(G), np.inf)
    for _step in range(count - 1):
        last = chosen[-1]
        distance = squares - 2 * (G @ G[last]) + squares[last]
        nearest = np.minimum(nearest, np.maximum(distance, 0.0))
        nearest[chosen] = -1.0
        chosen.append(int(np.argmax(nearest)))
    return np.array(chosen, np.int64)


BASELINES = {
    "uniform": uniform,
    "stratified": stratified,
    "leverage": leverage,
    "ridge_leverage": ridge_leverage,
    "rp": random_pivoting,
    "adaptive": random_pivoting,
    "rbrp": robust_random_pivoting,
    "dpp": determinantal,
    "herding": herding,
    "k_center": k_center,
}
