"""Many small matrices at one rank: one batched call of ours, a Python loop of ours, numpy's and SciPy's.

numpy's singular value decomposition takes the whole stack as well; it always finds all values, as
SciPy's pivoted QR finds all columns: each is cut to the rank inside the clock, which costs nothing.
The error is that of the matrix which comes out worst.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.linalg
import scipy.linalg.interpolative as sli
import subspan
from numpy.typing import NDArray

from .cases import BatchCase, batch_cases
from .run import Contender, Options, Results, interleave

FACTOR = 10  # errors may be this much above the best of the rank
ROUTINES = ("svd", "interpolative", "qr")

Product = tuple[NDArray[Any], NDArray[Any]]
Decompose = Callable[[NDArray[Any], int], Product]


def run(results: Results, options: Options) -> None:
    for case in options.chosen(batch_cases(options.small)):
        results.start(case)
        one_case(case, results, options)


def one_case(case: BatchCase, results: Results, options: Options) -> None:
    A, optimum = case.make(), case.optimum()
    limit = FACTOR * optimum
    slow = None if case.n < 100 else 2
    contenders = [*_ours(A, case.rank, limit), *_peers(A, case.rank, limit, slow)]
    timings = interleave(contenders, options)
    results.times(case, timings, optimum)
    for routine in ROUTINES:
        batched = timings[f"{routine}, one call"]
        for name in (f"{routine}, loop of ours", *_names(routine)):
            results.ratio(case, f"{name} / ours, one call", timings[name], batched)


def worst_error(A: NDArray[Any], found: Product) -> float:
    """Largest relative Frobenius error of a product of two factors in the stack."""
    left, right = found
    return float((_norms(A - left @ right) / _norms(A)).max())


def _norms(A: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(A, axis=(1, 2)))


def _ours(A: NDArray[Any], k: int, limit: float) -> Iterator[Contender]:
    for routine in ROUTINES:
        call = getattr(subspan, routine)
        yield Contender(
            f"{routine}, one call",
            lambda seed, call=call: call(A, k, rng=seed),
            timed="the whole call for all matrices, certificates included",
            error=lambda found: worst_error(A, (found.toarray(), np.eye(A.shape[2]))),
            limit=limit,
        )
        yield Contender(
            f"{routine}, loop of ours",
            lambda seed, call=call: [call(matrix, k, rng=seed) for matrix in A],
            timed="as many calls as matrices",
            error=lambda found: worst_error(
                A, (np.stack([r.toarray() for r in found]), np.eye(A.shape[2]))
            ),
            limit=limit,
        )


def _peers(A: NDArray[Any], k: int, limit: float, rounds: int | None) -> Iterator[Contender]:
    def stacked(decompose: Decompose) -> Callable[[int], Product]:
        def call(seed: int) -> Product:
            left, right = zip(*(decompose(matrix, k) for matrix in A), strict=True)
            return np.stack(left), np.stack(right)

        return call

    calls = {
        "numpy svd, loop": stacked(_svd),
        "numpy svd, one call": lambda seed: _svd(A, k),
        "SciPy interp_decomp, loop": stacked(_interpolative),
        "SciPy qr(pivoting=True), loop": stacked(_qr),
    }
    for name, call in calls.items():
        yield Contender(
            name,
            call,
            "peer",
            "all matrices, results stacked",
            error=lambda found: worst_error(A, found),
            limit=limit,
            rounds=rounds,
        )


def _names(routine: str) -> tuple[str, ...]:
    return {
        "svd": ("numpy svd, loop", "numpy svd, one call"),
        "interpolative": ("SciPy interp_decomp, loop",),
        "qr": ("SciPy qr(pivoting=True), loop",),
    }[routine]


def _svd(A: NDArray[Any], k: int) -> Product:
    U, s, Vh = np.linalg.svd(A, full_matrices=False)
    return U[..., :k] * s[..., None, :k], Vh[..., :k, :]


def _interpolative(A: NDArray[Any], k: int) -> Product:
    idx, proj = sli.interp_decomp(A, k)
    return A[:, idx[:k]], sli.reconstruct_interp_matrix(idx, proj)


def _qr(A: NDArray[Any], k: int) -> Product:
    Q, R, piv = scipy.linalg.qr(A, mode="economic", pivoting=True)
    ordered = np.empty_like(R[:k])
    ordered[:, piv] = R[:k]
    return Q[:, :k], ordered
