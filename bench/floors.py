"""What no method can beat on this machine, measured in the same run as the contenders."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from subspan import _native
from subspan.source import as_source

from .run import Contender, Timing

MATVEC = "floor: A @ x"
NORMS = "floor: column norms"
GEMM = "floor: GEMM, k rows times A"
READ = "floor: read A once"
SKETCH = "floor: read A once, LU and solve at the GEMM rate"
EXACT = "floor: the same and GEMM of k rows with A"


def readings(A: Any) -> list[Contender]:
    """Two passes that are bound by memory: a matrix-vector product and our column norms."""
    x = np.ones(A.shape[1], A.dtype)
    source = as_source(A)
    norms2 = np.empty(A.shape[1])
    native = _native.module()
    whose = "SciPy's CSR" if sp.issparse(A) else "numpy's"
    return [
        Contender(MATVEC, lambda seed: A @ x, "floor", f"{whose} matrix-vector product"),
        Contender(
            NORMS,
            lambda seed: native.column_norms2(source.native, norms2),
            "floor",
            "subspan's pass for sums of squares of columns, A being wrapped already",
        ),
    ]


def gemm(A: Any, k: int) -> Contender:
    """Numpy's product of a k-row array with A, operands and result allocated before.

    A complex A counts as a real array of twice the width, since a sketch is real. For a sparse A
    the shape is that of the triangular solve, k x k times k x n.
    """
    m, n = (k, A.shape[1]) if sp.issparse(A) else A.shape
    real = np.empty(0, A.dtype).real.dtype
    if sp.issparse(A):
        right = np.ones((k, n), real)
    else:
        right = np.ascontiguousarray(A).view(real) if np.iscomplexobj(A) else A
    left = np.ones((k, m), real)
    out = np.empty((k, right.shape[1]), real)
    return Contender(
        GEMM,
        lambda seed: np.matmul(left, right, out=out),
        "floor",
        f"numpy product {k} x {m} times {m} x {right.shape[1]}, nothing drawn or allocated",
        flops=2.0 * k * m * right.shape[1],
    )


def read_once(timings: dict[str, Timing]) -> Timing:
    """The faster of the two passes, by its median."""
    best = min((timings[name] for name in (MATVEC, NORMS)), key=lambda timing: timing.median)
    return Timing(READ, "floor", best.seconds, timed=f"the faster, {best.name[7:]}")


def sketch_flops(n: int, k: int) -> float:
    """LU of the n x k sketch and the triangular solve for n - k columns."""
    return n * k**2 - k**3 / 3 + k**2 * (n - k)


def for_interpolation(timings: dict[str, Timing], A: Any, k: int) -> dict[str, Timing]:
    """Floors of the column ID from the floors timed in the same rounds; EXACT for a dense A."""
    read, product = read_once(timings), timings[GEMM]
    assert product.flops is not None
    share = sketch_flops(A.shape[1], k) / product.flops
    pairs = list(zip(read.seconds, product.seconds, strict=True))
    derived = [read, Timing(SKETCH, "floor", [r + share * g for r, g in pairs], timed="derived")]
    if not sp.issparse(A):
        seconds = [r + (share + 1) * g for r, g in pairs]
        derived.append(Timing(EXACT, "floor", seconds, timed="derived"))
    return {timing.name: timing for timing in derived}
