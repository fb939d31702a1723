"""Choosing rows: moment matching and the methods that it is compared with, on equal rows.

The floor of a Frank-Wolfe pass is the product of all rows with as many directions. "error" is the
variance criterion tr(Sigma Sigma_S^{-1}) of the subset over the rank, 1 being ideal. The published loop
is given a hundredth of its 10,000 steps. On the large case only methods of one or few passes run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from subspan import selection
from subspan.selection import matching, moments
from subspan.selection.budget import as_budget
from subspan.selection.rows import TILE, Rows

from .cases import SelectionCase, selection_cases
from .run import Contender, Options, Results, interleave

GEMM = "floor: rows times all directions"
PASS = "a Frank-Wolfe pass"
MOMENT = "second moment"
SKMM = "moment matching"
SOLVED = "Frank-Wolfe at coverage 0.02"
PUBLISHED = "published loop, 100 of 10,000 steps"
# Methods of select, and the number of candidates up to which they run here.
OTHERS = {
    "uniform": 10**7,
    "leverage": 10**7,
    "rbrp": 10**7,
    "k_center": 10**5,
    "herding": 10**5,
    "v_opt": 10**5,
    "facility_location": 10**4,
}
# A pass at 70 % of the rate of the product.
PASS_MOST = 1 / 0.7


def run(results: Results, options: Options) -> None:
    for case in options.chosen(selection_cases(options.small)):
        results.start(case)
        one_case(case, results, options)


def one_case(case: SelectionCase, results: Results, options: Options) -> None:
    X = case.rows()
    timings = interleave([*_passes(X, case), *_methods(X, case)], options)
    results.times(case, timings)
    limit = None if options.small else PASS_MOST
    results.ratio(case, f"{PASS} / its floor", timings[PASS], timings[GEMM], at_most=limit)
    results.ratio(case, f"{MOMENT} / its floor", timings[MOMENT], timings[GEMM])
    results.ratio(case, f"{SKMM} / a pass", timings[SKMM], timings[PASS])
    if PUBLISHED in timings:
        name = f"{PUBLISHED} / ours, whole"
        results.ratio(case, name, timings[PUBLISHED], timings[SKMM])


def _passes(X: NDArray[np.float32], case: SelectionCase) -> Iterator[Contender]:
    rows = Rows(X)
    moment = moments.second_moment(rows)
    basis = moments.eigenbasis_of(moment, rows.eps)
    ones = np.ones(basis.rank)
    vectors = np.ascontiguousarray(basis.vectors, np.float32)
    image = np.empty((TILE, basis.rank), np.float32)

    def product(seed: int) -> None:
        for where, tile in rows.tiles():
            np.matmul(tile, vectors, out=image[: where.stop - where.start])

    flops = 2.0 * case.candidates * case.columns * basis.rank
    yield Contender(GEMM, product, "floor", "numpy, tile by tile, into one buffer", flops=flops)
    yield Contender(
        PASS,
        lambda seed: moments.scores_of(rows, basis, ones),
        timed="scores of all rows",
        flops=flops,
        error=partial(_score_error, X, vectors),
        error_kind="relative error of the scores of 1000 rows",
    )
    trace = sum(float(np.einsum("ij,ij->", part, part)) for _, part in _wide(rows)) / len(X)
    yield Contender(
        MOMENT,
        lambda seed: moments.second_moment(rows),
        timed="X^T X / N",
        error=lambda found: abs(float(np.trace(found)) / trace - 1),
        error_kind="relative error of the trace",
    )
    weights = matching.Weights(as_budget(case.n, case.candidates))
    problem = matching.Problem(basis, basis.values / 0.02, basis.values**-2.0, weights)
    yield Contender(
        SOLVED,
        lambda seed: matching.frank_wolfe(rows, problem, 1e-2, 20, None),
        timed="at most 20 steps",
        rounds=2,
        error=lambda r: r.objective / max(r.dual, 1e-300) - 1,
        error_kind="objective / dual bound - 1",
    )


def _wide(rows: Rows) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    return ((where, tile.astype(np.float64)) for where, tile in rows.tiles())


def _score_error(
    X: NDArray[np.float32], vectors: NDArray[np.float32], found: NDArray[np.float64]
) -> float:
    exact = np.square(X[:1000].astype(np.float64) @ vectors).sum(axis=1)
    return float(np.abs(found[:1000] / exact - 1).max())


def _methods(X: NDArray[np.float32], case: SelectionCase) -> Iterator[Contender]:
    select = partial(selection.select, X, case.n)
    yield _method(SKMM, lambda seed: select(method="skmm", rng=seed), "ours", case)
    for name, most in OTHERS.items():
        if case.candidates <= most:
            yield _method(name, partial(_other, select, name), "ours", case)
    if case.candidates <= 10**5:
        yield _method(
            PUBLISHED,
            lambda seed: select(
                method="skmm", solver="adam", rounding="successive", restarts=1,
                weighting="absolute", iterations=100, rng=seed,
            ),
            "peer",
            case,
        )  # fmt: skip


def _other(select: Callable[..., Any], name: str, seed: int) -> Any:
    return select(method=name, rng=seed)


def _method(name: str, call: Callable[[int], Any], role: str, case: SelectionCase) -> Contender:
    return Contender(
        name,
        call,
        role,
        "the whole call, with the certificate",
        error=lambda r: r.variance / r.certificate.rank,
        error_kind="tr(Sigma Sigma_S^-1) / rank",
        rounds=2,
    )
