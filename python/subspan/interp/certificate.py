"""Certificates of what is made from chosen columns, and what follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import error as _error
from .._progress import Progress
from ..goal import Goal
from ..pivot import Selection
from ..result import ErrorEstimate
from ..source import Source

_Found = TypeVar("_Found", bound=Any)


def certify(
    skeleton: Any,
    settings: Selection,
    goal: Goal,
    W: NDArray[Any],
    revealed: float,
    spectral_norm: float,
) -> ErrorEstimate:
    """Return the error from what the call has touched: the revealed residual, else the probe."""
    if goal.norm == "fro":
        if settings.method.family == "blockwise":
            revealed = skeleton.history[-1][1] ** 2
        if revealed >= 0:
            value, reference = float(np.sqrt(revealed)), float(np.sqrt(skeleton.norm2))
            rounding = _error.revealed_rounding(W, value, reference)
            return _error.exact(value, reference, rounding=rounding)

    def gram(W: NDArray[Any]) -> NDArray[Any]:
        out = np.empty((settings.probes, settings.probes), W.dtype)
        skeleton.probe_gram(W, out)
        return out

    def gram_of_A() -> NDArray[Any]:
        return gram(np.zeros_like(W))

    return from_probe(gram(W), gram_of_A, goal.norm, skeleton.norm2, spectral_norm)


def from_probe(
    gram: NDArray[Any],
    gram_of_A: Callable[[], NDArray[Any]],
    norm: str,
    norm2: float,
    spectral_norm: float,
) -> ErrorEstimate:
    """Certificate from the Gram matrix of the probe's image of the error.

    The norm of A that it is relative to is known, or comes from the probe's image of A.
    """
    if norm == "spectral":
        reference = spectral_norm
    elif norm2 >= 0:
        reference = float(np.sqrt(norm2))
    else:  # an operator
        reference = float(np.sqrt(np.real(np.trace(gram_of_A()))))
    return _error.from_probe_gram(gram, norm, reference)


def spectral_norm_of(source: Source, goal: Goal, seed: int, progress: Progress) -> float:
    """``||A||_2`` if the goal is in that norm, else 0."""
    if goal.norm != "spectral":
        return 0.0
    if source.kind != "operator":
        source.magnitude()  # refuses NaN and infinity, saying where
    with progress.stage("norm of A"):
        return _error.norm(source.matrix, norm="spectral", rng=seed)


def conclude(
    source: Source, goal: Goal, found: _Found, spectral_norm: float, progress: Progress
) -> _Found:
    """Measure what the certificate leaves open, and tell whether the goal is met and why it stopped."""
    if goal.norm == "spectral":
        with progress.stage("spectral error"):
            value = _error.spectral_error(source.matrix, found, found.seed)
        found = dataclasses.replace(found, error=with_value(found.error, value, spectral_norm))
    elif goal.to_tolerance and _rounding_decides(goal, found.error):
        with progress.stage("certificate"):
            found = dataclasses.replace(found, error=found.error_exact(source.matrix))
    converged = goal.met_by(found.error, selection_agrees=found.stop_reason == "tolerance")
    reason = found.stop_reason
    if goal.to_tolerance:
        # Where the selection believes in a tolerance that the certificate denies, no column helps.
        reason = "tolerance" if converged else {"tolerance": "exhausted"}.get(reason, reason)
    return dataclasses.replace(found, converged=converged, stop_reason=reason)


def _rounding_decides(goal: Goal, certificate: ErrorEstimate) -> bool:
    """Tell whether the revealed error meets the tolerance, and rounding could undo that."""
    if certificate.kind != "exact":
        return False
    return certificate.value <= goal.allowed(certificate) < certificate.upper


def with_value(certificate: ErrorEstimate, value: float, reference: float) -> ErrorEstimate:
    """Put a better estimate of the error in the place of the one from the probe."""
    return dataclasses.replace(
        certificate,
        value=value,
        relative=value / reference if reference > 0 else 0.0,
        upper=max(certificate.upper, value),
    )
