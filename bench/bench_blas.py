"""Calls that alternate with numpy: a second BLAS thread pool makes small ones many times slower.

For each SUBSPAN_BLAS a child process times loops of a 200 x 200 numpy product alone, a small
subspan call alone, and both in turn. SUBSPAN_BLAS=numpy shares numpy's pool and is the default;
SUBSPAN_BLAS=scipy shows what sharing avoids. OPENBLAS_THREAD_TIMEOUT is not set in the children.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .cases import AlternationCase, alternation_cases
from .run import Contender, Options, Results, Timing, interleave

NUMPY, OURS, BOTH, SUM = "numpy product alone", "subspan alone", "alternating", "sum of both alone"
TARGET = 1.3


def run(results: Results, options: Options) -> None:
    for case in options.chosen(alternation_cases(options.small)):
        results.start(case)
        timings = {timing.name: timing for timing in _in_child(case, options)}
        pairs = zip(timings[NUMPY].seconds, timings[OURS].seconds, strict=True)
        timings[SUM] = Timing(SUM, "floor", [a + b for a, b in pairs], timed="derived")
        results.times(case, timings)
        target = TARGET if case.blas == "numpy" and not options.small else None
        results.ratio(case, f"{BOTH} / {SUM}", timings[BOTH], timings[SUM], at_most=target)


def _in_child(case: AlternationCase, options: Options) -> list[Timing]:
    variables = {**os.environ, "SUBSPAN_BLAS": case.blas}
    variables.pop("OPENBLAS_THREAD_TIMEOUT", None)
    command = [sys.executable, "-m", "bench.bench_blas"]
    request = json.dumps({"case": dataclasses.asdict(case), "options": dataclasses.asdict(options)})
    root = Path(__file__).parents[1]
    done = subprocess.run(
        command, input=request, env=variables, cwd=root, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"{case.label}: the child failed\n{done.stderr}")
    return [Timing(**timing) for timing in json.loads(done.stdout)]


def _child(case: AlternationCase, options: Options) -> list[Timing]:
    from subspan.config import blas_name

    if blas_name() != case.blas:
        raise RuntimeError(f"BLAS is taken from {blas_name()}; expected {case.blas}")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((case.n, case.n))
    ours, error = _ours(case, X)

    def product() -> Any:
        return X @ X

    def loop(*calls: Callable[[], Any]) -> Callable[[int], Any]:
        def repeat(seed: int) -> Any:
            for _ in range(case.repeats):
                for call in calls:
                    result = call()
            return result

        return repeat

    note = f"per call, in a loop of {case.repeats}"
    check: dict[str, Any] = {"error": error, "limit": 100 * case.n * np.finfo(float).eps}
    check["error_kind"] = "relative error of the answer"
    timings = interleave(
        [
            Contender(NUMPY, loop(product), "peer", note),
            Contender(OURS, loop(ours), "ours", note, **check),
            Contender(BOTH, loop(product, ours), "ours", f"{note}, numpy's call included", **check),
        ],
        options,
    )
    for timing in timings.values():
        timing.seconds = [seconds / case.repeats for seconds in timing.seconds]
        timing.first = [seconds / case.repeats for seconds in timing.first]
    return list(timings.values())


def _ours(case: AlternationCase, X: Any) -> tuple[Callable[[], Any], Callable[[Any], float]]:
    """The call, and the error of its answer: both have an exact one."""
    import subspan

    if case.call == "interpolative":
        rank = case.n // 4
        A = X[:, :rank] @ X[:rank]
        return lambda: subspan.interpolative(A, rank, rng=0), lambda r: _distance(r.toarray(), A)
    S = subspan.sketch.Gaussian(case.n // 2, case.n, rng=0)
    return lambda: S @ X, lambda Y: _distance(Y, S.toarray() @ X)


def _distance(found: Any, expected: Any) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    answer = _child(AlternationCase(**asked["case"]), Options(**asked["options"]))
    json.dump([dataclasses.asdict(timing) for timing in answer], sys.stdout)
