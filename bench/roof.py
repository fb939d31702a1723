"""How much arithmetic the timed work needs at least, for rooflines of the dense real cases.

Counted is what any method of the kind must do, not what a program did: the same for all of them, so that
a higher point is a faster one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import bench_interp as interp
from . import bench_sketch as sketch
from . import floors
from .report import Line

Work = dict[str, tuple[float, float, float]]

FROM_SKETCH = (interp.SKETCH, interp.GAUSSIAN_LU, interp.CSR_LU, interp.CSC_LU)
FROM_SKETCH += (interp.OPERATOR, interp.PLAIN, interp.DETERMINISTIC)
EXACT = (interp.EXACT, interp.RBRP, interp.ACCURATE, interp.LUPP)
PER_ENTRY = {  # multiplications and additions per entry of A
    sketch.SPARSE_8: 16,
    sketch.CSR: 16,
    sketch.CSC: 16,
    "SparseSign, 4 nonzeros": 8,
    "CountSketch": 2,
}


def of(times: list[Line]) -> tuple[Work, dict[str, str], dict[str, float]] | None:
    """Work and roles of the methods of one case, and what the machine gave; None if not known."""
    timed = {t["method"]: t for t in times}
    suite, case = times[0]["suite"], times[0]["case"]
    if floors.READ not in timed or floors.GEMM not in timed or suite not in ("interp", "sketch"):
        return None
    A = case["matrix"] if suite == "interp" else case
    if A["dtype"].startswith("complex") or A.get("spectrum") == "sparse":
        return None
    size = float(A["m"] * A["n"] * np.dtype(A["dtype"]).itemsize)
    needed = _flops(suite, case, A)
    work = {name: (needed[name], size, timed[name]["median"]) for name in needed if name in timed}
    if not work:
        return None
    product = timed[floors.GEMM]
    limits = {
        "bandwidth": size / timed[floors.READ]["median"],
        "peak": product["flops"] / product["median"],
    }
    return work, {name: timed[name]["role"] for name in work}, limits


def _flops(suite: str, case: dict[str, Any], A: dict[str, Any]) -> dict[str, float]:
    m, n = A["m"], A["n"]
    if suite == "interp":
        k = case["rank"]
        few, all_ = floors.sketch_flops(n, k), floors.sketch_flops(n, k) + 2.0 * k * m * n
        return dict.fromkeys(FROM_SKETCH, few) | dict.fromkeys(EXACT, all_)
    dense = 2.0 * case["size"] * m * n
    needed = {name: each * float(m * n) for name, each in PER_ENTRY.items()}
    return needed | dict.fromkeys((sketch.GAUSSIAN, "Rademacher", sketch.DRAW_GEMM), dense)
