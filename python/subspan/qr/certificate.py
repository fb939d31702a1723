"""The certificate of a truncated QR, and what follows from it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import error as _error
from .._progress import Progress
from ..goal import Goal
from ..interp.certificate import with_value
from ..interp.columns import rounding_decides
from ..result import ErrorEstimate
from ..source import Source
from .decomposition import PivotedQR


def revealed_error(squared: float, norm2: float, R: NDArray[Any]) -> ErrorEstimate:
    """Certificate of a squared error that the factorization reveals.

    Q R itself is wrong by a few sqrt(k) eps of ``||A||``. A difference of energies, which is relied
    upon down to 1e4 eps ``||A||^2`` (1e3 where a tolerance drops rows), carries a few
    sqrt(k) eps ``||A||^2``.
    """
    eps = float(np.finfo(R.dtype).eps)
    value, reference = float(np.sqrt(squared)), float(np.sqrt(norm2))
    rounding = 4 * eps * float(np.sqrt(max(1, len(R)))) * reference
    if squared > 1e3 * eps * norm2:
        rounding += _error.energy_rounding(value, reference, len(R), eps)
    return _error.exact(value, reference, rounding=rounding)


def spectral_norm_of(source: Source, goal: Goal, seed: int, progress: Progress) -> float:
    """``||A||_2`` if the goal is in that norm, else 0."""
    if goal.norm != "spectral":
        return 0.0
    if source.kind != "operator":
        source.magnitude()  # refuses NaN and infinity, saying where
    with progress.stage("norm of A"):
        return _error.norm(source.matrix, norm="spectral", rng=seed)


def conclude(
    source: Source, goal: Goal, found: PivotedQR, spectral_norm: float, progress: Progress
) -> PivotedQR:
    """Measure what the certificate leaves open, and tell whether the goal is met and why it stopped."""
    if goal.norm == "spectral":
        with progress.stage("spectral error"):
            value = _error.spectral_error(source.matrix, found, found.seed)
        found = dataclasses.replace(found, error=with_value(found.error, value, spectral_norm))
    elif goal.to_tolerance and rounding_decides(goal, found.error):
        with progress.stage("certificate"):
            found = dataclasses.replace(found, error=found.error_exact(source.matrix))
    converged = goal.met_by(found.error, selection_agrees=found.stop_reason == "tolerance")
    reason = found.stop_reason
    if goal.to_tolerance:
        # Where the selection believes in a tolerance that the certificate denies, no column helps.
        reason = "tolerance" if converged else {"tolerance": "exhausted"}.get(reason, reason)
    return dataclasses.replace(found, converged=converged, stop_reason=reason)
