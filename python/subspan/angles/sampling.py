"""Draws from the law of the canonical angles of subspace iteration with a Gaussian test matrix."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .leading import triangle
from .spectrum import Spectrum

_EPS = float(np.finfo(np.float64).eps)


def sample_basis(
    sigma: Spectrum,
    size: int,
    exponents: dict[str, int],
    generator: np.random.Generator,
    complex: bool,
) -> dict[str, NDArray[np.float64]]:
    """Sines between the wanted subspace and the basis of `size` columns; one draw serves both sides."""
    k, beyond = sigma.rank, size - sigma.rank
    L = _wishart_factor(size, k, generator, complex).conj().T
    weights, G = _tail_rows(sigma, size, generator, complex)
    found = {}
    for name, exponent in exponents.items():
        sines = np.zeros(k)
        if sigma.tail_size > beyond:
            # Rows descend in size and Householder's reflections never mix a large one into a small one
            # (Cox and Higham, 1998). The columns beyond the k are the room that oversampling gives.
            R = triangle(_power(weights, exponent)[:, None] * G)[beyond:, beyond:]
            scale = np.exp(-exponent * sigma.log_head())
            # R L^{-1} D_1^{-1}: columns grow from left to right.
            # numpy's general solver: SciPy's triangular one would wake another pool of threads.
            tangents = _graded_singular_values(np.linalg.solve(L.T, R.T).T * scale)
            sines[k - len(tangents) :] = 1 / np.hypot(1, 1 / np.maximum(tangents, _EPS))
        found[name] = sines
    return found


@dataclasses.dataclass
class Truncated:
    """Coefficients of computed leading singular vectors in the true ones, rows in descending order."""

    left: NDArray[Any]  # (p, k)
    right: NDArray[Any]

    def sines(self, side: str) -> NDArray[np.float64]:
        """Sines between the true and the computed subspace of dimension k."""
        vectors = getattr(self, side)
        k = vectors.shape[1]
        outside = vectors[k:]
        sines = np.zeros(k)
        if len(outside):
            values = np.linalg.svd(outside, compute_uv=False)[::-1]
            sines[k - len(values) :] = np.minimum(values, 1.0)
        return sines

    def leading(self, side: str) -> NDArray[np.float64]:
        """Root of the sum of squared sines between the leading j true and computed vectors, j = 1 ... k."""
        squares = np.abs(getattr(self, side)) ** 2
        k = squares.shape[1]
        below = np.cumsum(squares[::-1], axis=0)[::-1]  # below[j, c] = sum over rows from j on
        sums = np.append(np.cumsum(below, axis=1), np.zeros((1, k)), axis=0)
        return np.asarray(np.minimum(np.sqrt(sums[np.arange(1, k + 1), np.arange(k)]), 1.0))


def sample_truncated(
    sigma: Spectrum, size: int, power_iterations: int, generator: np.random.Generator, complex: bool
) -> Truncated:
    """Run subspace iteration and the Rayleigh-Ritz step on the diagonal matrix of the spectrum."""
    k = sigma.rank
    head = _gaussian((k, size), generator, complex)
    weights, G = _tail_rows(sigma, size, generator, complex)
    values = np.concatenate([sigma.head, weights * sigma.tail[0]]) if len(weights) else sigma.head
    values = values / values[0]
    Q = np.linalg.qr(values[:, None] * np.concatenate([head, G]))[0]
    for _ in range(2 * power_iterations):
        Q = np.linalg.qr(values[:, None] * Q)[0]
    left, _, right = np.linalg.svd(Q.conj().T * values, full_matrices=False)
    return Truncated(Q @ left[:, :k], right[:k].conj().T)


def _tail_rows(
    sigma: Spectrum, size: int, generator: np.random.Generator, complex: bool
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Weights of the tail over the first of it, and Gaussian rows that stand for it.

    A value that is repeated N > size times enters by the N-by-size Gaussian block that it multiplies;
    its triangular factor has the same Gram matrix and is drawn directly.
    """
    if sigma.tail_size == 0:
        return np.zeros(0), np.zeros((0, size), np.complex128 if complex else np.float64)
    rows, weights = [], []
    for log_weight, count in zip(sigma.log_tail(), sigma.counts, strict=True):
        if count > size:
            rows.append(_wishart_factor(int(count), size, generator, complex))
        else:
            rows.append(_gaussian((int(count), size), generator, complex))
        weights.append(np.full(len(rows[-1]), np.exp(log_weight)))
    return np.concatenate(weights), np.concatenate(rows)


def _gaussian(
    shape: tuple[int, int], generator: np.random.Generator, complex: bool
) -> NDArray[Any]:
    if not complex:
        return generator.standard_normal(shape)
    pairs = generator.standard_normal((*shape, 2))
    return np.asarray(pairs.view(np.complex128)[..., 0] * np.sqrt(0.5))


def _wishart_factor(
    degrees: int, size: int, generator: np.random.Generator, complex: bool
) -> NDArray[Any]:
    """Upper triangular R, R^H R as the Gram matrix of `degrees` Gaussian rows (Bartlett, 1933)."""
    R = np.triu(_gaussian((size, size), generator, complex), 1)
    freedom = degrees - np.arange(size)
    squares = generator.chisquare(2 * freedom) / 2 if complex else generator.chisquare(freedom)
    R[np.arange(size), np.arange(size)] = np.sqrt(squares)
    return np.asarray(R)


def _power(weights: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
    with np.errstate(under="ignore"):
        return np.asarray(weights**exponent)


def _graded_singular_values(A: NDArray[Any]) -> NDArray[np.float64]:
    """Singular values, ascending, to relative accuracy although columns differ by powers of ten.

    With the columns sorted by size, the rows of R are graded as well, as LAPACK's reduction needs it.
    """
    order = np.argsort(-np.linalg.norm(A, axis=0))
    return np.asarray(np.linalg.svd(triangle(A[:, order]), compute_uv=False)[::-1])
