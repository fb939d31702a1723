"""Canonical correlations of two sets of features, and their sum of squares without its bias."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Whitened:
    """Leading eigenvalues of a second moment, and the map to white coordinates along them."""

    values: Array  # (d,)
    spectrum: Array  # (D,), all eigenvalues, descending
    map: Array  # (D, d)


def whiten(moment: Array, choose: Any, eps: float) -> Whitened:
    """Decompose a second moment and keep as many directions as `choose(eigenvalues)` says.

    Directions below ``D eps`` of the largest are rounding and never kept.
    """
    values, vectors = np.linalg.eigh(moment)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    usable = int(np.sum(values > len(values) * eps * values[0])) if len(values) else 0
    d = min(choose(values), usable)
    return Whitened(values[:d], values, vectors[:, :d] / np.sqrt(values[:d]))


def cross_correlation(strong: Array, cross: Array, weak: Array) -> Array:
    """``S^{-1/2} C W^{-1/2}`` by Cholesky factors: its singular values are the canonical correlations."""
    left = solve_triangular(cholesky(strong, lower=True), cross, lower=True)
    return np.asarray(solve_triangular(cholesky(weak, lower=True), left.T, lower=True).T)


def debiased(raw: float, d_s: int, d_w: int, rows: float) -> float:
    """Sum of squared canonical correlations from that of `rows` samples; may be slightly negative.

    Solves ``c = d + (d_w - d)(d_s - d)/(m - d)``, the expectation for correlations 0 and 1 of Gaussian
    features. For others the expectation is less by ``sum r^2 (1 - r^2)/m`` to first order, under
    ``min(d_s, d_w)/(4 m)`` and so never worth a correction.
    """
    free = rows + raw - d_w - d_s
    return (raw * rows - d_w * d_s) / free if free > 0 else 0.0


def chance_edge(d_s: int, d_w: int, rows: int) -> float:
    """Largest canonical correlation of independent features, in the limit of many dimensions (Wachter)."""
    y, z = min(d_s / rows, 1.0), min(d_w / rows, 1.0)
    return min(1.0, float(np.sqrt(y * (1 - z)) + np.sqrt(z * (1 - y))))


def jackknife(groups: Array, rows: Array, d_s: int) -> float:
    """Standard error of the debiased sum, from leaving out one group of rows at a time.

    `groups` holds sums of ``x x^T`` of the whitened features, strong first. The truncation is taken as given.
    """
    d_w = groups.shape[1] - d_s
    total, count = groups.sum(axis=0), rows.sum()
    left = []
    for group, size in zip(groups, rows, strict=True):
        J = (total - group) / (count - size)
        M = cross_correlation(J[:d_s, :d_s], J[:d_s, d_s:], J[d_s:, d_s:])
        left.append(debiased(float(np.sum(M**2)), d_s, d_w, float(count - size)))
    g = len(rows)
    return float(np.sqrt((g - 1) ** 2 / g * np.var(left, ddof=1)))
