"""Batches: arrays of shape (..., m, n) decomposed at a fixed rank, side by side in one native call."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import _native
from . import error as _error
from ._array import as_array, ldexp, to_host
from ._progress import Progress
from .config import blas_name
from .goal import Goal
from .pivot import KIND_CODES, Selection, choose_block, native_variant
from .range_finder import PROBES, RangeSettings
from .result import ErrorEstimate, Plan

_P = ParamSpec("_P")
_T = TypeVar("_T")


def is_batch(A: Any) -> bool:
    """Tell a dense array of three or more dimensions."""
    return getattr(A, "ndim", 2) > 2 and not hasattr(A, "matmat")


@dataclasses.dataclass(frozen=True)
class Batch:
    """Matrices of one shape, C-ordered, as given or each divided by a power of two.

    Attributes
    ----------
    matrices : array of shape (count, m, n)
    lead : tuple of int
        The leading dimensions of the caller's array.
    exponents : array of int, shape (count,)
    original : array of shape (count, m, n)
        The matrices before scaling.
    zero : array of bool, shape (count,)
        Once scaled: matrices without a nonzero entry; a one stands in their first.
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

    def in_range(self) -> Batch:
        """Divide each matrix by a power of two near its largest entry; refuse NaN and infinity."""
        finite = np.isfinite(self.original)
        if not finite.all():
            at = np.argwhere(~self.stacked(finite))[0]
            value = self.stacked(self.original)[tuple(at)]
            raise ValueError(f"A must be finite, but A[{', '.join(map(str, at))}] is {value}")
        matrices = self.original.copy()
        peaks = np.abs(matrices).max(axis=(1, 2), initial=0)
        zero = peaks == 0
        exponents = np.where(zero, 0, np.frexp(peaks)[1]).astype(np.int64)
        half = (-exponents) // 2  # 2**exponent itself may overflow
        for part in (half, -exponents - half):
            matrices *= np.ldexp(np.ones(1, matrices.real.dtype), part)[:, None, None]
        if matrices.size:
            matrices[zero, 0, 0] = 1
        return Batch(matrices, self.original, self.lead, exponents, zero)

    def scaled_back(self, values: NDArray[Any]) -> NDArray[Any]:
        """Undo the scaling of factors or errors; those of zero matrices are zero."""
        per_matrix = (-1,) + (1,) * (values.ndim - 1)
        scaled = ldexp(values, self.exponents.reshape(per_matrix))
        scaled[self.zero] = 0
        return scaled


def as_batch(A: Any) -> Batch:
    """Bring an array of shape (..., m, n) to C order."""
    array = as_array(to_host(A))
    lead, shape = array.shape[:-2], array.shape[-2:]
    count = int(np.prod(lead))
    matrices = np.ascontiguousarray(array).reshape((count, *shape))
    return Batch(matrices, matrices, lead, np.zeros(count, np.int64), np.zeros(count, np.bool_))


def at_any_scale(run: Callable[Concatenate[Batch, _P], _T]) -> Callable[Concatenate[Batch, _P], _T]:
    """Run on the matrices as they are, and scaled if the squares of one are out of range."""

    @functools.wraps(run)
    def wrapped(batch: Batch, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return run(batch, *args, **kwargs)
        except FloatingPointError:
            return run(batch.in_range(), *args, **kwargs)

    return wrapped


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


@at_any_scale
def svd_batch(
    batch: Batch, rank: int, settings: RangeSettings, seed: int, progress: Progress
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], ErrorEstimate]:
    """Singular value decompositions, at the settings of one of them."""
    native, (m, n), count = _native.module(), batch.shape, len(batch.matrices)
    dtype, size = batch.matrices.dtype, settings.size
    nnz = max(1, min(size, 1 if settings.sketch == "countsketch" else 8))
    Ut, Vh = np.empty((count, rank, m), dtype), np.empty((count, rank, n), dtype)
    s, facts = np.empty((count, rank), batch.matrices.real.dtype), _facts_before(batch, rank)
    if rank > 0:
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


