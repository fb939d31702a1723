"""The column decomposition of a source: choose columns, find coefficients, certify the error."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .. import error as _error
from .._progress import Progress
from ..foreign import is_foreign
from ..pivot import STOP_REASONS, Selection, in_range, select
from ..result import Plan, history_of, scaled_history
from ..source import Source
from .certificate import certify, conclude, spectral_norm_of
from .decomposition import InterpolativeDecomposition
from .given import given_id
from .request import Request
from .settings import PROBES, plan_of, resolve


def column_id(source: Source, request: Request, progress: Progress) -> InterpolativeDecomposition:
    """Column ID of a source, whatever its scale."""
    with source.heard_by(progress.block):
        return _column_id(source, request, progress)


def _column_id(source: Source, request: Request, progress: Progress) -> InterpolativeDecomposition:
    if is_foreign(request.pivoting, request.sketch):
        if request.goal.rank > 0:
            return given_id(source, request, progress)
        request = dataclasses.replace(request, pivoting="auto", sketch="auto")
    settings, mode = resolve(source, request)
    if request.goal.rank == 0:
        return _nothing_chosen(source, request, settings, progress)
    found = _at_any_scale(source, request, settings, mode, progress)
    if settings.pivoting == "full_cpqr" and _rounding_wins(found, source.dtype):
        # All columns but a few of a matrix like Kahan's: their triangular factor has no small diagonal
        # entry and yet no inverse. With the filter of the blockwise methods it has.
        again = dataclasses.replace(request, pivoting="greedy")
        settings, mode = resolve(source, again)
        settings.reasons["pivoting"] = "the columns that LAPACK chooses are numerically dependent"
        found = _at_any_scale(source, again, settings, mode, progress)
    return found


def _rounding_wins(found: InterpolativeDecomposition, dtype: np.dtype[Any]) -> bool:
    """Tell whether coefficients are so large that rounding leaves less than half of the digits."""
    limit = float(np.finfo(dtype).eps) ** -0.5
    return bool(np.abs(found.coefficients).max(initial=0) > limit)


def _at_any_scale(
    source: Source, request: Request, settings: Selection, mode: int, progress: Progress
) -> InterpolativeDecomposition:
    try:
        return _run(source, request, settings, mode, progress)
    except FloatingPointError:
        scaled, exponent = in_range(source)
    if scaled is source:
        return _nothing_chosen(source, request, settings, progress)
    request = dataclasses.replace(request, goal=request.goal.scaled(-exponent))
    found = _run(scaled, request, settings, mode, progress)
    return dataclasses.replace(
        found,
        skeleton=source.columns(found.indices),
        error=found.error.scaled(exponent),
        history=scaled_history(found.history, exponent),
    )


def _run(
    source: Source, request: Request, settings: Selection, mode: int, progress: Progress
) -> InterpolativeDecomposition:
    goal, n = request.goal, source.shape[1]
    before = source.passes
    if goal.to_tolerance:
        settings.rtol, settings.atol = goal.rtol, goal.atol
    spectral_norm = spectral_norm_of(source, goal, request.seed, progress)
    if goal.norm == "spectral":
        settings.probes = PROBES
        if goal.to_tolerance:
            settings.atol, settings.rtol = goal.tolerance(spectral_norm), 0.0
    with progress.stage("choose columns"):
        skeleton = select(source, settings, request.seed, progress.poll)
    revealed = -1.0
    with progress.stage("coefficients"):
        W = np.empty((skeleton.rank, n), source.dtype)
        if skeleton.rank:
            tolerance = settings.tolerance(skeleton.norm2)
            revealed = skeleton.coefficients(source.native, mode, tolerance, W)
            W = W[: skeleton.rank]
        indices = np.array(skeleton.permutation[: skeleton.rank])
        columns = source.columns(indices)
    with progress.stage("certificate"):
        certificate = certify(skeleton, settings, goal, W, revealed, spectral_norm)
    passes = source.passes - before if source.kind == "blocks" else int(skeleton.passes)
    found = InterpolativeDecomposition(
        indices=indices,
        coefficients=W,
        skeleton=columns,
        axis=1,
        error=certificate,
        converged=True,
        stop_reason=STOP_REASONS[skeleton.stop],
        history=history_of(skeleton.history),
        plan=plan_of(source, settings, mode, skeleton, progress, passes),
        seed=request.seed,
    )
    return conclude(source, goal, found, spectral_norm, progress)


def _nothing_chosen(
    source: Source, request: Request, settings: Selection, progress: Progress
) -> InterpolativeDecomposition:
    """Rank 0: the approximation is the zero matrix and the error is the norm of A."""
    certificate = _error.of_nothing(source, request.goal.norm, request.seed)
    indices = np.empty(0, np.int64)
    choices = {"pivoting": settings.pivoting, "input": source.kind, "dtype": source.dtype.name}
    return InterpolativeDecomposition(
        indices=indices,
        coefficients=np.zeros((0, source.shape[1]), source.dtype),
        skeleton=np.zeros((source.shape[0], 0), source.dtype),
        axis=1,
        error=certificate,
        converged=request.goal.met_by(certificate),
        stop_reason="rank" if request.goal.rank == 0 else "exhausted",
        history=(),
        plan=Plan(choices, {}, 0, dict(progress.seconds)),
        seed=request.seed,
    )
