"""Norms of matrices and of approximation errors, with a stated confidence."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._array import as_rank
from ._rng import seed_word
from .result import ErrorEstimate
from .source import Source, as_source, operator_product

__all__ = ["norm", "residual"]

FAILURE_PROBABILITY = 1e-3
NORMS = ("fro", "spectral")


def check_norm(norm: str) -> str:
    """Check the name of a norm."""
    if norm not in NORMS:
        raise ValueError(f"norm={norm!r} is not known; expected one of {NORMS}")
    return norm


def frobenius_factor(probes: int, failure_probability: float = FAILURE_PROBABILITY) -> float:
    """Factor that turns an estimate from Gaussian probes into an upper bound.

    With s probes the squared estimate is a weighted mean of chi-squared variables with s degrees of
    freedom each; its lower tail is heaviest when one weight is 1, an error of rank one.
    """
    from scipy.special import chdtri

    return float(np.sqrt(probes / chdtri(probes, 1 - failure_probability)))


def spectral_factor(probes: int, failure_probability: float = FAILURE_PROBABILITY) -> float:
    """Factor c with ``||E||_2 <= c max_i ||E^T g_i||``, g_i standard normal (HMT 2011, Lemma 4.1)."""
    return float(failure_probability ** (-1 / probes) * np.sqrt(2 / np.pi))


def smaller_bound(fro: float, largest: float, probes: int) -> float:
    """Smaller of two bounds of a spectral norm, each allowed half of the failure probability."""
    half = FAILURE_PROBABILITY / 2
    return min(fro * frobenius_factor(probes, half), largest * spectral_factor(probes, half))


def from_probe_gram(gram: NDArray[Any], norm: str, reference: float) -> ErrorEstimate:
    """Certificate from the s-by-s Gram matrix of ``(G E)^T``, G having s rows of variance 1/s.

    The trace is an unbiased estimate of ``||E||_F^2``. For the spectral norm the value is the
    largest singular value of G E, at most about ``||E||_2 + ||E||_F / sqrt(s)``; the caller replaces
    it by power iteration.
    """
    probes = gram.shape[0]
    squares = np.maximum(np.real(np.diagonal(gram)).astype(np.float64), 0.0)
    fro = float(np.sqrt(squares.sum()))
    upper = fro * frobenius_factor(probes)
    value = fro
    if norm == "spectral":
        largest = float(np.linalg.eigvalsh(gram.astype(np.result_type(gram, np.float64)))[-1])
        value = float(np.sqrt(max(largest, 0.0)))
        seen = float(np.sqrt(probes * squares.max(initial=0.0)))
        upper = smaller_bound(fro, seen, probes)
    return ErrorEstimate(
        value, _ratio(value, reference), norm, "estimate", max(upper, value), FAILURE_PROBABILITY
    )


def exact(
    value: float, reference: float, norm: str = "fro", rounding: float = 0.0
) -> ErrorEstimate:
    """Certificate of an error that is known up to `rounding`."""
    return ErrorEstimate(value, _ratio(value, reference), norm, "exact", value + rounding, 0.0)


def energy_rounding(value: float, reference: float, rank: int, eps: float) -> float:
    """By how much the root of ``|A|^2 - |Q^H A|^2`` may be wrong, Q having `rank` columns.

    Each column of Q is orthonormal to a few eps, each product with it as accurate as that, and the
    errors of so many add up like independent ones: a few ``sqrt(rank) eps |A|^2`` in the difference.
    """
    return 4 * eps * float(np.sqrt(max(1, rank))) * reference**2 / (2 * value) if value > 0 else 0.0


def revealed_rounding(W: NDArray[Any], value: float, reference: float) -> float:
    """By how much the error of ``A[:, J] @ W`` may exceed the one revealed by orthogonality.

    A triangular solve is backward stable: it perturbs the factor by a few sqrt(k) eps of its norm,
    hence the product by as much times ``|W|``. The difference ``|A|^2 - |Q^H A|^2``, relied upon
    down to 1e4 eps ``|A|^2``, carries what `energy_rounding` says.
    """
    eps = float(np.finfo(W.dtype).eps)
    # Not by a BLAS routine, whose threads would stay awake and take cores from the next call.
    size = float(np.sqrt(np.einsum("ij,ij->", W, np.conj(W)).real))
    rounding = 2 * eps * float(np.sqrt(len(W))) * size * reference
    if value**2 > 1e4 * eps * reference**2:
        rounding += energy_rounding(value, reference, len(W), eps)
    return rounding


def _ratio(value: float, reference: float) -> float:
    return value / reference if reference > 0 else 0.0


def norm(A: Any, *, norm: str = "spectral", rng: Any = None, iterations: int = 10) -> float:
    """Norm of a matrix or operator from products alone.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator, chunks, array on disk or Dask array, shape (m, n)
        Anything with ``A @ X`` and ``A.T @ X`` (``A.rmatmat`` for a LinearOperator).
    norm : {"spectral", "fro"}
        The Frobenius norm is exact for arrays and sparse matrices and estimated from 32 Gaussian
        probes for operators.
    rng : int, numpy.random.Generator or None
        Seed of the starting block.
    iterations : int
        Steps of block power iteration for the spectral norm; each costs two products of A with 4
        vectors.

    Returns
    -------
    float
        For the spectral norm a lower estimate, within a few percent after 10 steps.

    Raises
    ------
    ValueError
        If `norm` is not known.

    References
    ----------
    Halko, Martinsson, Tropp, SIAM Rev. 53 (2011), section 4.3-4.4.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> round(subspan.error.norm(np.diag([3.0, 2.0, 1.0]), rng=0), 6)
    3.0
    """
    check_norm(norm)
    products = Products(A)
    m, n = products.shape
    if m == 0 or n == 0:
        return 0.0
    generator = np.random.default_rng(seed_word(rng))
    if norm == "fro":
        if products.entries is not None:
            return products.entries / products.scale
        image = products.apply(generator.standard_normal((n, 32)))
        return float(np.linalg.norm(image) / np.sqrt(32)) / products.scale
    start = generator.standard_normal((n, min(4, n)))
    largest = _power_iteration(products.apply, products.apply_adjoint, start, iterations)
    return largest / products.scale


def _power_iteration(
    apply: Callable[[NDArray[Any]], NDArray[Any]],
    apply_adjoint: Callable[[NDArray[Any]], NDArray[Any]],
    start: NDArray[Any],
    iterations: int,
) -> float:
    """Largest singular value seen by block power iteration: never above the true one."""
    X = np.linalg.qr(start)[0]
    largest = 0.0
    for _ in range(iterations):
        Y = apply(X)
        Z = apply_adjoint(np.linalg.qr(Y)[0])
        largest = max(largest, float(np.linalg.norm(Y, 2)), float(np.linalg.norm(Z, 2)))
        X = np.linalg.qr(Z)[0]
    return largest


def spectral_error(A: Any, approximation: Any, rng: Any) -> float:
    """Lower estimate of ``||A - approximation||_2`` by 6 steps of block power iteration."""
    left, right = Products(A), Products(approximation)
    right.scale = left.scale
    n = left.shape[1]
    if 0 in left.shape:
        return 0.0
    start = np.random.default_rng(seed_word(rng)).standard_normal((n, min(4, n)))
    largest = _power_iteration(
        lambda X: left.apply(X) - right.apply(X),
        lambda X: left.apply_adjoint(X) - right.apply_adjoint(X),
        start,
        6,
    )
    return largest / left.scale


def residual(
    A: Any, approximation: Any, *, norm: str = "fro", probes: int = 10, rng: Any = None
) -> ErrorEstimate:
    """Estimate ``||A - approximation||`` from products of both with a few random vectors.

    Parameters
    ----------
    A, approximation : array, sparse matrix, LinearOperator or result, shape (m, n)
        Any pair of operators of the same shape.
    norm : {"fro", "spectral"}
    probes : int
        Number of Gaussian vectors, at least 1.
    rng : int, numpy.random.Generator or None
        Must be independent of what made `approximation` for the confidence to hold.

    Returns
    -------
    ErrorEstimate
        ``kind="estimate"``, but for matrices without entries. Frobenius: unbiased for the square,
        `upper` by the chi-squared law.
        Spectral: power iteration gives `value` (a lower estimate), `upper` is the bound of Halko,
        Martinsson and Tropp.

    Raises
    ------
    ValueError
        If the shapes differ, `probes` is below 1 or `norm` is not known.

    Notes
    -----
    One pass over A and the approximation for "fro"; 1 + 12, and 20 for ``||A||_2``, for "spectral".

    Examples
    --------
    >>> import numpy as np, subspan
    >>> A = np.diag([1.0, 0.5, 0.0])
    >>> e = subspan.error.residual(A, np.zeros((3, 3)), norm="fro", probes=50, rng=0)
    >>> e.value < e.upper
    True
    """
    check_norm(norm)
    if as_rank(probes, 2**22, "probes") < 1:
        raise ValueError(f"probes={probes} must be at least 1")
    left, right = Products(A), Products(approximation)
    if left.shape != right.shape:
        raise ValueError(
            f"A has shape {left.shape}, approximation {right.shape}; expected the same"
        )
    if 0 in left.shape:
        return exact(0.0, 0.0, norm)
    right.scale = left.scale
    n = left.shape[1]
    generator = np.random.default_rng(seed_word(rng))
    G = generator.standard_normal((n, probes))
    image_A = left.apply(G)
    E = image_A - right.apply(G)
    columns = np.linalg.norm(E, axis=0)
    reference = left.entries
    if reference is None:
        reference = float(np.linalg.norm(image_A) / np.sqrt(probes))
    fro = float(np.linalg.norm(columns) / np.sqrt(probes)) / left.scale
    columns, reference = columns / left.scale, reference / left.scale
    upper = fro * frobenius_factor(probes)
    if norm == "fro":
        return ErrorEstimate(
            fro, _ratio(fro, reference), norm, "estimate", upper, FAILURE_PROBABILITY
        )
    upper = smaller_bound(fro, float(columns.max(initial=0.0)), probes)
    value = spectral_error(A, approximation, int(generator.integers(2**32)))
    reference = globals()["norm"](A, norm="spectral", rng=int(generator.integers(2**32)))
    return ErrorEstimate(
        value, _ratio(value, reference), norm, "estimate", max(upper, value), FAILURE_PROBABILITY
    )


def of_nothing(source: Source, norm: str, seed: int) -> ErrorEstimate:
    """Error of the zero matrix as an approximation: the norm of A, estimated for operators."""
    from scipy.sparse import csr_array

    if 0 in source.shape:
        return exact(0.0, 0.0, norm)
    if source.kind != "operator":
        source.magnitude()
        if norm == "fro":
            size = globals()["norm"](source.matrix, norm="fro")
            return exact(size, size)
    nothing = csr_array(source.shape, dtype=source.dtype)
    found = residual(source.matrix, nothing, norm=norm, probes=16, rng=seed)
    return dataclasses.replace(found, relative=1.0 if found.value > 0 else 0.0)


def safe_scale(peak: float) -> float:
    """Power of two that brings entries of this size to where their squares neither over- nor underflow."""
    if peak == 0 or 1e-100 < peak < 1e100:
        return 1.0
    return float(np.ldexp(1.0, min(1000, -int(np.frexp(peak)[1]))))


def _multiplies_only(A: Any) -> bool:
    """Tell a result, or another object with ``A @ X`` alone, from arrays, sparse and operators."""
    others = ("__array__", "nnz", "rmatmat")
    return (
        hasattr(A, "__matmul__")
        and hasattr(A, "shape")
        and not any(hasattr(A, name) for name in others)
    )


class Products:
    """Products with anything that stands for a matrix: a source, or a result of this package."""

    def __init__(self, A: Any) -> None:
        self.source = None if _multiplies_only(A) else as_source(A)
        self.A = A if self.source is None else self.source.matrix
        if len(self.A.shape) != 2:
            raise ValueError(f"A must be 2-d, got shape {self.A.shape}")
        self.shape = (int(self.A.shape[0]), int(self.A.shape[1]))
        # Vectors are multiplied by a power of two that keeps products away from the ends of the range.
        self.scale = 1.0
        if self.source is not None and 0 not in self.shape:
            if self.source.kind == "operator":
                g = np.random.default_rng(0).standard_normal((self.shape[1], 1))
                peak = float(np.abs(self.apply(g)).max())
            else:
                peak = self.source.magnitude()
            self.scale = safe_scale(peak)

    @property
    def entries(self) -> float | None:
        """Frobenius norm times `scale`, if the entries can be read; summed in double precision."""
        if self.source is None or self.source.kind == "operator":
            return None
        if self.source.kind == "blocks":
            return float(np.sqrt(self.A.scaled(int(np.log2(self.scale))).norm2))
        values = self.A.data if self.source.kind == "sparse" else self.A
        wide = np.result_type(values, np.float64)
        rows = max(1, 2**22 // max(1, values[:1].size))
        parts = [
            np.linalg.norm(values[p : p + rows].astype(wide) * self.scale)
            for p in range(0, len(values), rows)
        ]
        return float(np.linalg.norm(parts))

    def _checked(self, product: NDArray[Any], name: str) -> NDArray[Any]:
        if not np.isfinite(product).all():
            raise ValueError(f"A.{name} returned NaN or infinite values")
        return product

    def apply(self, X: NDArray[Any]) -> NDArray[Any]:
        """``scale A X``."""
        return self._checked(np.asarray(self.A @ (X * self.scale)), "matmat")

    def apply_adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        """``scale A^H X``."""
        if hasattr(self.A, "rmatmat"):
            return self._checked(
                np.asarray(operator_product(self.A.rmatmat, X * self.scale)), "rmatmat"
            )
        return np.asarray(np.conj(np.asarray(self.A.T @ np.conj(X * self.scale))))
