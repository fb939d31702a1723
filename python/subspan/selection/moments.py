"""Second moments of rows, and their part along the eigenvectors of the whole."""

from __future__ import annotations

import dataclasses

import numpy as np

from .budget import Array
from .rows import Rows


def second_moment(rows: Rows) -> Array:
    """``X^T X / N``, summed over tiles in double precision."""
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for _, tile in rows.tiles():
        total += tile.T @ tile
    return total / len(rows)


@dataclasses.dataclass(frozen=True)
class Eigenbasis:
    """Eigenvalues of the second moment, descending, down to the numerical rank, and their vectors."""

    values: Array  # (m,)
    vectors: Array  # (d, m)

    @property
    def rank(self) -> int:
        """Number of eigenvalues that are not rounding."""
        return len(self.values)


def eigenbasis_of(moment: Array, eps: float) -> Eigenbasis:
    """Decompose a second moment; directions below ``d eps`` of the largest are dropped."""
    values, vectors = np.linalg.eigh(moment)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > len(values) * eps * max(float(values[0]), 0.0)
    return Eigenbasis(values[kept], np.ascontiguousarray(vectors[:, kept]))


def moments_of(rows: Rows, basis: Eigenbasis, weights: Array) -> Array:
    """``(A s)_j = sum_i s_i (v_j^T g_i)^2``, over the rows of positive weight alone."""
    total = np.zeros(basis.rank)
    chosen = np.flatnonzero(weights)
    vectors = basis.vectors.astype(rows.dtype)
    if len(chosen) * 4 < len(rows):
        for start in range(0, len(chosen), 4096):
            part = chosen[start : start + 4096]
            total += weights[part] @ ((rows.take(part) @ vectors) ** 2).astype(np.float64)
        return total
    for where, tile in rows.tiles():
        total += weights[where] @ ((tile @ vectors) ** 2).astype(np.float64)
    return total


def scores_of(rows: Rows, basis: Eigenbasis, multipliers: Array) -> Array:
    """``(A^T r)_i = sum_j r_j (v_j^T g_i)^2`` of every row: one pass, a product per tile."""
    scores = np.empty(len(rows))
    used = multipliers > 0
    scaled = (basis.vectors[:, used] * np.sqrt(multipliers[used])).astype(rows.dtype)
    for where, tile in rows.tiles():
        image = tile @ scaled
        scores[where] = np.einsum("ij,ij->i", image, image)
    return scores
