"""The factors of a source: choose columns, then rows of these, and find what is between them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _native
from .. import error as _error
from .._array import ldexp
from .._progress import Progress
from ..goal import Goal
from ..interp.certificate import from_probe, spectral_norm_of, with_value
from ..interp.request import Request
from ..interp.settings import PROBES, plan_of, resolve
from ..pivot import STOP_REASONS, Selection, in_range, select
from ..qr.certificate import revealed_error
from ..result import ErrorEstimate, Plan, history_of, scaled_history
from ..source import Source
from .decomposition import CURDecomposition

CORES = ("stable", "cross", "id")  # in the order of the compiled codes
_ATTEMPTS = 5


def factor(source: Source, request: Request, core: str, progress: Progress) -> CURDecomposition:
    """CUR decomposition of a source, whatever its scale."""
    resolve(source, request)  # refuses what no scale can serve
    if request.goal.rank == 0:
        return _nothing_chosen(source, request, core, progress)
    try:
        return _to_goal(source, request, core, progress)
    except FloatingPointError:
        scaled, exponent = in_range(source)
    if scaled is source:
        return _nothing_chosen(source, request, core, progress)
    request = dataclasses.replace(request, goal=request.goal.scaled(-exponent))
    found = _to_goal(scaled, request, core, progress)
    return dataclasses.replace(
        found,
        C=source.columns(found.columns),
        R=source.transposed.columns(found.rows).T,
        middle=ldexp(found.middle, exponent),
        left_factor=ldexp(found.left_factor, exponent),
        right_factor=ldexp(found.right_factor, exponent),
        error=found.error.scaled(exponent),
        history=scaled_history(found.history, exponent),
    )


def _to_goal(source: Source, request: Request, core: str, progress: Progress) -> CURDecomposition:
    """Columns to a share of the tolerance, less of it until the whole decomposition meets it."""
    goal = request.goal
    spectral_norm = spectral_norm_of(source, goal, request.seed, progress)
    share = float(np.sqrt(0.5))
    for _ in range(_ATTEMPTS if goal.to_tolerance else 1):
        found = _run(source, request, core, share, spectral_norm, progress)
        if found.converged or found.stop_reason != "tolerance":
            break
        allowed = goal.allowed(found.error)
        share *= 0.7 * allowed / max(found.error.upper, allowed)
    if goal.to_tolerance:
        reason = found.stop_reason
        reason = "tolerance" if found.converged else {"tolerance": "exhausted"}.get(reason, reason)
        found = dataclasses.replace(found, stop_reason=reason)
    return found


def _run(
    source: Source,
    request: Request,
    core: str,
    share: float,
    spectral_norm: float,
    progress: Progress,
) -> CURDecomposition:
    goal, (m, n) = request.goal, source.shape
    settings, mode = resolve(source, request)
    before = source.passes
    if goal.to_tolerance:
        settings.rtol, settings.atol = share * goal.rtol, share * goal.atol
    settings.probes = PROBES
    if goal.norm == "spectral" and goal.to_tolerance:
        settings.atol, settings.rtol = share * goal.tolerance(spectral_norm), 0.0
    with progress.stage("choose columns"):
        skeleton = select(source, settings, request.seed, progress.poll, keep_basis=True)
    k, native, other = skeleton.rank, _native.module(), source.transposed
    shapes = ((m, k), (k, k), (k, k), (n, k), (k, k))
    Qc, Rc, M, Qr, Rr = factors = [np.zeros(shape, source.dtype, order="F") for shape in shapes]
    rows, revealed = np.empty(0, np.int64), -1.0
    with progress.stage("rows and core"):
        if k:
            tolerance = settings.tolerance(skeleton.norm2)
            rows, revealed = native.cur(
                skeleton, source.native, other.native, CORES.index(core), tolerance, *factors
            )
            k = skeleton.rank
        left, right = Qc[:, :k], Qr[:, :k]
        left_factor, middle, right_factor = (np.asfortranarray(X[:k, :k]) for X in (Rc, M, Rr))
        columns = np.array(skeleton.permutation[:k])
    with progress.stage("gather"):
        C, R = source.columns(columns), other.columns(rows).T
    with progress.stage("certificate"):
        certificate = _certify(
            source, skeleton, settings, request, (left, middle, right), revealed, spectral_norm
        )
    passes = source.passes - before if source.kind == "blocks" else int(skeleton.passes)
    plan = plan_of(source, settings, mode, skeleton, progress, passes)
    plan.choices["core"] = core
    plan.choices["rows"] = "lupp of the columns"
    del plan.choices["coefficients"]
    found = CURDecomposition(
        C=C,
        R=R,
        columns=columns,
        rows=rows,
        left=left,
        middle=middle,
        right=right.conj().T,
        left_factor=left_factor,
        right_factor=right_factor,
        core=core,
        error=certificate,
        converged=True,
        stop_reason=STOP_REASONS[skeleton.stop],
        history=history_of(skeleton.history),
        plan=plan,
        seed=request.seed,
    )
    return _judged(source, goal, found, spectral_norm, progress)


def _certify(
    source: Source,
    skeleton: Any,
    settings: Selection,
    request: Request,
    factors: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    revealed: float,
    spectral_norm: float,
) -> ErrorEstimate:
    """Return the error from what the call has touched: energies, else the probe."""
    norm = request.goal.norm
    if norm == "fro" and revealed >= 0:
        return revealed_error(revealed, skeleton.norm2, factors[1])
    native = _native.module()
    G = native.SketchOperator(0, settings.probes, source.shape[0], 1, request.seed, 1)
    left, middle, right = factors

    def gram(rank: int) -> NDArray[Any]:
        out = np.empty((settings.probes, settings.probes), source.dtype)
        parts = left[:, :rank], middle[:rank, :rank], right[:, :rank]
        native.cur_probe_gram(skeleton, G, *parts, out)
        return out

    return from_probe(gram(len(middle)), lambda: gram(0), norm, skeleton.norm2, spectral_norm)


def _judged(
    source: Source, goal: Goal, found: CURDecomposition, spectral_norm: float, progress: Progress
) -> CURDecomposition:
    """Measure what the certificate leaves open, and tell whether the goal is met."""
    error = found.error
    if goal.norm == "spectral":
        with progress.stage("spectral error"):
            value = _error.spectral_error(source.matrix, found, found.seed)
        found = dataclasses.replace(found, error=with_value(error, value, spectral_norm))
    elif goal.to_tolerance and source.kind != "operator" and _is_open(goal, error):
        with progress.stage("certificate"):
            found = dataclasses.replace(found, error=found.error_exact(source.matrix))
    return dataclasses.replace(found, converged=goal.met_by(found.error))


def _is_open(goal: Goal, error: ErrorEstimate) -> bool:
    """Tell whether the confidence of an estimate, or rounding, decides about the tolerance."""
    return error.value <= goal.allowed(error) < error.upper


def _nothing_chosen(
    source: Source, request: Request, core: str, progress: Progress
) -> CURDecomposition:
    """Rank 0: the approximation is the zero matrix and the error is the norm of A."""
    certificate = _error.of_nothing(source, request.goal.norm, request.seed)
    (m, n), dtype, nothing = source.shape, source.dtype, np.empty(0, np.int64)
    square = np.zeros((0, 0), dtype)
    return CURDecomposition(
        C=np.zeros((m, 0), dtype),
        R=np.zeros((0, n), dtype),
        columns=nothing,
        rows=nothing,
        left=np.zeros((m, 0), dtype),
        middle=square,
        right=np.zeros((0, n), dtype),
        left_factor=square,
        right_factor=square,
        core=core,
        error=certificate,
        converged=request.goal.met_by(certificate),
        stop_reason="rank" if request.goal.rank == 0 else "exhausted",
        history=(),
        plan=Plan({"input": source.kind, "dtype": dtype.name}, {}, 0, dict(progress.seconds)),
        seed=request.seed,
    )
