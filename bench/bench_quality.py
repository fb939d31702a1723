"""Errors relative to deterministic pivoted QR of A at the same rank, on every test matrix.

Reference: scipy.linalg.qr(A, pivoting=True) and least squares, whose error is the norm of the
trailing block of R. Every row is the worst of several matrices (seeds) times several sketches.
Ranks at which the reference itself is rounding error are left out. Then the time of the accurate
setting against that of "auto".
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import scipy.linalg
import subspan
from numpy.typing import NDArray
from subspan.testing import MATRICES, interpolation_error

from .bench_interp import accurate_against_auto
from .cases import QualityCase, interp_cases, quality_cases
from .run import Options, Results, WrongAnswer

AUTO, OSID = "auto", 'coefficients="osid"'
ACCURATE = 'pivoting="greedy"'
TARGETS = {AUTO: 1.5, ACCURATE: 1.1, OSID: None}
WRONG = {AUTO: 1.01, ACCURATE: 1.01, OSID: 5.0}  # relative errors: the zero matrix has 1
ROUNDING = 1000 * float(np.finfo(np.float64).eps)


def run(results: Results, options: Options) -> None:
    for case in options.chosen(quality_cases(options.small, options.full)):
        results.start(case)
        one_case(case, results)
    for timed in options.chosen(interp_cases(options.small)):
        if timed.matrix.name == "a":
            results.start(timed)
            accurate_against_auto(timed, results, options)


def one_case(case: QualityCase, results: Results) -> None:
    k = case.rank
    ratios: dict[str, list[float]] = {name: [] for name in TARGETS}
    reference: list[float] = []
    for matrix_seed in range(case.matrix_seeds):
        A = MATRICES[case.matrix](seed=matrix_seed)
        best = deterministic_error(A, k)
        if k >= min(A.shape) or best < ROUNDING:
            continue
        reference.append(best)
        for name, found in ratios.items():
            for seed in range(case.seeds):
                r = subspan.interpolative(A, k, rng=seed, **_keywords(name, k))
                error = interpolation_error(A, *r)
                if not error <= WRONG[name]:
                    raise WrongAnswer(f"{case.label}, {name}, seed {seed}: error {error:.3g}")
                found.append(error / best)
    for name, found in ratios.items():
        worst = max(found, default=None)
        target = TARGETS[name]
        judged = worst is not None and target is not None
        results.line(
            "quality",
            label=case.label,
            case=dataclasses.asdict(case),
            setting=name,
            reference="pivoted QR of A and least squares (SciPy)",
            reference_error=max(reference, default=None),
            ratios=found,
            worst=worst,
            at_most=target,
            verdict=("met" if worst <= target else "missed") if judged else "",
        )


def _keywords(name: str, k: int) -> dict[str, Any]:
    if name == ACCURATE:
        return {"pivoting": "greedy"}
    return {"coefficients": "osid"} if name == OSID else {}


def deterministic_error(A: NDArray[Any], k: int) -> float:
    """Relative error of ``A[:, J] @ lstsq(A[:, J], A)``, J from pivoted QR, k columns."""
    scaled = A / np.abs(A).max()
    R, _ = scipy.linalg.qr(scaled, mode="r", pivoting=True)
    return float(np.linalg.norm(R[k:, k:]) / np.linalg.norm(scaled))
