"""Sketching per-sample gradients, a row each, beside reading them once.

Peers: SciPy's product with a CountSketch in CSR form, blocks of rows at a time since SciPy copies them;
the product with a dense operator drawn 200 columns at a time, by PyTorch as TRAK's BasicProjector does it
(where PyTorch is installed) and by numpy, which draws faster; and that product alone. Where the memory does
not hold all gradients, every contender goes over a part of them as often as it takes.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from subspan import sketch
from subspan.gradients.row_sketch import RowSketch, operator_of

from . import floors, peers
from .cases import GradientCase, gradient_cases
from .run import Contender, Options, Results, interleave

OURS = "sketch and norms, 4 nonzeros"
EIGHT = "sketch and norms, 8 nonzeros"
COUNT = "sketch and norms, CountSketch"
CSR = "SciPy CSR CountSketch"
TRAK = "dense operator, drawn by PyTorch in blocks"
DENSE = "dense operator, drawn by numpy in blocks"
GEMM = "GEMM alone"
KINDS = {OURS: "auto", EIGHT: "sparse_sign", COUNT: "countsketch"}
_DRAWN = 200  # columns, as in TRAK
_COPIED = 256  # rows


def run(results: Results, options: Options) -> None:
    for case in options.chosen(gradient_cases(options.small)):
        results.start(case)
        one_case(case, results, options)


def one_case(case: GradientCase, results: Results, options: Options) -> None:
    held = case.samples
    while held > 1 and held * case.parameters * 4 > 0.6 * _available():
        held = (held + 1) // 2
    G, times = case.make(held), -(-case.samples // held)

    def repeated(name: str, call: Callable[[int], Any], role: str, timed: str) -> Contender:
        def over(seed: int) -> Any:
            for _ in range(times - 1):
                call(seed)
            return call(seed)

        return Contender(name, over, role, timed, rounds=2 if role == "peer" else None)

    contenders = [repeated(c.name, c.call, c.role, c.timed) for c in floors.readings(G)]
    contenders += [_ours(name, G, case, times) for name in KINDS]
    C = peers.sparse_sign(case.size, case.parameters, 0, nnz=1).astype(np.float32).tocsr()
    drawn = np.ones((case.parameters, min(_DRAWN, case.size)), np.float32)
    contenders += [
        repeated(CSR, lambda seed: _by_csr(C, G), "peer", "the product, S being drawn already"),
        repeated(DENSE, lambda seed: _by_drawing(G, case.size, seed), "peer", "draw and product"),
        repeated(GEMM, lambda seed: _by_product(G, drawn, case.size), "peer", "nothing drawn"),
    ]
    if importlib.util.find_spec("torch"):
        drawing = repeated(
            TRAK, lambda seed: _by_torch(G, case.size, seed), "peer", "draw and product"
        )
        contenders.append(dataclasses.replace(drawing, rounds=1))
    timings = interleave(contenders, options)
    read = floors.read_once(timings)
    timings[read.name] = read
    results.times(case, timings)
    targets = not options.small
    for name in KINDS:
        limit = 4 if targets and name == OURS else None
        results.ratio(case, f"{name} / read once", timings[name], read, at_most=limit)
    for peer in (CSR, TRAK, DENSE, GEMM):
        if peer not in timings:
            continue
        least = 30 if targets and peer == TRAK else None
        results.ratio(case, f"{peer} / ours", timings[peer], timings[OURS], at_least=least)


def _ours(name: str, G: NDArray[Any], case: GradientCase, times: int) -> Contender:
    def operator(seed: int) -> sketch.SketchOperator:
        return operator_of(KINDS[name], case.size, case.parameters, seed)

    def call(seed: int) -> Any:
        for _ in range(times):
            sums = RowSketch(operator(seed), len(G))
            sums.add(G, 0)
        return sums.rows()[0]

    def error(rows: NDArray[Any]) -> float:
        """Against the operator written out, on four samples of the first round."""
        S, width, some = operator(0), 20_000, [0, 1, -2, -1]
        expected = np.zeros((4, case.size))
        for p in range(0, case.parameters, width):
            part = G[some, p : p + width].astype(np.float64)
            expected += part @ S.tile(slice(None), slice(p, p + part.shape[1])).T
        return float(np.linalg.norm(rows[some] - expected) / np.linalg.norm(expected))

    return Contender(
        name,
        call,
        timed="drawing the operator, sketches, squared norms, the check for numbers not finite",
        error=error,
        error_kind="relative difference from the operator written out, in double precision",
        limit=10 * float(np.sqrt(case.parameters) * np.finfo(np.float32).eps),
    )


def _by_csr(C: sp.csr_array, G: NDArray[Any]) -> NDArray[Any]:
    parts = [(C @ G[i : i + _COPIED].T).T for i in range(0, len(G), _COPIED)]
    return np.concatenate(parts)


def _by_drawing(G: NDArray[Any], size: int, seed: int) -> NDArray[Any]:
    rng, out = np.random.default_rng(seed), np.empty((len(G), size), np.float32)
    for j in range(0, size, _DRAWN):
        part = out[:, j : j + _DRAWN]
        S = rng.standard_normal((G.shape[1], part.shape[1]), np.float32)
        part[:] = G @ S
    return out


def _by_torch(G: NDArray[Any], size: int, seed: int) -> NDArray[Any]:
    """Signs from one generator, a whole block for the last columns as well."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    rows, out = torch.from_numpy(G), torch.empty(len(G), size)
    S = torch.empty(G.shape[1], min(_DRAWN, size))
    for j in range(0, size, _DRAWN):
        width = min(_DRAWN, size - j)
        S.bernoulli_(0.5, generator=generator).mul_(2).sub_(1)
        out[:, j : j + width] = rows @ S[:, :width]
    return np.asarray(out)


def _by_product(G: NDArray[Any], drawn: NDArray[Any], size: int) -> NDArray[Any]:
    out = np.empty((len(G), size), np.float32)
    for j in range(0, size, _DRAWN):
        out[:, j : j + _DRAWN] = G @ drawn[:, : min(_DRAWN, size - j)]
    return out


def _available() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
