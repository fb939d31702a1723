"""The decomposition of one matrix, from a basis of its range."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import error as _error
from .._progress import Progress
from ..angles.leading import leading_norms
from ..angles.subspaces import SubspaceAngles
from ..goal import Goal
from ..pivot import STOP_REASONS
from ..range_finder import FoundRange, RangeSettings, find_range, plan_of, residual_of
from ..result import ErrorEstimate
from ..source import Source
from .certificate import certify, kept
from .decomposition import SVDResult


def decompose(
    source: Source,
    goal: Goal,
    settings: RangeSettings,
    seed: int,
    progress: Progress,
    angles: bool | str = False,
) -> SVDResult:
    """Find a basis of the range, decompose what it sees of A, keep what the goal needs."""
    found = None
    if settings.size > 0:
        found = find_range(source, goal, settings, seed, progress, project=True)
    if found is None:
        return _no_triplet(source, goal, settings, seed, progress, angles)
    if settings.method == "block_krylov" and found.basis.size < goal.rank:
        settings.method = "subspace"
        settings.reasons["method"] = "the Krylov space ends before the rank"
        return decompose(source, goal, settings, seed, progress, angles)
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
    if angles:
        result = _with_angles(result, source, settings, found, values, residual, angles, progress)
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


def _with_angles(
    result: SVDResult,
    source: Source,
    settings: RangeSettings,
    found: FoundRange,
    values: NDArray[Any],
    outside: ErrorEstimate,  # of the scaled matrix
    angles: bool | str,
    progress: Progress,
) -> SVDResult:
    """Attach what is known of the canonical angles; "sharper" multiplies A once more."""
    wide = np.ldexp(np.asarray(values, np.float64), found.exponent)
    residual, plan = None, result.plan
    if angles == "sharper":
        with progress.stage("angles"):
            residual = _residual_norms(source, result, found.exponent)
        plan = dataclasses.replace(plan, passes=plan.passes + 1, seconds=dict(progress.seconds))
    tail = outside
    if outside.norm != "fro":
        tail = residual_of(found.basis, source.dtype, "fro")
    attached = SubspaceAngles.of_projection(
        values=wide,
        rank=result.rank,
        outside=outside.scaled(found.exponent),
        tail_norm=tail.scaled(found.exponent).value,
        size=min(source.shape),
        power_iterations=settings.power_iterations if settings.method == "subspace" else None,
        dtype=source.dtype,
        seed=result.seed,
        residual=residual,
    )
    return dataclasses.replace(result, angles=attached, plan=plan)


def _residual_norms(source: Source, result: SVDResult, exponent: int) -> NDArray[np.float64]:
    """``||A V_j - U_j S_j||_2`` for the leading j, at most, j = 1 ... rank."""
    scale = float(np.ldexp(1.0, -exponent))  # keeps products within the range
    image = np.asarray(source.matrix @ (result.Vh.conj().T * scale))
    R = image - result.U * (result.s * scale)
    return np.asarray(leading_norms(R) / scale)


def _no_triplet(
    source: Source,
    goal: Goal,
    settings: RangeSettings,
    seed: int,
    progress: Progress,
    angles: bool | str,
) -> SVDResult:
    """Rank 0, or A is zero: as many zero values as asked for when a rank was."""
    certificate = _error.of_nothing(source, goal.norm, seed)
    m, n = source.shape
    k = 0 if goal.to_tolerance else goal.rank
    s = np.zeros(k, np.zeros(0, source.dtype).real.dtype)
    attached = SubspaceAngles.of_approximation(s, certificate, source.shape, seed)
    return SVDResult(
        U=np.eye(m, k, dtype=source.dtype),
        s=s,
        Vh=np.eye(k, n, dtype=source.dtype),
        error=certificate,
        converged=goal.met_by(certificate),
        stop_reason="rank" if goal.rank == 0 else "exhausted",
        leave_one_out=float("nan"),
        history=(),
        plan=plan_of(source, settings, 0, 0, progress),
        seed=seed,
        angles=attached if angles else None,
    )
