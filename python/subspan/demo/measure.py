"""True errors and times, for which nothing of ours is asked."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def relative_error(A: Array, approximation: Array) -> float:
    """Measure the true error; nothing of ours is asked."""
    return float(np.linalg.norm(A - approximation) / np.linalg.norm(A))


def projection_error(A: Array, rows: Array) -> float:
    """Error of the best approximation by given rows of A."""
    basis = np.linalg.qr(A[rows].T)[0]
    return relative_error(A, A @ basis @ basis.T)


def tail_error(values: Array, k: int) -> float:
    """Error of the best rank-k approximation, from singular values in descending order."""
    return float(np.sqrt((values[k:] ** 2).sum() / (values**2).sum()))


def timed(call: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """Return the result of a warm-up call, and the median time of `repeats` more."""
    result = call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return result, float(np.median(seconds))


def certified(name: str, A: Array, call: Callable[[], Any], repeats: int) -> dict[str, Any]:
    """Run one of our methods: its certificate, the true error, the time, the result."""
    result, seconds = timed(call, repeats)
    scale = float(np.linalg.norm(A))
    return {
        "method": name,
        "rank": result.rank,
        "value": result.error.relative,
        "upper": result.error.upper / scale,
        "kind": result.error.kind,
        "failure_probability": result.error.failure_probability,
        "true": relative_error(A, result.toarray()),
        "seconds": seconds,
        "indices": result.indices,
    }


def by_scipy(name: str, A: Array, given: Any, k: int, seed: int, repeats: int) -> dict[str, Any]:
    """Row ID of A by SciPy, which chooses columns: `given` is the transpose, in some form."""
    import scipy.linalg.interpolative as scipy_id

    takes_rng = "rng" in inspect.signature(scipy_id.interp_decomp).parameters  # SciPy 1.15
    decompose = partial(scipy_id.interp_decomp, given, k, **({"rng": seed} if takes_rng else {}))
    (order, proj), seconds = timed(decompose, repeats)
    W = scipy_id.reconstruct_interp_matrix(order, proj)
    true = relative_error(A, (A[order[:k]].T @ W).T)
    return {"method": name, "rank": k, "true": true, "seconds": seconds, "indices": order[:k]}
