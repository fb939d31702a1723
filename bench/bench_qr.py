"""Column-pivoted QR against LAPACK: truncated at a rank, and full on general and tall matrices.

SciPy's `qr(pivoting=True)` always factors the whole matrix; the truncated calls are what its users want
of it. The answer of ours is wrong, and the bench stops, if its error is above ten times the best of the
rank, or if an entry of diag(R) is more than a factor 2 away from LAPACK's where that has digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import subspan
from numpy.typing import NDArray

from .cases import QRCase, qr_cases
from .run import Contender, Options, Results, interleave

LAPACK = "SciPy qr(pivoting=True)"
UNPIVOTED = "SciPy qr, no pivoting"
TRUNCATED = "subspan.qr"
TOLERANCE = "subspan.qr to the same error"
FULL = "subspan.qr, full rank"
SPEEDUP = 10  # over LAPACK, k=200 of matrix a


def run(results: Results, options: Options) -> None:
    for case in options.chosen(qr_cases(options.small)):
        results.start(case)
        one_case(case, results, options)


def one_case(case: QRCase, results: Results, options: Options) -> None:
    A, k = case.matrix.make(), case.rank
    full = k == min(A.shape)
    lapack: dict[str, NDArray[Any]] = {}
    best = case.matrix.optimum(k) or 0.0
    limit = 10 * best + 1000 * float(np.finfo(A.dtype).eps)

    def keep_diagonal(found: Any) -> float:
        lapack["diagonal"] = np.abs(np.diagonal(found[1])).copy()
        return relative_error(A, found)

    def checked(found: Any) -> float:
        _, R, _ = found
        seen, expected = np.abs(np.diagonal(R)), lapack["diagonal"][: len(R)]
        digits = expected > 1e4 * np.finfo(A.dtype).eps * expected[0]
        ratios = seen[digits] / expected[digits]
        near = bool(ratios.min() >= 0.5 and ratios.max() <= 2)
        return relative_error(A, found) if near else float("inf")

    def contender(name: str, call: Callable[[int], Any], role: str, **more: Any) -> Contender:
        return Contender(name, call, role, "the whole call: Q, R and pivots", limit=limit, **more)

    slow = None if options.small else 2
    contenders = [  # LAPACK first: the others are judged by its diagonal
        contender(
            LAPACK,
            lambda seed: scipy.linalg.qr(A, mode="economic", pivoting=True),
            "peer",
            rounds=slow,
            error=keep_diagonal,
        ),
        contender(
            FULL if full else TRUNCATED,
            lambda seed: subspan.qr(A, k, rng=seed),
            "ours",
            error=checked,
            checks=2,
        ),
    ]
    if full:
        contenders.append(
            contender(
                UNPIVOTED, lambda seed: scipy.linalg.qr(A, mode="economic"), "peer", rounds=slow
            )
        )
    else:
        target = subspan.qr(A, k, rng=0).error.relative
        contenders.append(
            contender(
                TOLERANCE,
                lambda seed: subspan.qr(A, rtol=target, rng=seed),
                "ours",
                error=lambda found: relative_error(A, found),
            )
        )
    timings = interleave(contenders, options)
    results.times(case, timings, case.matrix.optimum(k))
    ours = timings[contenders[1].name]
    goal = SPEEDUP if case.matrix.name == "a" and not full and not options.small else None
    results.ratio(case, "SciPy / ours", timings[LAPACK], ours, at_least=goal)
    for name in {UNPIVOTED, TOLERANCE} & set(timings):
        results.ratio(case, f"{name} / ours", timings[name], ours)


def relative_error(A: NDArray[Any], found: Any) -> float:
    """Measure ``|A[:, piv] - Q R| / |A|``, and that Q is orthonormal."""
    Q, R, piv = found
    if np.linalg.norm(Q.conj().T @ Q - np.eye(Q.shape[1])) > 1e3 * np.finfo(A.dtype).eps * len(R):
        return float("inf")
    return float(np.linalg.norm(A[:, piv] - Q @ R) / np.linalg.norm(A))
