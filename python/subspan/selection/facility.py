"""Facility location: chosen rows that leave every row near one of them, greedily.

With ``D`` above every distance, ``sum_i max_{j in S} (D - |g_i - g_j|)`` is monotone and submodular, so the
greedy subset reaches ``1 - 1/e`` of the best (Nemhauser, Wolsey, Fisher, 1978). On gradients this is
CRAIG (Mirzasoleiman, Bilmes, Leskovec, 2020), whose weights are the shares of rows nearest to each.
Gains only shrink, so that a gain computed earlier bounds today's: few are computed anew (Minoux, 1978).
No matrix of all pairs is kept.
"""

from __future__ import annotations

import numpy as np

from .budget import Array, Indices, Purse
from .pool import Pool
from .rows import Rows

_REFERENCES = (
    20_000  # rows whose distances are counted; beyond them a uniform sample stands for all
)
_BATCH = 64  # gains that are computed anew at a time
_TILE = 512


def facility_location(pool: Pool) -> Indices:
    """Next the row that brings the others nearest to a chosen one, in sum."""
    G, purse = pool.dense(), Purse(pool.budget)
    references = G
    if len(G) > _REFERENCES:
        references = G[np.sort(pool.generator.choice(len(G), _REFERENCES, replace=False))]
    norms = np.sqrt(np.einsum("ij,ij->i", G, G))
    nearest = np.full(len(references), 2.0 * norms.max())
    for row in pool.budget.before:
        nearest = np.minimum(nearest, distances(references, G[[row]])[:, 0])
    bounds, fresh = _gains(G, np.arange(len(G)), references, nearest), np.ones(len(G), bool)
    while (best := purse.best_for_its_cost(bounds)) is not None:
        if not fresh[best]:
            bounds, fresh = _renew(purse, bounds, fresh, G, references, nearest)
            continue
        purse.take(best)
        nearest = np.minimum(nearest, distances(references, G[[best]])[:, 0])
        fresh[:] = False
    return purse.rows()


def _renew(
    purse: Purse, bounds: Array, fresh: Indices, G: Array, references: Array, nearest: Array
) -> tuple[Array, Indices]:
    """Compute the gains of the most promising rows anew."""
    stale = np.where(fresh, -np.inf, bounds)
    stale[purse.chosen] = -np.inf
    count = min(_BATCH, len(stale))
    rows = np.argpartition(-stale, count - 1)[:count]
    bounds[rows] = _gains(G, rows, references, nearest)
    fresh[rows] = True
    return bounds, fresh


def _gains(G: Array, rows: Indices, references: Array, nearest: Array) -> Array:
    """``sum_i max(0, nearest_i - |g_i - g_j|)`` of some rows j."""
    gains = np.empty(len(rows))
    for start in range(0, len(rows), _TILE):
        part = rows[start : start + _TILE]
        apart = distances(references, G[part])
        gains[start : start + _TILE] = np.maximum(nearest[:, None] - apart, 0).sum(axis=0)
    return gains


def distances(A: Array, B: Array) -> Array:
    """Distances of the rows of A from those of B."""
    squares = np.einsum("ij,ij->i", A, A)[:, None] + np.einsum("ij,ij->i", B, B)
    return np.asarray(np.sqrt(np.maximum(squares - 2 * (A @ B.T), 0.0)))


def cluster_weights(rows: Rows, chosen: Indices) -> Array:
    """Share of all rows that are nearest to each chosen one; of equally near ones the first."""
    centres = rows.take(chosen).astype(np.float64)
    sizes = np.zeros(len(chosen))
    for _, tile in rows.tiles():
        nearest = np.argmin(distances(tile.astype(np.float64), centres), axis=1)
        sizes += np.bincount(nearest, minlength=len(chosen))
    return np.asarray(sizes / len(rows))
