"""Sketch throughput: every operator, precision and order against reading A once.

The operator is drawn inside the clock. Gaussian also as a fraction of the GEMM rate of the same
shape, and peers: sparse sign as a SciPy product, numpy's draw and GEMM.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from subspan import sketch

from . import floors, peers
from .cases import SketchCase, sketch_cases
from .run import Contender, Options, Results, interleave

GAUSSIAN = "Gaussian"
SPARSE_8 = "SparseSign, 8 nonzeros"
CSR = "SciPy CSR product, 8 nonzeros"
CSC = "SciPy CSC product, 8 nonzeros"
DRAW_GEMM = "numpy draw + GEMM"
OPERATORS: dict[str, Callable[..., sketch.SketchOperator]] = {
    GAUSSIAN: sketch.Gaussian,
    "Rademacher": sketch.Rademacher,
    "SparseSign, 4 nonzeros": lambda *shape, rng: sketch.SparseSign(*shape, rng=rng, nnz=4),
    SPARSE_8: sketch.SparseSign,
    "CountSketch": sketch.CountSketch,
    "SRHT": sketch.SRHT,
}


def run(results: Results, options: Options) -> None:
    for case in options.chosen(sketch_cases(options.small)):
        results.start(case)
        one_case(case, results, options)


def one_case(case: SketchCase, results: Results, options: Options) -> None:
    A = _matrix(case)
    size, m = case.size, case.m
    contenders = [*floors.readings(A), floors.gemm(A, size)]
    contenders += [_ours(name, A, size) for name in OPERATORS]
    S = peers.sparse_sign(size, m, 0).astype(A.real.dtype)
    R = S.tocsr()
    alone = "the product alone, S being drawn already"
    contenders += [
        Contender(CSR, lambda seed: R @ A, "peer", alone),
        Contender(CSC, lambda seed: S @ A, "peer", alone),
        Contender(DRAW_GEMM, lambda seed: _draw(size, A, seed) @ A, "peer", "draw and product"),
    ]
    timings = interleave(contenders, options)
    read = floors.read_once(timings)
    timings[read.name] = read
    results.times(case, timings)
    targets = not options.small
    for name in OPERATORS:
        limit = 4 if targets and name == SPARSE_8 else None
        results.ratio(case, f"{name} / read A once", timings[name], read, at_most=limit)
    gaussian, gemm = timings[GAUSSIAN], timings[floors.GEMM]
    fraction = 0.85 if targets else None
    results.ratio(case, "Gaussian, fraction of the GEMM rate", gemm, gaussian, at_least=fraction)
    for peer in (CSR, CSC):
        results.ratio(case, f"{peer} / SparseSign", timings[peer], timings[SPARSE_8])
    results.ratio(case, f"{DRAW_GEMM} / Gaussian", timings[DRAW_GEMM], gaussian)


def _ours(name: str, A: NDArray[Any], size: int) -> Contender:
    make = OPERATORS[name]
    eps = float(np.finfo(A.dtype).eps)

    def error(Y: NDArray[Any]) -> float:
        """Against the operator written out, on the first and last columns of the first round."""
        S = make(size, A.shape[0], rng=0).toarray()
        columns = [0, 1, -2, -1]
        expected = S @ A[:, columns].astype(np.result_type(A, np.float64))
        return float(np.linalg.norm(Y[:, columns] - expected) / np.linalg.norm(expected))

    return Contender(
        name,
        lambda seed: make(size, A.shape[0], rng=seed) @ A,
        timed="drawing the operator and the product",
        error=error,
        error_kind="relative difference from S.toarray() @ A in double precision",
        limit=10 * np.sqrt(A.shape[0]) * eps,
        flops=2.0 * size * A.size * (2 if np.iscomplexobj(A) else 1) if name == GAUSSIAN else None,
    )


def _draw(size: int, A: NDArray[Any], seed: int) -> NDArray[Any]:
    """Normals in the precision of A; numpy's product with a complex A needs complex ones."""
    S = np.random.default_rng(seed).standard_normal((size, A.shape[0]), A.real.dtype)
    S /= np.sqrt(size).astype(S.dtype)
    return S.astype(A.dtype) if np.iscomplexobj(A) else S


def _matrix(case: SketchCase) -> NDArray[Any]:
    rng = np.random.default_rng(0)
    real = np.empty(0, case.dtype).real.dtype
    A = rng.standard_normal((case.m, case.n), real)
    if case.dtype.startswith("complex"):
        A = A + 1j * rng.standard_normal((case.m, case.n), real)
    return np.asarray(A, order=case.order)
