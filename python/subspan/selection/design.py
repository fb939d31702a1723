"""Optimal designs, greedily: the next row is the one that improves a criterion of the subset most.

With ``M = (sum_S g g^T + ridge)^{-1}`` and the leverage ``h_i = g_i^T M g_i`` a row changes the criteria by

    A: ``|M g|^2 / (1 + h)``,  V: ``g^T M Sigma M g / (1 + h)``,  D: ``log(1 + h)``,  T: ``|g|^2``,

and E is taken by the smoothed potential ``tr M^p``, p = 4, whose decrease is ``g^T M^{p+1} g / (1 + h)`` to
first order. M is updated by Sherman and Morrison's formula and made anew every 50 picks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .moments import second_moment
from .rows import Rows

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

CRITERIA = ("v_opt", "a_opt", "d_opt", "e_opt", "t_opt")
_REFRESH = 50


def greedy_design(rows: Rows, count: int, criterion: str, ridge: float) -> Indices:
    """Choose `count` distinct rows; ridge as a multiple of ``tr(Sigma) / d``."""
    G = rows.dense().astype(np.float64)
    sigma = second_moment(rows)
    d = G.shape[1]
    if criterion == "t_opt":
        return np.argsort(-np.einsum("ij,ij->i", G, G), kind="stable")[:count]
    shift = max(ridge, 1e-10) * float(np.trace(sigma)) / d
    chosen: list[int] = []
    taken = np.zeros(len(G), bool)
    M = np.eye(d) / shift
    for step in range(count):
        if step % _REFRESH == 0 and step:
            part = G[chosen]
            M = np.linalg.inv(part.T @ part + shift * np.eye(d))
            M = (M + M.T) / 2
        gains = _gains(G, M, sigma, criterion)
        gains[taken] = -np.inf
        best = int(np.argmax(gains))
        chosen.append(best)
        taken[best] = True
        image = M @ G[best]
        M -= np.outer(image, image) / (1 + G[best] @ image)
    return np.array(chosen, np.int64)


def _gains(G: Array, M: Array, sigma: Array, criterion: str) -> Array:
    """Improvement that every row would bring; one product of G with M."""
    Y = G @ M
    leverage = np.maximum(np.einsum("ij,ij->i", Y, G), 0.0)
    if criterion == "d_opt":
        return np.asarray(leverage)
    if criterion == "a_opt":
        change = np.einsum("ij,ij->i", Y, Y)
    elif criterion == "v_opt":
        change = np.einsum("ij,ij->i", Y @ sigma, Y)
    else:
        scaled = M / np.linalg.norm(M, 2)
        change = np.einsum("ij,ij->i", G @ (scaled @ scaled @ scaled), G @ (scaled @ scaled))
    return np.asarray(change / (1 + leverage))


def exchange(rows: Rows, chosen: Indices, criterion: str, ridge: float, sweeps: int) -> Indices:
    """Fedorov's exchange: swap a chosen row for the one that improves the criterion most, while any does.

    Each sweep tries every chosen row once, at the cost of a greedy pick.
    """
    G = rows.dense().astype(np.float64)
    sigma = second_moment(rows)
    d = G.shape[1]
    shift = max(ridge, 1e-10) * float(np.trace(sigma)) / d
    S = [int(i) for i in chosen]
    free = np.ones(len(G), bool)
    free[S] = False
    for _ in range(sweeps):
        swapped = False
        for place, row in enumerate(S):
            others = G[[s for s in S if s != row]]
            M = np.linalg.inv(others.T @ others + shift * np.eye(d))
            gains = _gains(G, (M + M.T) / 2, sigma, criterion)
            gains[~free & (np.arange(len(G)) != row)] = -np.inf
            best = int(np.argmax(gains))
            if gains[best] > gains[row] * (1 + 1e-9):
                free[row], free[best] = True, False
                S[place], swapped = best, True
        if not swapped:
            break
    return np.array(S, np.int64)
