"""What moment matching is compared with, each by its definition."""

from __future__ import annotations

import numpy as np

from .. import pivot as _pivot
from .budget import Array, Indices, Purse
from .dpp import k_dpp
from .moments import eigenbasis_of, second_moment
from .pool import Pool


def uniform(pool: Pool) -> Indices:
    """Rows at random, each as likely as any other."""
    return pool.draw(np.ones(len(pool)))


def leverage(pool: Pool) -> Indices:
    """Draws in proportion to ``g_i^T (Sigma + ridge tr(Sigma) / d)^{-1} g_i``.

    Directions of rounding are left out.
    """
    return pool.draw(leverage_scores(pool, pool.ridge))


def ridge_leverage(pool: Pool) -> Indices:
    """The same with a ridge of a tenth of the mean eigenvalue unless another is given."""
    return pool.draw(leverage_scores(pool, pool.ridge or 0.1))


def truncated_leverage(pool: Pool) -> Indices:
    """Draws in proportion to the squared row norms of the leading `rank` left singular vectors."""
    rank = pool.rank or max(1, min(pool.budget.count // 2, 32))
    return pool.draw(leverage_scores(pool, 0.0, rank))


def leverage_scores(pool: Pool, ridge: float, rank: int | None = None) -> Array:
    """Up to the factor N, of all rows."""
    basis = eigenbasis_of(second_moment(pool.rows), pool.rows.eps)
    if basis.rank == 0:
        return np.ones(len(pool))
    shift = ridge * float(basis.values.sum()) / pool.rows.shape[1]
    scaled = (basis.vectors / np.sqrt(basis.values + shift))[:, :rank]
    scores = np.empty(len(pool))
    for where, tile in pool.rows.tiles():
        image = tile @ scaled
        scores[where] = np.einsum("ij,ij->i", image, image)
    return scores


def random_pivoting(pool: Pool) -> Indices:
    """Adaptive sampling: each row in proportion to what the chosen ones leave of it."""
    return _pivots(pool, "rp")


def robust_random_pivoting(pool: Pool) -> Indices:
    """Robust blockwise random pivoting."""
    return _pivots(pool, "rbrp")


def _pivots(pool: Pool, pivoting: str) -> Indices:
    """At most rank many pivots; uniform beyond them."""
    free, G = pool.unexplained()
    most = min(*G.shape, len(free) if pool.budget.costs is not None else pool.budget.count)
    found = _pivot.pivots(G, most, axis=0, pivoting=pivoting, rng=pool.generator)
    chosen = free[np.asarray(found)[:most]]
    rest = pool.generator.permutation(np.setdiff1d(free, chosen))
    return pool.budget.take_in_order(np.concatenate([chosen, rest]))


def determinantal(pool: Pool) -> Indices:
    """A determinantal point process of fixed size, given the rows that are chosen already."""
    if pool.budget.costs is not None:
        raise ValueError("method='dpp' draws a fixed number of rows and takes no costs")
    free, G = pool.unexplained()
    return free[k_dpp(G.astype(np.float64), pool.budget.count, pool.generator, pool.rows.eps)]


def herding(pool: Pool) -> Indices:
    """Next the row that brings the mean of the subset nearest to the mean of all: an argmin."""
    G, before, purse = pool.dense(), pool.budget.before, Purse(pool.budget)
    mean, squares = G.mean(axis=0), np.einsum("ij,ij->i", G, G)
    total, held = G[before].sum(axis=0), len(before)
    while True:
        target = (held + 1) * mean - total
        best = purse.best(2 * (G @ target) - squares)
        if best is None:
            return purse.rows()
        purse.take(best)
        total += G[best]
        held += 1


def k_center(pool: Pool) -> Indices:
    """Greedy k-center: next the row farthest from all chosen ones; O(N) numbers beside the rows."""
    G, purse = pool.dense(), Purse(pool.budget)
    squares = np.einsum("ij,ij->i", G, G)
    nearest = np.full(len(G), np.inf)
    for row in pool.budget.before:
        nearest = np.minimum(nearest, squares - 2 * (G @ G[row]) + squares[row])
    first = pool.generator.random(len(G))  # without a centre yet, any row
    best = purse.best(nearest if len(pool.budget.before) else first)
    while best is not None:
        purse.take(best)
        nearest = np.minimum(nearest, squares - 2 * (G @ G[best]) + squares[best])
        best = purse.best(nearest)
    return purse.rows()


def by_scores(pool: Pool) -> Indices:
    """The largest of the given scores, per unit of cost; of equal ones the first."""
    if pool.scores is None:
        raise ValueError("method='scores' needs scores, one per row of X")
    worth = pool.scores if pool.budget.costs is None else pool.scores / pool.budget.costs
    return pool.budget.take_in_order(np.argsort(-worth, kind="stable"))


BASELINES = {
    "uniform": uniform,
    "leverage": leverage,
    "ridge_leverage": ridge_leverage,
    "truncated_leverage": truncated_leverage,
    "rp": random_pivoting,
    "adaptive": random_pivoting,
    "rbrp": robust_random_pivoting,
    "dpp": determinantal,
    "herding": herding,
    "k_center": k_center,
    "scores": by_scores,
}
