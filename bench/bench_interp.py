"""Column interpolative decompositions at equal rank: ours, SciPy's routes, short numpy prototypes.

Every row has its error. Floors: reading A once plus LU of the sketch and the triangular solve at
the GEMM rate of the same rounds; for exact coefficients one product of k rows with A on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
import subspan

from . import floors, memory, peers
from .cases import InterpCase, interp_cases
from .run import Contender, Options, Results, Timing, interleave

SKETCH = 'coefficients="sketch"'
OSID = 'coefficients="osid"'
EXACT = "default (exact)"
RBRP = 'pivoting="rbrp"'
ACCURATE = 'pivoting="greedy"'
LUPP = 'pivoting="lupp" (exact)'
SINGLE_SKETCH = "float32, " + SKETCH
SINGLE_EXACT = "float32, " + EXACT
OPERATOR = "SciPy interp_decomp on an operator"
PLAIN = "SciPy interp_decomp"
DETERMINISTIC = "SciPy interp_decomp, rand=False"
QR = "SciPy qr(pivoting=True)"
GAUSSIAN_LU = "numpy Gaussian sketch + LU"
CSR_LU = "SciPy CSR sparse sign + LU"
CSC_LU = "SciPy CSC sparse sign + LU"

OURS: dict[str, dict[str, Any]] = {
    SKETCH: {"coefficients": "sketch"},
    OSID: {"coefficients": "osid"},
    EXACT: {},
    RBRP: {"pivoting": "rbrp"},
    ACCURATE: {"pivoting": "greedy"},
    LUPP: {"pivoting": "lupp"},
}
# Allowed multiple of the best error of any rank-k approximation; with a flat, unknown spectrum the
# allowed relative error itself. Coefficients from the factor alone have no useful bound.
FACTORS = {SKETCH: 100.0, OSID: 20.0, EXACT: 10.0, RBRP: 10.0, ACCURATE: 10.0, LUPP: 20.0}
RELATIVE = {SKETCH: 1e3, OSID: 5.0, EXACT: 1.0, RBRP: 1.0, ACCURATE: 1.0, LUPP: 1.0}
# Times faster than SciPy's best route and than its plain call, on matrix a: rank -> (best, plain).
SPEEDUPS = {100: (15, 100), 400: (40, 250)}


def ours(A: Any, k: int, seed: int, *, setting: str) -> subspan.InterpolativeDecomposition:
    return subspan.interpolative(A, k, rng=seed, **OURS[setting])


def run(results: Results, options: Options) -> None:
    for case in options.chosen(interp_cases(options.small)):
        results.start(case)
        one_case(case, results, options)


def one_case(case: InterpCase, results: Results, options: Options) -> None:
    A, k = case.matrix.make(), case.rank
    contenders = [*floors.readings(A), floors.gemm(A, k)]
    contenders += [_contender(case, A, name, partial(ours, setting=name)) for name in OURS]
    if case.matrix.name == "a":
        single = A.astype(np.float32)
        for name, setting in ((SINGLE_SKETCH, SKETCH), (SINGLE_EXACT, EXACT)):
            call = partial(ours, setting=setting)
            contenders.append(_contender(case, single, name, call, setting=setting))
    contenders += _peers(case, A, options)
    timings = interleave(contenders, options)
    timings |= floors.for_interpolation(timings, A, k)
    if options.memory:
        calls = {name: partial(ours, setting=name) for name in OURS}
        quick = {OPERATOR: peers.scipy_operator, GAUSSIAN_LU: peers.gaussian_lu}
        with memory.stored(A) as path:
            for name, call in {**calls, **quick}.items():
                timings[name].memory = memory.peak_extra(call, path, k)
    results.times(case, timings, case.matrix.optimum(k))
    for name, top, bottom, target in _comparisons(case, options):
        if top in timings and bottom in timings:
            results.ratio(case, name, timings[top], timings[bottom], **target)


def _contender(
    case: InterpCase,
    A: Any,
    name: str,
    call: memory.Call,
    *,
    setting: str = SKETCH,
    role: str = "ours",
    timed: str = "the whole call: indices, coefficients, skeleton, certificate",
    rounds: int | None = None,
) -> Contender:
    k, optimum = case.rank, case.matrix.optimum(case.rank)
    setting = name if name in FACTORS else setting
    limit = RELATIVE[setting]
    if optimum is not None:
        # Coefficients of order one, each with a rounding: their norm times eps, where the optimum is below.
        rounding = 1000 + 2 * np.sqrt(k * (A.shape[1] - k))
        limit = FACTORS[setting] * optimum + rounding * float(np.finfo(A.dtype).eps)
    return Contender(
        name,
        lambda seed: call(A, k, seed),
        role,
        timed,
        error=lambda found: peers.relative_error(A, *peers.pair(tuple(found), k)),
        limit=limit,
        checks=3,
        rounds=rounds,
    )


def _peers(case: InterpCase, A: Any, options: Options) -> Iterator[Contender]:
    """Slow ones have one or two rounds, and outside matrix a they run with --full only."""
    quick, slow = (None, 1) if options.small else (2, 1)
    table: list[tuple[str, memory.Call, int | None]] = [
        (GAUSSIAN_LU, peers.gaussian_lu, None),
        (CSR_LU, peers.csr_lu, None),
        (CSC_LU, peers.csc_lu, None),
        (OPERATOR, peers.scipy_operator, quick),
    ]
    if not sp.issparse(A) and (options.full or case.matrix.name == "a"):
        table += [
            (PLAIN, peers.scipy_random, slow),
            (DETERMINISTIC, peers.scipy_deterministic, slow),
            (QR, peers.pivoted_qr, slow),
        ]
    for name, call, rounds in table:
        timed = "sketch, factorization and coefficients"
        if name in (OPERATOR, PLAIN, DETERMINISTIC, QR):
            timed = "the call alone; coefficients are put in order outside the clock"
        yield _contender(case, A, name, call, role="peer", timed=timed, rounds=rounds)


def _comparisons(case: InterpCase, options: Options) -> Iterator[tuple[str, str, str, dict]]:
    """Name, slower, faster, target. Targets hold for full sizes."""
    k, targets = case.rank, not options.small
    on_a = targets and case.matrix.name == "a"
    best, plain = SPEEDUPS[k] if on_a else (None, None)
    threefold = 3 if targets and not case.matrix.sparse else None
    two_and_a_half = 2.5 if targets else None
    yield "SciPy's best route / ours, sketch", OPERATOR, SKETCH, {"at_least": best}
    yield "SciPy's plain call / ours, sketch", PLAIN, SKETCH, {"at_least": plain}
    yield "SciPy qr / ours, sketch", QR, SKETCH, {}
    for peer in (GAUSSIAN_LU, CSR_LU, CSC_LU):
        yield f"{peer} / ours, sketch", peer, SKETCH, {"at_least": threefold}
    yield "SciPy's best route / ours, default", OPERATOR, EXACT, {}
    yield "ours, sketch / its floor", SKETCH, floors.SKETCH, {"at_most": threefold}
    yield "ours, osid / the same floor", OSID, floors.SKETCH, {}
    yield "lupp, exact / its floor", LUPP, floors.EXACT, {"at_most": 2 if targets else None}
    yield "ours, default / the same floor", EXACT, floors.EXACT, {}
    yield "rbrp / lupp, exact", RBRP, LUPP, {"at_most": two_and_a_half}
    yield "accurate / default", ACCURATE, EXACT, {"at_most": two_and_a_half}
    faster = {"at_least": 1.7 if on_a else None}
    yield "float64 / float32, sketch", SKETCH, SINGLE_SKETCH, faster
    yield "float64 / float32, default", EXACT, SINGLE_EXACT, faster


def accurate_against_auto(case: InterpCase, results: Results, options: Options) -> None:
    """Time of the accurate setting against "auto" alone, with their errors."""
    A = case.matrix.make()
    names = (EXACT, ACCURATE)
    contenders = [_contender(case, A, name, partial(ours, setting=name)) for name in names]
    timings: dict[str, Timing] = interleave(contenders, options)
    results.times(case, timings, case.matrix.optimum(case.rank))
    limit = None if options.small else 2.5
    results.ratio(case, "accurate / auto", timings[ACCURATE], timings[EXACT], at_most=limit)
