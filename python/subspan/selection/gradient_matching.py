"""Subsets whose weighted gradients stand for those of all rows, or lower the loss on a target set."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import nnls

from .budget import Array, Indices, Purse
from .pool import Pool
from .rows import Rows

_PENALTY = 1e-3  # ridge of the weights, relative to the mean squared norm of the rows


def grad_match(pool: Pool) -> Indices:
    """GradMatch: orthogonal matching pursuit of the mean gradient (Killamsetty et al., 2021).

    Next the row of the largest product with what the chosen ones, optimally weighted, leave of the mean;
    the weights minimise ``|sum_S w_i g_i - mean|^2 + penalty |w|^2`` by a Cholesky factor that grows.
    """
    G, purse = pool.dense(), Purse(pool.budget)
    mean = (pool.dense() if pool.target is None else pool.target).mean(axis=0)
    penalty = _penalty(G)
    held: list[int] = [int(i) for i in pool.budget.before]
    L = np.zeros((0, 0))
    for place in range(len(held)):
        L = _grown(L, G[held[:place]] @ G[held[place]], G[held[place]] @ G[held[place]] + penalty)
    while True:
        part = G[held]
        y = solve_triangular(L, part @ mean, lower=True) if held else np.zeros(0)
        left = mean - part.T @ solve_triangular(L, y, lower=True, trans=1) if held else mean
        best = purse.best_for_its_cost(np.maximum(G @ left, 0.0))
        if best is None:
            return purse.rows()
        purse.take(best)
        L = _grown(L, part @ G[best], float(G[best] @ G[best]) + penalty)
        held.append(best)


def _penalty(G: Array) -> float:
    return _PENALTY * float(np.einsum("ij,ij->", G, G)) / len(G) or 1.0


def _grown(L: Array, products: Array, square: float) -> Array:
    """The Cholesky factor of a Gram matrix with one more row."""
    k = len(L)
    grown = np.zeros((k + 1, k + 1))
    grown[:k, :k] = L
    row = solve_triangular(L, products, lower=True) if k else np.zeros(0)
    grown[k, :k] = row
    grown[k, k] = np.sqrt(max(square - row @ row, np.finfo(float).tiny))
    return grown


def matching_weights(rows: Rows, chosen: Indices) -> Array:
    """Non-negative weights that bring the weighted sum of the chosen rows nearest to the mean of all."""
    G = rows.take(chosen).astype(np.float64)
    mean = sum(tile.astype(np.float64).sum(axis=0) for _, tile in rows.tiles()) / len(rows)
    ridge = np.sqrt(_penalty(G)) * np.eye(len(chosen))
    stacked = np.concatenate([G.T, ridge])
    return np.asarray(nnls(stacked, np.concatenate([mean, np.zeros(len(chosen))]))[0])


def glister(pool: Pool) -> Indices:
    """Glister: next the row whose gradient step lowers the loss on the target most.

    The gain is ``<g_i, mean target gradient>``; after each step that gradient moves by the Gauss-Newton
    term ``step T^T (T g_i) / n_target``, a Taylor step (Killamsetty et al., 2021). Steps are 1 over the
    largest eigenvalue of ``T^T T / n_target`` and the rows expected.
    """
    if pool.target is None:
        raise ValueError("method='glister' needs target, gradients of held-out samples")
    G, T, purse = pool.dense(), pool.target, Purse(pool.budget)
    gradient = T.mean(axis=0)
    curvature = float(np.linalg.norm(T, 2)) ** 2 / len(T)
    step = 1 / (curvature * pool.budget.count) if curvature > 0 else 0.0
    for row in pool.budget.before:
        gradient = gradient - step * (T.T @ (T @ G[row])) / len(T)
    while (best := purse.best_for_its_cost(G @ gradient)) is not None:
        purse.take(best)
        gradient = gradient - step * (T.T @ (T @ G[best])) / len(T)
    return purse.rows()
