"""Determinantal point processes of fixed size: rows that span a large volume are likely together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .moments import eigenbasis_of

Array = NDArray[np.float64]


def k_dpp(G: Array, count: int, generator: np.random.Generator, eps: float) -> NDArray[np.int64]:
    """Draw `count` rows with probability proportional to the squared volume that they span.

    A set of eigenvectors of ``G G^T`` first, by elementary symmetric polynomials, then rows one at a time
    in proportion to what is left of them in that basis (Kulesza and Taskar, 2012, Alg. 1 and 8).
    """
    spectrum = eigenbasis_of(G.T @ G / len(G), eps)
    if count > spectrum.rank:
        raise ValueError(f"method='dpp' needs n <= {spectrum.rank}, the rank of X; got {count}")
    kept = _eigenvectors(spectrum.values, count, generator)
    basis = G @ (spectrum.vectors[:, kept] / np.sqrt(len(G) * spectrum.values[kept]))
    chosen: list[int] = []
    left = np.einsum("ij,ij->i", basis, basis)
    Q = np.zeros((count, 0))
    for _ in range(count):
        p = np.maximum(left, 0.0)
        p[chosen] = 0.0
        row = int(generator.choice(len(p), p=p / p.sum()))
        chosen.append(row)
        direction = basis[row] - Q @ (Q.T @ basis[row])
        direction -= Q @ (Q.T @ direction)
        direction /= np.linalg.norm(direction)
        Q = np.column_stack([Q, direction])
        left -= (basis @ direction) ** 2
    return np.array(chosen, np.int64)


def _eigenvectors(values: Array, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw `count` eigenvectors with probability proportional to the product of their eigenvalues.

    The recursion of the elementary symmetric polynomials runs on logarithms, which do not overflow.
    """
    r = len(values)
    logs = np.log(values)
    table = np.full((count + 1, r + 1), -np.inf)
    table[0] = 0.0
    for j in range(1, r + 1):
        table[1:, j] = np.logaddexp(table[1:, j - 1], logs[j - 1] + table[:-1, j - 1])
    kept, missing = [], count
    for j in range(r, 0, -1):
        if missing == 0:
            break
        take = np.exp(logs[j - 1] + table[missing - 1, j - 1] - table[missing, j])
        if generator.random() < take:
            kept.append(j - 1)
            missing -= 1
    return np.array(kept, np.int64)
