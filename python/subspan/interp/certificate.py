"""The certificate of a column decomposition."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import error as _error
from ..goal import Goal
from ..pivot import Selection
from ..result import ErrorEstimate


def certify(
    skeleton: Any,
    settings: Selection,
    goal: Goal,
    W: NDArray[Any],
    revealed: float,
    spectral_norm: float,
) -> ErrorEstimate:
    """Return the error from what the call has touched: the revealed residual, else the probe."""
    reference = float(np.sqrt(skeleton.norm2)) if skeleton.norm2 >= 0 else -1.0
    if goal.norm == "fro":
        if settings.method.family == "blockwise":
            revealed = skeleton.history[-1][1] ** 2
        if revealed >= 0:
            value = float(np.sqrt(revealed))
            rounding = _error.revealed_rounding(W, value, reference)
            return _error.exact(value, reference, rounding=rounding)
    gram = np.empty((settings.probes, settings.probes), W.dtype)
    skeleton.probe_gram(W, gram)
    if goal.norm == "spectral":
        reference = spectral_norm
    elif reference < 0:  # an operator: its norm from the same probe
        of_A = np.empty_like(gram)
        skeleton.probe_gram(np.zeros_like(W), of_A)
        reference = float(np.sqrt(np.real(np.trace(of_A))))
    return _error.from_probe_gram(gram, goal.norm, reference)


def with_value(certificate: ErrorEstimate, value: float, reference: float) -> ErrorEstimate:
    """Put a better estimate of the error in the place of the one from the probe."""
    return dataclasses.replace(
        certificate,
        value=value,
        relative=value / reference if reference > 0 else 0.0,
        upper=max(certificate.upper, value),
    )
