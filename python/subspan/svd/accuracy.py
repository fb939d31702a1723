"""The decomposition to an accuracy of its vectors: more products until the canonical angles are small."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np

from .._progress import Progress
from ..angles.recommend import recommend
from ..exceptions import ToleranceNotMet, callers_level
from ..goal import Goal
from ..range_finder import RangeSettings
from ..source import Source
from .decomposition import SVDResult
from .one_matrix import decompose

_ROUNDS = 8


def require_accuracy_makes_sense(max_sine: float, goal: Goal, method: str, unable: bool) -> None:
    """Check that an accuracy of the vectors is asked for where it can be reached."""
    if not 0 < max_sine < 1:
        raise ValueError(f"max_sine={max_sine} must lie between 0 and 1")
    if goal.to_tolerance or goal.rank == 0:
        raise ValueError("max_sine needs a rank of at least 1 and no tolerance of the residual")
    if method in ("block_krylov", "single_pass") or unable:
        raise ValueError(
            "max_sine is for one matrix that can be read more than once, by method 'auto', 'subspace' "
            "or 'full'"
        )


def decompose_to_angles(
    source: Source,
    goal: Goal,
    settings: RangeSettings,
    seed: int,
    progress: Progress,
    angles: bool | str,
    max_sine: float,
) -> SVDResult:
    """Decompose, look at the angles, and spend twice as many products until they are small enough."""
    passes = 0
    for _ in range(_ROUNDS):
        result = decompose(source, goal, settings, seed, progress, angles or True)
        passes += result.plan.passes
        assert result.angles is not None
        accurate = result.angles.trusted(max_sine) == result.rank
        if accurate or settings.size >= min(source.shape) or settings.method == "full":
            break
        settings = _next(source, result, settings, max_sine, seed)
    if not accurate:
        trusted = result.trusted(max_sine)
        warnings.warn(
            f"the leading {trusted} of {result.rank} directions are within max_sine={max_sine:g}: no "
            "gap is seen between the singular values that follow",
            ToleranceNotMet,
            stacklevel=callers_level(),
        )
    return dataclasses.replace(
        result,
        converged=accurate,
        stop_reason="angles" if accurate else result.stop_reason,
        plan=dataclasses.replace(result.plan, passes=passes),
    )


def _next(
    source: Source, result: SVDResult, settings: RangeSettings, max_sine: float, seed: int
) -> RangeSettings:
    """Return the best split of the least of 2, 4, 8 ... times the products that promises to be enough."""
    assert result.angles is not None
    smaller, k = min(source.shape), result.rank
    spent = settings.size * (2 * settings.power_iterations + 1)
    reasons = {**settings.reasons, "power iterations": "the split that recommend() finds best"}
    values = np.asarray(result.angles.values)
    if values[k - 1] > 0:
        for doubling in range(1, 7):
            budget = spent * 2**doubling
            if budget >= 8 * smaller:
                break
            best = recommend(
                values,
                k,
                budget,
                side="both",
                tail="energy",
                size=smaller,
                residual=result.angles.tail_norm,
                samples=1,
                rng=seed,
            )
            if best.worst[-1] <= max_sine / 2:
                size = min(best.sketch_size, smaller)
                return RangeSettings(
                    "subspace", size, best.power_iterations, settings.sketch, reasons
                )
    if source.kind in ("operator", "blocks"):
        return RangeSettings(
            "subspace", smaller, settings.power_iterations, settings.sketch, reasons
        )
    reasons["method"] = "no smaller number of products promises the angles asked for"
    return RangeSettings("full", smaller, 0, settings.sketch, reasons)
