"""Pivot kernels: LU with partial pivoting against QR with column pivoting of a Gaussian sketch.

The job: choose l of n columns of a Gaussian Y of shape (l, n). The LAPACK kernels, SciPy's, work on
their copy, made outside the clock, of Y.T (getrf) or Y (geqp3). subspan.pivots is the whole call on
Y and first sketches it again to l rows by sparse sign, as it would any matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import subspan
from numpy.typing import NDArray
from scipy.linalg import lapack

from .cases import PivotCase, pivot_cases
from .run import Contender, Options, Results, interleave

GETRF = "getrf (LUPP)"
GEQP3 = "geqp3 (CPQR)"
LUPP = 'subspan.pivots, "lupp"'
CPQR = 'subspan.pivots, "cpqr"'


def run(results: Results, options: Options) -> None:
    for case in options.chosen(pivot_cases(options.small, options.full)):
        results.start(case)
        one_case(case, results, options)


def one_case(case: PivotCase, results: Results, options: Options) -> None:
    n, size = case.n, case.size
    Y = np.random.default_rng(0).standard_normal((size, n))
    scratch = np.empty(Y.size)
    tall = scratch.reshape((n, size), order="F")
    wide = scratch.reshape((size, n), order="F")

    def error(J: NDArray[np.int64]) -> float:
        if len(set(J.tolist())) != size:
            return float("inf")
        return float(np.linalg.cond(Y[:, J]))

    def kernel(name: str, call: Any, work: Any, flops: float, rounds: int | None) -> Contender:
        return Contender(
            name,
            lambda seed: call(work),
            "peer",
            "the factorization alone, in place, and its list of pivots",
            prepare=lambda: np.copyto(work, Y.T if work is tall else Y),
            rounds=rounds,
            flops=flops,
            **check,
        )

    def ours(name: str, pivoting: str, rounds: int | None) -> Contender:
        return Contender(
            name,
            lambda seed: subspan.pivots(Y, size, pivoting=pivoting, rng=seed),
            timed="the whole call on Y, with its own sketch of Y",
            rounds=rounds,
            **check,
        )

    check: dict[str, Any] = {
        "error": error,
        "error_kind": "condition number of the chosen columns",
        "limit": 100.0 * size,
    }
    slow = None if options.small else 2
    lu_flops, qr_flops = n * size**2 - size**3 / 3, 2 * n * size**2 - 2 * size**3 / 3
    contenders = [
        kernel(GETRF, _getrf, tall, lu_flops, None),
        kernel(GEQP3, _geqp3, wide, qr_flops, slow),
        ours(LUPP, "lupp", None),
        ours(CPQR, "cpqr", slow),
    ]
    timings = interleave(contenders, options)
    results.times(case, timings)
    results.ratio(case, "geqp3 / getrf", timings[GEQP3], timings[GETRF])
    results.ratio(case, "ours: cpqr / lupp", timings[CPQR], timings[LUPP])
    results.ratio(case, "geqp3 / ours, lupp", timings[GEQP3], timings[LUPP])
    results.ratio(case, "ours, lupp / getrf", timings[LUPP], timings[GETRF])


def _getrf(work: NDArray[np.float64]) -> NDArray[np.int64]:
    _, swaps, _ = lapack.dgetrf(work, overwrite_a=1)
    order = np.arange(work.shape[0])
    for i, j in enumerate(swaps):
        order[i], order[j] = order[j], order[i]
    return order[: work.shape[1]]


def _geqp3(work: NDArray[np.float64]) -> NDArray[np.int64]:
    size = int(lapack.dgeqp3(work, lwork=-1, overwrite_a=1)[3][0])
    _, order, _, _, _ = lapack.dgeqp3(work, lwork=size, overwrite_a=1)
    return np.asarray(order[: work.shape[0]] - 1, np.int64)
