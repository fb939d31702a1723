"""Truncated SVD against scikit-learn, PyTorch, SciPy and the products alone, at equal passes.

All randomized contenders follow k + 10 directions through two power iterations: six passes. The floor
is six times the product of k + 10 rows with A at numpy's rate, nothing else being done. An answer of ours
is wrong, and the bench stops, if its error is a tenth above the best of the rank; the errors of the
others stand beside their times. Libraries that are not installed have no rows, which is said.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import subspan
from numpy.typing import NDArray
from scipy.sparse.linalg import svds

from . import floors
from .cases import InterpCase, svd_cases
from .peers import dense, installed
from .run import Contender, Options, Results, Timing, interleave

OURS = "subspan.svd"
LEARN = "scikit-learn randomized_svd"
TORCH = "torch.svd_lowrank"
ARPACK = "SciPy svds, ARPACK"
NUMPY = "numpy.linalg.svd"
FLOOR = "floor: six products"
ITERATIONS, EXTRA = 2, 10


def run(results: Results, options: Options) -> None:
    for case in options.chosen(svd_cases(options.small)):
        results.start(case)
        one_case(case, results, options)


def one_case(case: InterpCase, results: Results, options: Options) -> None:
    A, k, best = case.matrix.make(), case.rank, case.matrix.optimum(case.rank)
    limit = 1.0 if best is None else 1.1 * best + 1000 * float(np.finfo(A.dtype).eps)
    few = None if options.small else 2

    def contender(name: str, call: Any, role: str, **more: Any) -> Contender:
        return Contender(name, call, role, "the whole call", error=relative(A), **more)

    contenders = [
        contender(
            OURS,
            lambda seed: tuple(subspan.svd(A, k, power_iterations=ITERATIONS, rng=seed)),
            "ours",
            limit=limit,
            checks=2,
        ),
    ]
    if installed("sklearn", "svd"):
        contenders.append(contender(LEARN, learn(A, k), "peer", rounds=few))
    lowrank = torch_lowrank(A, k)
    if lowrank is not None:
        contenders.append(contender(TORCH, lowrank, "peer", rounds=few))
    if k <= 100:
        contenders.append(contender(ARPACK, arpack(A, k), "peer", rounds=few))
    if not sp.issparse(A):
        contenders.append(floors.gemm(A, k + EXTRA))
        if min(A.shape) <= 512:
            whole = contender(NUMPY, lambda seed: truncated(A, k), "peer", rounds=few)
            contenders.append(whole)
    timings = interleave(contenders, options)
    if not sp.issparse(A):
        product = timings[floors.GEMM]
        passes = 2 * (ITERATIONS + 1)
        timings[FLOOR] = Timing(
            FLOOR, "floor", [passes * t for t in product.seconds], timed="derived"
        )
    results.times(case, timings, best)
    ratios(case, results, timings, options)


def ratios(
    case: InterpCase, results: Results, timings: dict[str, Timing], options: Options
) -> None:
    ours, name = timings[OURS], case.matrix.name
    square = {LEARN: 2.0, TORCH: 1.3 if case.rank <= 100 else 1.5}
    goals = {**(square if name == "a" else {LEARN: 2.5, TORCH: 2.5}), ARPACK: 3.0}
    for peer in (LEARN, TORCH, ARPACK, NUMPY):
        if peer in timings:
            goal = None if options.small else goals.get(peer)
            results.ratio(case, f"{peer} / ours", timings[peer], ours, at_least=goal)
    if FLOOR in timings:
        results.ratio(case, "ours / floor", ours, timings[FLOOR])


def learn(A: Any, k: int) -> Any:
    from sklearn.utils.extmath import randomized_svd

    def call(seed: int) -> Any:
        return randomized_svd(A, k, n_oversamples=EXTRA, n_iter=ITERATIONS, random_state=seed)

    return call


def torch_lowrank(A: Any, k: int) -> Any:
    if not installed("torch", "svd"):
        return None
    import torch

    if sp.issparse(A):
        entries = A.tocoo()
        where = torch.from_numpy(np.stack(entries.coords).astype(np.int64))
        values = torch.from_numpy(entries.data)
        tensor = torch.sparse_coo_tensor(where, values, A.shape, check_invariants=False).coalesce()
    else:
        tensor = torch.from_numpy(A)

    def call(seed: int) -> Any:
        torch.manual_seed(seed)
        U, s, V = torch.svd_lowrank(tensor, q=k + EXTRA, niter=ITERATIONS)
        return U[:, :k].numpy(), s[:k].numpy(), V[:, :k].numpy().T

    return call


def arpack(A: Any, k: int) -> Any:
    return lambda seed: svds(A, k, rng=seed)


def truncated(A: NDArray[Any], k: int) -> tuple[Any, Any, Any]:
    U, s, Vh = np.linalg.svd(A, full_matrices=False)
    return U[:, :k], s[:k], Vh[:k]


def relative(A: Any) -> Any:
    """``|A - U diag(s) Vh| / |A|`` in the Frobenius norm, in double precision."""

    def measure(found: Any) -> float:
        U, s, Vh = (np.asarray(part, np.result_type(part, np.float64)) for part in found)
        if sp.issparse(A):  # |A|^2 - 2 Re<A, U s Vh> + |s|^2; cancels only for small errors
            norm2 = float((np.abs(A.data) ** 2).sum())
            cross = np.vdot(dense(A.conj().T @ U), np.conj(Vh).T * s).real
            return float(np.sqrt(max(0.0, norm2 - 2 * cross + (s**2).sum()) / norm2))
        total = reference = 0.0
        step = max(1, 2**23 // A.shape[1])
        for start in range(0, A.shape[0], step):
            block = A[start : start + step].astype(U.dtype)
            total += float(np.linalg.norm(block - (U[start : start + step] * s) @ Vh)) ** 2
            reference += float(np.linalg.norm(block)) ** 2
        return float(np.sqrt(total / reference))

    return measure
