"""The factors of a source: choose the columns, orthonormalize them, certify the error."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _native
from .. import error as _error
from .._array import ldexp
from .._progress import Progress
from ..interp.certificate import conclude, from_probe, spectral_norm_of
from ..interp.request import Request
from ..interp.settings import PROBES, plan_of, resolve
from ..pivot import STOP_REASONS, Selection, in_range, select
from ..result import ErrorEstimate, Plan, history_of, scaled_history
from ..source import Source
from .blocked import blocked, choose_blocked, serves_blocked
from .certificate import revealed_error
from .decomposition import PivotedQR


def factor(source: Source, request: Request, progress: Progress) -> PivotedQR:
    """Pivoted QR of a source, whatever its scale."""
    if choose_blocked(source, request):
        return _at_any_scale(blocked, source, request, progress)
    truncated = _for_qr(source, request)
    resolve(source, truncated)  # refuses what no scale can serve
    found = _at_any_scale(_truncated, source, truncated, progress)
    if found.rank < request.goal.rank and serves_blocked(source, request):
        return _at_any_scale(blocked, source, request, progress)  # all columns were asked for
    return found


def _at_any_scale(
    run: Callable[[Source, Request, Progress], PivotedQR],
    source: Source,
    request: Request,
    progress: Progress,
) -> PivotedQR:
    if request.goal.rank == 0:
        return _nothing_chosen(source, request, progress)
    try:
        return run(source, request, progress)
    except FloatingPointError:
        scaled, exponent = in_range(source)
    if scaled is source:
        return _nothing_chosen(
            source, request, progress, request.goal.rank if run is blocked else 0
        )
    request = dataclasses.replace(request, goal=request.goal.scaled(-exponent))
    found = run(scaled, request, progress)
    return dataclasses.replace(
        found,
        R=ldexp(found.R, exponent),
        error=found.error.scaled(exponent),
        history=scaled_history(found.history, exponent),
    )


def _for_qr(source: Source, request: Request) -> Request:
    """The request with "auto" to a tolerance resolved: greedy, so that diag(R) follows LAPACK's."""
    at_hand = source.kind not in ("operator", "blocks")
    if request.pivoting == "auto" and request.goal.to_tolerance and at_hand:
        return dataclasses.replace(request, pivoting="greedy")
    return request


def _truncated(source: Source, request: Request, progress: Progress) -> PivotedQR:
    goal, n = request.goal, source.shape[1]
    settings, mode = resolve(source, request)
    before = source.passes
    if goal.to_tolerance:
        settings.rtol, settings.atol = goal.rtol, goal.atol
    spectral_norm = spectral_norm_of(source, goal, request.seed, progress)
    if goal.norm == "spectral":
        settings.probes = PROBES
        if goal.to_tolerance:
            settings.atol, settings.rtol = goal.tolerance(spectral_norm), 0.0
    with progress.stage("choose columns"):
        skeleton = select(source, settings, request.seed, progress.poll, keep_basis=True)
    revealed = -1.0
    with progress.stage("factors"):
        Q = np.empty((source.shape[0], skeleton.rank), source.dtype, order="F")
        R = np.empty((skeleton.rank, n), source.dtype)
        piv = np.array(skeleton.permutation)
        if skeleton.rank:
            tolerance = settings.tolerance(skeleton.norm2)
            revealed = _native.module().truncated_qr(skeleton, source.native, tolerance, Q, R)
            Q, R = Q[:, : skeleton.rank], R[: skeleton.rank]
    with progress.stage("certificate"):
        certificate = _certify(source, skeleton, settings, request, Q, R, revealed, spectral_norm)
    passes = source.passes - before if source.kind == "blocks" else int(skeleton.passes)
    plan = plan_of(source, settings, mode, skeleton, progress, passes)
    del plan.choices["coefficients"]
    stop = STOP_REASONS[skeleton.stop]
    found = PivotedQR(
        Q, R, piv, certificate, True, stop, history_of(skeleton.history), plan, request.seed
    )
    return conclude(source, goal, found, spectral_norm, progress)


def _certify(
    source: Source,
    skeleton: Any,
    settings: Selection,
    request: Request,
    Q: NDArray[Any],
    R: NDArray[Any],
    revealed: float,
    spectral_norm: float,
) -> ErrorEstimate:
    """Return the error from what the call has touched: the revealed residual, else the probe."""
    if settings.method.family == "blockwise":
        revealed = skeleton.history[-1][1] ** 2
    if request.goal.norm == "fro" and revealed >= 0:
        return revealed_error(revealed, skeleton.norm2, R)
    native = _native.module()
    G = native.SketchOperator(0, settings.probes, source.shape[0], 1, request.seed, 1)

    def gram(rank: int) -> NDArray[Any]:
        out = np.empty((settings.probes, settings.probes), R.dtype)
        native.qr_probe_gram(skeleton, G, Q[:, :rank], R[:rank], out)
        return out

    norm, norm2 = request.goal.norm, skeleton.norm2
    return from_probe(gram(len(R)), lambda: gram(0), norm, norm2, spectral_norm)


def _nothing_chosen(
    source: Source, request: Request, progress: Progress, columns: int = 0
) -> PivotedQR:
    """The approximation is the zero matrix and the error is the norm of A; Q as wide as asked."""
    certificate = _error.of_nothing(source, request.goal.norm, request.seed)
    (m, n), goal = source.shape, request.goal
    return PivotedQR(
        Q=np.eye(m, columns, dtype=source.dtype, order="F"),
        R=np.zeros((columns, n), source.dtype),
        piv=np.arange(n, dtype=np.int64),
        error=certificate,
        converged=goal.met_by(certificate),
        stop_reason="rank" if goal.rank == 0 else "exhausted",
        history=(),
        plan=Plan({"input": source.kind, "dtype": source.dtype.name}, {}, 0, progress.seconds),
        seed=request.seed,
    )