@at_any_scale
def interp_batch(
    batch: Batch, settings: Selection, mode: int, seed: int, progress: Progress
) -> tuple[NDArray[np.int64], NDArray[Any], ErrorEstimate]:
    """Column decompositions: indices and coefficients, at the settings of one of them."""
    count, rank, n = len(batch.matrices), settings.rank, batch.shape[1]
    indices = np.empty((count, rank), np.int64)
    W = np.empty((count, rank, n), batch.matrices.dtype)
    facts = _facts_before(batch, rank)
    if rank > 0:
        with progress.stage("batch"):
            _native.module().interp_batch(
                batch.matrices,
                _choice(batch, settings, seed),
                mode=mode,
                indices=indices,
                W=W,
                facts=facts,
                progress=progress.poll,
            )
    return batch.stacked(indices), batch.stacked(W), certificate(batch, facts)


@at_any_scale
def qr_batch(
    batch: Batch, settings: Selection, seed: int, progress: Progress
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64], ErrorEstimate]:
    """Pivoted QR decompositions: Q, R and permutations, at the settings of one of them."""
    count, rank, (m, n) = len(batch.matrices), settings.rank, batch.shape
    dtype = batch.matrices.dtype
    Qt, R = np.empty((count, rank, m), dtype), np.empty((count, rank, n), dtype)
    piv = np.tile(np.arange(n, dtype=np.int64), (count, 1))
    facts = _facts_before(batch, rank)
    if rank > 0:
        with progress.stage("batch"):
            _native.module().qr_batch(
                batch.matrices,
                _choice(batch, settings, seed, keep_basis=True),
                piv=piv,
                Qt=Qt,
                R=R,
                facts=facts,
                progress=progress.poll,
            )
    Q, R = batch.stacked(np.swapaxes(Qt, 1, 2)), batch.stacked(batch.scaled_back(R))
    return Q, R, batch.stacked(piv), certificate(batch, facts)


def _facts_before(batch: Batch, rank: int) -> NDArray[np.float64]:
    """Room for what a compiled call finds out; at rank 0, where none is made, what is known."""
    if rank > 0:
        return np.zeros((len(batch.matrices), 3))
    with np.errstate(over="ignore"):
        norms2 = (np.abs(batch.matrices).astype(np.float64) ** 2).sum(axis=(1, 2))
    if not np.isfinite(norms2).all():
        raise FloatingPointError("sum of squares of A is not finite")
    return np.stack([norms2, norms2, np.ones_like(norms2)], axis=1)


def _choice(batch: Batch, settings: Selection, seed: int, *, keep_basis: bool = False) -> Any:
    """How the columns of every matrix are chosen, for the compiled call."""
    native, m = _native.module(), batch.shape[0]
    kind, size = settings.sketch or "gaussian", max(settings.sketch_size, 1)
    nnz = min(size, 1 if kind == "countsketch" else 8)
    return native.Choice(
        settings.method.native,
        rank=settings.rank,
        sketch=native.SketchOperator(KIND_CODES[kind], size, m, nnz, seed, 0),
        pivot_rows=settings.pivot_rows,
        probe=native.SketchOperator(0, settings.probes, m, 1, seed, 1),
        seed=seed,
        block=choose_block(settings.pivoting, settings.rank, False, settings.block_size),
        variant=native_variant(settings.pivoting),
        keep_basis=keep_basis,
    )


def plan_of(batch: Batch, settings: Selection, progress: Progress) -> Plan:
    """Tell how the columns of the matrices were chosen, and why so."""
    choices = {
        "pivoting": settings.pivoting.replace("_", " "),
        "sketch": settings.sketch,
        "sketch size": settings.sketch_size,
        "matrices": len(batch.matrices),
        "dtype": batch.matrices.dtype.name,
        "device": "cpu",
        "blas": blas_name(),
    }
    reasons = {key.replace("_", " "): why for key, why in settings.reasons.items()}
    return Plan(choices, reasons, 1, dict(progress.seconds))
