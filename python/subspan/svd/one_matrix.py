"""The decomposition of one matrix, from a basis of its range."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import error as _error
from .._progress import Progress
from ..goal import Goal
from ..pivot import STOP_REASONS
from ..range_finder import RangeSettings, find_range, plan_of, residual_of
from ..source import Source
from .certificate import certify, kept
from .decomposition import SVDResult


def decompose(
    source: Source, goal: Goal, settings: RangeSettings, seed: int, progress: Progress
) -> SVDResult:
    """Find a basis of the range, decompose what it sees of A, keep what the goal needs."""
    found = None
    if settings.size > 0:
        found = find_range(source, goal, settings, seed, progress, project=True)
    if found is None:
        return _no_triplet(source, goal, settings, seed, progress)
    if settings.method == "block_krylov" and found.basis.size < goal.rank:
        settings.method = "subspace"
        settings.reasons["method"] = "the Krylov space ends before the rank"
        return decompose(source, goal, settings, seed, progress)
    with progress.stage("small svd"):
        values = found.basis.singular_values()
    residual = residual_of(found.basis, source.dtype, goal.norm)
    k = kept(goal=found.goal, values=values, residual=residual, spectral_norm=found.spectral_norm)
    with progress.stage("vectors"):
        U = np.empty((source.shape[0], k), source.dtype, order="F")
        Vh = np.empty((k, source.shape[1]), source.dtype)
        found.basis.vectors(U, Vh)
    certificate = certify(found, residual, values, k, goal.norm)
    stop = STOP_REASONS[found.basis.stop]
    agrees = stop == "tolerance"
    result = SVDResult(
        U=U,
        s=np.ldexp(values[:k], found.exponent) if found.exponent else values[:k].copy(),
        Vh=Vh,
        error=certificate.scaled(found.exponent),
        converged=found.goal.met_by(certificate, selection_agrees=agrees),
        stop_reason=stop,
        leave_one_out=found.leave_one_out,
        history=found.history,
        plan=plan_of(source, settings, int(found.basis.passes), found.basis.size, progress),
        seed=seed,
    )
    if goal.norm == "spectral":
        with progress.stage("spectral error"):
            seen = _error.spectral_error(source.matrix, result, seed)
        certificate = result.error
        largest = float(result.s[0]) if k else seen
        result = dataclasses.replace(
            result,
            error=dataclasses.replace(
                certificate,
                value=max(seen, certificate.value),
                relative=max(seen, certificate.value) / largest if largest > 0 else 0.0,
                upper=max(certificate.upper, seen),
            ),
        )
    if goal.to_tolerance:
        met = goal.met_by(result.error, selection_agrees=agrees)
        result = dataclasses.replace(
            result, converged=met, stop_reason="tolerance" if met else stop
        )
    return result


def _no_triplet(
    source: Source, goal: Goal, settings: RangeSettings, seed: int, progress: Progress
) -> SVDResult:
    """Rank 0, or A is zero: as many zero values as asked for when a rank was."""
    certificate = _error.of_nothing(source, goal.norm, seed)
    m, n = source.shape
    k = 0 if goal.to_tolerance else goal.rank
    return SVDResult(
        U=np.eye(m, k, dtype=source.dtype),
        s=np.zeros(k, np.zeros(0, source.dtype).real.dtype),
        Vh=np.eye(k, n, dtype=source.dtype),
        error=certificate,
        converged=goal.met_by(certificate),
        stop_reason="rank" if goal.rank == 0 else "exhausted",
        leave_one_out=float("nan"),
        history=(),
        plan=plan_of(source, settings, 0, 0, progress),
        seed=seed,
    )
