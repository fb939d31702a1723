"""Batches: arrays of shape (..., m, n) decomposed at a fixed rank, side by side in one native call."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _native
from . import error as _error
from ._array import as_array, to_host
from ._progress import Progress
from .goal import Goal
from .pivot import KIND_CODES, Selection, choose_block, native_variant
from .range_finder import PROBES, RangeSettings
from .result import ErrorEstimate


def is_batch(A: Any) -> bool:
    """Tell a dense array of three or more dimensions."""
    return getattr(A, "ndim", 2) > 2 and not hasattr(A, "matmat")


@dataclasses.dataclass(frozen=True)
class Batch:
    """Matrices of one shape, C-ordered, each divided by a power of two that keeps its squares in range.

    Attributes
    ----------
    matrices : array of shape (count, m, n)
    lead : tuple of int
        The leading dimensions of the caller's array.
    exponents : array of int, shape (count,)
    original : array of shape (count, m, n)
        The matrices before scaling.
    zero : array of bool, shape (count,)
        Matrices without a nonzero entry; a one stands in their first.
    """

    matrices: NDArray[Any]
    original: NDArray[Any]
    lead: tuple[int, ...]
    exponents: NDArray[np.int64]
    zero: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of one matrix."""
        return (int(self.matrices.shape[1]), int(self.matrices.shape[2]))

    @property
    def sample(self) -> NDArray[Any]:
        """One matrix, by whose shape and precision settings are chosen."""
        if len(self.matrices):
            return np.asarray(self.matrices[0])
        return np.zeros(self.shape, self.matrices.dtype)

    def stacked(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array with one entry per matrix in the caller's leading dimensions."""
        return array.reshape(self.lead + array.shape[1:])

    def scaled_back(self, values: NDArray[Any]) -> NDArray[Any]:
        """Undo the scaling of singular values or errors; those of zero matrices are zero."""
        per_matrix = (-1,) + (1,) * (values.ndim - 1)
        values = np.ldexp(values, self.exponents.reshape(per_matrix))
        return np.where(self.zero.reshape(per_matrix), np.zeros((), values.dtype), values)


def as_batch(A: Any) -> Batch:
    """Bring an array of shape (..., m, n) to C order; refuse entries that are not finite."""
    array = as_array(to_host(A))
    lead, (m, n) = array.shape[:-2], array.shape[-2:]
    original = np.ascontiguousarray(array).reshape((int(np.prod(lead)), m, n))
    matrices = original
    peaks = (
        np.abs(matrices).max(axis=(1, 2), initial=0) if matrices.size else np.zeros(len(matrices))
    )
    if not np.isfinite(peaks).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"A must be finite, but A[{', '.join(map(str, where))}] is {array[where]}")
    zero = peaks == 0
    exponents = np.zeros(len(matrices), np.int64)
    narrow = matrices.real.dtype == np.float32
    low, high = (1e-8, 1e8) if narrow else (1e-50, 1e50)
    if matrices.size and (zero.any() or peaks.min() < low or peaks.max() > high):
        exponents = np.where(zero, 0, np.frexp(peaks)[1]).astype(np.int64)
        half = (-exponents) // 2  # 2**exponent itself may overflow
        matrices = matrices.copy()
        for part in (half, -exponents - half):
            matrices *= np.ldexp(np.ones(1, matrices.real.dtype), part)[:, None, None]
        matrices[zero, 0, 0] = 1
    return Batch(matrices, original, lead, exponents, zero)


def require_fixed_rank(routine: str, goal: Goal) -> None:
    """Refuse what a batch cannot have: ranks that differ, norms that need products."""
    if goal.to_tolerance:
        raise ValueError(f"{routine} of a batch needs a rank, not a tolerance: ranks would differ")
    if goal.norm != "fro":
        raise ValueError(f"norm={goal.norm!r} is not available for a batch; expected 'fro'")


