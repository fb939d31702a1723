"""Partial Cholesky factorizations of a kernel matrix at equal rank: ours, LAPACK, scikit-learn, numpy.

Every row has its relative trace error. The floor is what any method must do that looks at k columns
of K: evaluate (or copy) n k entries, and n k^2 flops at the GEMM rate of the same rounds. LAPACK's
pstrf takes the same pivots as ours with "greedy" but factors a stored K, which it overwrites; its
tolerance, which makes it stop at rank k, is found outside the clock. scikit-learn's Nystroem takes
uniform columns. The numpy prototype is the sequential algorithm of arXiv 2207.06503.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import subspan
from numpy.typing import NDArray
from scipy.linalg import lapack
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import rbf_kernel

from .cases import KernelCase, kernel_cases
from .run import Contender, Options, Results, Timing, interleave

GAMMA = 0.05
ENTRIES = "floor: n k entries of K"
GEMM = "floor: GEMM of n k^2 flops"
FLOOR = "floor: entries and GEMM"
PROTOTYPE = "numpy, one random pivot at a time"
PSTRF = "LAPACK pstrf (greedy)"
NYSTROEM = "scikit-learn Nystroem (uniform)"
PIVOTING = ("rbrp", "accelerated", "rp", "greedy", "uniform")
# Random pivots may be this much worse than the best of rank k.
FACTOR = 30.0


def run(results: Results, options: Options) -> None:
    for case in options.chosen(kernel_cases(options.small)):
        results.start(case)
        one_case(case, results, options)


def one_case(case: KernelCase, results: Results, options: Options) -> None:
    X, n, k = case.points(), case.n, case.rank
    stored = rbf_kernel(X, gamma=GAMMA) if case.stored else None
    function = partial(rbf_kernel, gamma=GAMMA)
    optimum = None
    if stored is not None:
        optimum = float(np.linalg.eigvalsh(stored)[:-k].sum() / n)
    K = stored if stored is not None else subspan.kernel(function, X, diag=1.0)
    contenders = [*_floors(case, X, stored), *_ours(K, case, optimum)]
    contenders += _peers(X, stored, case)
    timings = interleave(contenders, options)
    pairs = zip(timings[ENTRIES].seconds, timings[GEMM].seconds, strict=True)
    timings[FLOOR] = Timing(FLOOR, "floor", [a + b for a, b in pairs], timed="derived")
    results.times(case, timings, optimum)
    for name in ("rbrp", "accelerated"):
        results.ratio(case, f"{PROTOTYPE} / ours, {name}", timings[PROTOTYPE], timings[name])
        results.ratio(case, f"ours, {name} / its floor", timings[name], timings[FLOOR])
    if case.stored:
        results.ratio(case, "pstrf / ours, greedy", timings[PSTRF], timings["greedy"])
    results.ratio(case, "scikit-learn / ours, rbrp", timings[NYSTROEM], timings["rbrp"])


def trace_error(F: NDArray[Any]) -> float:
    """1 - |F|^2 / n, the diagonal of K being 1."""
    return 1 - float(np.linalg.norm(F) ** 2) / len(F)


def _ours(K: Any, case: KernelCase, optimum: float | None) -> Iterator[Contender]:
    for pivoting in PIVOTING:
        random = pivoting in ("rbrp", "accelerated", "rp")
        limited = optimum is not None and random
        yield Contender(
            pivoting,
            lambda seed, pivoting=pivoting: subspan.pivoted_cholesky(
                K, case.rank, pivoting=pivoting, rng=seed
            ),
            timed="the whole call: F, pivots, trace error",
            error=lambda r: trace_error(r.F),
            error_kind="relative trace error (nuclear norm)",
            limit=FACTOR * optimum + 1e-12 if limited and optimum is not None else 1.0,
            checks=3,
        )


def _floors(case: KernelCase, X: Any, stored: Any) -> Iterator[Contender]:
    n, k = case.n, case.rank
    chosen = np.random.default_rng(1).choice(n, k, replace=False)
    entries: Callable[[int], Any] = lambda seed: rbf_kernel(X, X[chosen], gamma=GAMMA)  # noqa: E731
    what = "the kernel of all points with k of them, in one call"
    if stored is not None:
        out = np.empty((k, n))
        entries = lambda seed: np.take(stored, chosen, axis=0, out=out)  # noqa: E731
        what = "k rows of K copied by numpy"
    yield Contender(ENTRIES, entries, "floor", what)
    left, right, product = np.ones((n, k)), np.ones((k, (k + 1) // 2)), np.empty((n, (k + 1) // 2))
    yield Contender(
        GEMM,
        lambda seed: np.matmul(left, right, out=product),
        "floor",
        "numpy product n x k times k x k/2, nothing allocated",
        flops=2.0 * n * k * ((k + 1) // 2),
    )


def _peers(X: Any, stored: Any, case: KernelCase) -> Iterator[Contender]:
    n, k = case.n, case.rank
    check: dict[str, Any] = {
        "error": trace_error,
        "error_kind": "relative trace error (nuclear norm)",
    }

    def column(s: int) -> NDArray[np.float64]:
        if stored is not None:
            return np.asarray(stored[s])
        return np.asarray(rbf_kernel(X, X[s : s + 1], gamma=GAMMA)[:, 0])

    yield Contender(
        PROTOTYPE,
        lambda seed: prototype(column, n, k, seed),
        "peer",
        "columns and factor",
        **check,
    )
    if stored is not None:
        work = np.empty((n, n), order="F")
        tolerance = pstrf_tolerance(stored, k)
        yield Contender(
            PSTRF,
            lambda seed: pstrf(work, tolerance),
            "peer",
            "the factorization alone, in place, stopped by a tolerance at rank k",
            prepare=lambda: np.copyto(work, stored),
            error=lambda found: trace_error(np.tril(found[0])[:, : found[2]]),
            error_kind="relative trace error (nuclear norm)",
        )
    yield Contender(
        NYSTROEM,
        lambda seed: Nystroem(gamma=GAMMA, n_components=k, random_state=seed).fit_transform(X),
        "peer",
        "fit_transform: kernel columns and the singular value decomposition of the core",
        **check,
    )


def prototype(
    column: Callable[[int], NDArray[np.float64]], n: int, k: int, seed: int
) -> NDArray[np.float64]:
    """Algorithm 2.1 of arXiv 2207.06503; the diagonal of K is 1."""
    rng = np.random.default_rng(seed)
    F, d = np.zeros((n, k), order="F"), np.ones(n)
    for i in range(k):
        s = int(rng.choice(n, p=d / d.sum()))
        g = column(s) - F[:, :i] @ F[s, :i]
        F[:, i] = g / np.sqrt(g[s])
        d = np.maximum(d - F[:, i] ** 2, 0)
        d[s] = 0
    return F


def pstrf(work: NDArray[np.float64], tolerance: float) -> Any:
    return lapack.dpstrf(work, tol=tolerance, lower=1, overwrite_a=1)


def pstrf_tolerance(K: NDArray[np.float64], k: int) -> float:
    """A diagonal entry between the pivots k - 1 and k of greedy pivoting."""
    F, pivots = subspan.pivoted_cholesky(K, k + 1, pivoting="greedy")
    last = np.abs(F[pivots, np.arange(len(pivots))]) ** 2
    return float(np.sqrt(last[-1] * last[-2])) if len(pivots) > k else 0.0
