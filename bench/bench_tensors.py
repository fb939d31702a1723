"""The routines on PyTorch tensors, on the CPU or on a GPU, against what PyTorch has itself.

This is what ``--device cuda`` runs. The clock stops when the device has finished. All randomized methods
follow k + 10 directions; singular values come with two power iterations, six passes, and the floor is six
products of k + 10 rows with A at PyTorch's rate on the same device. Errors are found on the device in
double precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import subspan

from . import device as devices
from .cases import SMALL_A, C, InterpCase
from .cases import A as MATRIX_A
from .peers import installed
from .run import Contender, Options, Results, Timing, interleave

SKETCH = "subspan.sketch.Gaussian"
ID = "subspan.interpolative"
SVD = "subspan.svd"
QR = "subspan.qr"
LOWRANK = "torch.svd_lowrank"
WHOLE = "torch.linalg.svd"
PLAIN_QR = "torch.linalg.qr, no pivoting"
DRAW = "torch draw + GEMM"
GEMM = "floor: GEMM, k + 10 rows times A"
FLOOR = "floor: six products"
ITERATIONS, EXTRA = 2, 10
FACTOR = 10.0  # errors may be this much above the best of the rank


def cases(small: bool) -> list[InterpCase]:
    if small:
        return [InterpCase(SMALL_A, 40)]
    return [InterpCase(matrix, k) for matrix in (MATRIX_A, C) for k in (100, 400)]


def run(results: Results, options: Options) -> None:
    if not installed("torch", "tensors"):
        return
    for case in options.chosen(cases(options.small)):
        results.start(case)
        one_case(case, results, options)


def one_case(case: InterpCase, results: Results, options: Options) -> None:
    import torch

    A, k = devices.tensor(case.matrix.make(), options.device), case.rank
    best = case.matrix.optimum(k)
    assert best is not None
    limit = FACTOR * best + 1000 * float(np.finfo(np.float64).eps)
    left = torch.ones((k + EXTRA, A.shape[0]), dtype=A.dtype, device=A.device)
    S = subspan.sketch.Gaussian(k + EXTRA, A.shape[0], rng=0)
    few = None if options.small else 2

    def on_device(call: Callable[[int], Any]) -> Callable[[int], Any]:
        def timed(seed: int) -> Any:
            found = call(seed)
            devices.wait(options.device)
            return found

        return timed

    def contender(name: str, call: Any, role: str, error: Any = None, **more: Any) -> Contender:
        bound = {"limit": limit} if role == "ours" and error is not None else {}
        return Contender(
            name, on_device(call), role, "the whole call", error=error, **bound, **more
        )

    def lowrank(seed: int) -> Any:
        torch.manual_seed(seed)
        U, s, V = torch.svd_lowrank(A, q=k + EXTRA, niter=ITERATIONS)
        return U[:, :k], s[:k], V[:, :k].mH

    def draw(seed: int) -> Any:
        return torch.randn_like(left) @ A

    product = error_of_product(A)
    contenders = [
        contender(ID, lambda s: subspan.interpolative(A, k, rng=s), "ours", interpolation(A)),
        contender(
            SVD, lambda s: tuple(subspan.svd(A, k, power_iterations=2, rng=s)), "ours", product
        ),
        contender(QR, lambda s: subspan.qr(A, k, rng=s), "ours", permuted(A)),
        contender(SKETCH, lambda s: S @ A, "ours", sketch_error(S, A)),
        contender(LOWRANK, lowrank, "peer", product, rounds=few),
        contender(DRAW, draw, "peer"),
        contender(PLAIN_QR, lambda s: torch.linalg.qr(A), "peer", rounds=few),
        contender(GEMM, lambda s: left @ A, "floor", flops=2.0 * left.shape[0] * A.numel()),
    ]
    if min(A.shape) <= 512:
        whole = contender(WHOLE, lambda s: truncated(A, k), "peer", product, rounds=few)
        contenders.append(whole)
    timings = interleave(contenders, options)
    passes = 2 * (ITERATIONS + 1)
    seconds = [passes * t for t in timings[GEMM].seconds]
    timings[FLOOR] = Timing(FLOOR, "floor", seconds, timed="derived")
    results.times(case, timings, best)
    pairs = [(LOWRANK, SVD), (WHOLE, SVD), (PLAIN_QR, QR), (DRAW, SKETCH), (SVD, FLOOR)]
    for top, bottom in pairs:
        if top in timings and bottom in timings:
            results.ratio(case, f"{top} / {bottom}", timings[top], timings[bottom])


def error_of_product(A: Any) -> Callable[[Any], float]:
    """``|A - U diag(s) Vh| / |A|`` in the Frobenius norm."""
    return lambda found: relative(A, (found[0] * found[1]) @ found[2])


def interpolation(A: Any) -> Callable[[Any], float]:
    return lambda r: relative(A, A[:, r.indices] @ r.coefficients)


def permuted(A: Any) -> Callable[[Any], float]:
    return lambda r: relative(A[:, r.piv], r.Q @ r.R)


def sketch_error(S: Any, A: Any) -> Callable[[Any], float]:
    """Against the operator written out, on the first columns."""

    def measure(Y: Any) -> float:
        few = np.asarray(A[:, :4].cpu())
        expected = S.toarray() @ few
        found = np.asarray(Y[:, :4].cpu())
        return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))

    return measure


def relative(A: Any, approximation: Any) -> float:
    import torch

    return float(torch.linalg.norm(A - approximation) / torch.linalg.norm(A))


def truncated(A: Any, k: int) -> tuple[Any, Any, Any]:
    import torch

    U, s, Vh = torch.linalg.svd(A, full_matrices=False)
    return U[:, :k], s[:k], Vh[:k]