def certificate(batch: Batch, facts: NDArray[np.float64]) -> ErrorEstimate:
    """One certificate with an array of values: exact if all are, else by the probe of each matrix."""
    norm2, error2, exact = facts.T
    value, reference = np.sqrt(np.maximum(error2, 0)), np.sqrt(np.maximum(norm2, 0))
    eps = float(np.finfo(batch.matrices.dtype).eps)
    known = exact > 0
    # Of the approximation itself, and where it is large enough to be one, of a difference of energies.
    rounding = 4 * eps * np.sqrt(min(batch.shape)) * reference
    difference = known & (value**2 > 1e3 * eps * norm2)
    rounding *= 1 + np.where(difference, reference / np.where(difference, 2 * value, 1), 0.0)
    upper = np.where(known, value, value * _error.frobenius_factor(PROBES)) + rounding
    relative = np.where(reference > 0, value / np.where(reference > 0, reference, 1), 0.0)
    relative = np.where(batch.zero, 0.0, relative)
    all_known = bool(known.all())
    return ErrorEstimate(
        batch.stacked(batch.scaled_back(value)),  # type: ignore[arg-type]
        batch.stacked(relative),  # type: ignore[arg-type]
        "fro",
        "exact" if all_known else "estimate",
        batch.stacked(batch.scaled_back(upper)),  # type: ignore[arg-type]
        0.0 if all_known else _error.FAILURE_PROBABILITY,
    )


def _facts(batch: Batch, rank: int) -> NDArray[np.float64]:
    """Room for what is known about the errors; at rank 0 the error of every matrix is the matrix."""
    if rank:
        return np.zeros((len(batch.matrices), 3))
    squares = np.abs(batch.matrices).astype(np.float64) ** 2
    norm2 = np.where(batch.zero, 0.0, squares.sum(axis=(1, 2)))
    return np.stack([norm2, norm2, np.ones_like(norm2)], axis=1)


def svd_batch(
    batch: Batch, rank: int, settings: RangeSettings, seed: int, progress: Progress
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], ErrorEstimate]:
    """Singular value decompositions, at the settings of one of them."""
    native, (m, n), count = _native.module(), batch.shape, len(batch.matrices)
    dtype, size = batch.matrices.dtype, settings.size
    nnz = max(1, min(size, 1 if settings.sketch == "countsketch" else 8))
    Ut, Vh = np.empty((count, rank, m), dtype), np.empty((count, rank, n), dtype)
    s, facts = np.empty((count, rank), batch.matrices.real.dtype), _facts(batch, rank)
    if rank:
        with progress.stage("batch"):
            native.svd_batch(
                batch.matrices,
                size=size,
                power_iterations=settings.power_iterations,
                full=settings.method == "full",
                sketch=native.SketchOperator(KIND_CODES[settings.sketch], size, n, nnz, seed, 0),
                probe=native.SketchOperator(0, PROBES, n, 1, seed, 1),
                Ut=Ut,
                s=s,
                Vh=Vh,
                facts=facts,
                progress=progress.poll,
            )
    return (
        batch.stacked(np.swapaxes(Ut, 1, 2)),
        batch.stacked(batch.scaled_back(s)),
        batch.stacked(Vh),
        certificate(batch, facts),
    )


def interp_batch(
    batch: Batch, settings: Selection, mode: int, seed: int, progress: Progress
) -> tuple[NDArray[np.int64], NDArray[Any], ErrorEstimate]:
    """Column decompositions: indices and coefficients, at the settings of one of them."""
    native, (m, n), count = _native.module(), batch.shape, len(batch.matrices)
    rank, kind = settings.rank, settings.sketch or "gaussian"
    size = max(settings.sketch_size, 1)
    nnz = min(size, 1 if kind == "countsketch" else 8)
    indices = np.empty((count, rank), np.int64)
    W, facts = np.empty((count, rank, n), batch.matrices.dtype), _facts(batch, rank)
    if rank:
        with progress.stage("batch"):
            native.interp_batch(
                batch.matrices,
                settings.method.native,
                rank=rank,
                sketch=native.SketchOperator(KIND_CODES[kind], size, m, nnz, seed, 0),
                pivot_rows=settings.pivot_rows,
                probe=native.SketchOperator(0, settings.probes, m, 1, seed, 1),
                seed=seed,
                block=choose_block(settings.pivoting, rank, False, settings.block_size),
                variant=native_variant(settings.pivoting),
                mode=mode,
                indices=indices,
                W=W,
                facts=facts,
                progress=progress.poll,
            )
    return batch.stacked(indices), batch.stacked(W), certificate(batch, facts)
