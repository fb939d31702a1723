"""How many triplets meet the goal, and the error that is left."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..goal import Goal
from ..range_finder import FoundRange
from ..result import ErrorEstimate


def kept(goal: Goal, values: NDArray[Any], residual: ErrorEstimate, spectral_norm: float) -> int:
    """Return how many singular triplets to keep: the rank, or as few as meet the tolerance.

    ``||A - U_k s_k V_k||^2 = ||A - Q Q^H A||^2 + sum_{j > k} s_j^2`` in the Frobenius norm; in the
    spectral norm the right side with s_{k+1}^2 in place of the sum is an upper bound.
    """
    k = min(goal.rank, len(values))
    if not goal.to_tolerance:
        return k
    squares = np.asarray(values, np.float64) ** 2
    if goal.norm == "fro":
        tails = np.append(np.cumsum(squares[::-1])[::-1], 0.0)
        reference = residual.value / residual.relative if residual.relative > 0 else 0.0
        reference = reference or float(np.sqrt(squares.sum()))
    else:
        tails = np.append(squares, 0.0)
        reference = spectral_norm
    allowed = goal.tolerance(reference) ** 2 - residual.upper**2
    enough = np.flatnonzero(tails <= allowed)
    return min(k, int(enough[0])) if enough.size else k


def certify(
    found: FoundRange, residual: ErrorEstimate, values: NDArray[Any], k: int, norm: str
) -> ErrorEstimate:
    """Error after truncation at k, from the residual of the basis and the dropped values."""
    squares = np.asarray(values, np.float64) ** 2
    whole = float(squares.sum())
    tail = float(squares[k:].sum()) if norm == "fro" else float(squares[k : k + 1].sum())
    basis = found.basis
    if norm == "spectral":
        reference = float(values[0]) if len(values) else 0.0
    else:
        # Without the entries of A, the norm of Q^H A, which holds most of it, and the rest estimated.
        known = basis.norm2 if basis.norm2 >= 0 else whole + residual.value**2
        reference = float(np.sqrt(known))
    value = float(np.sqrt(residual.value**2 + tail))
    if (
        norm == "spectral"
    ):  # of the probe only an upper bound is known; s_{k+1} is never above the error
        value = float(np.sqrt(tail))
    eps = float(np.finfo(values.dtype).eps)
    rounding = 4 * eps * float(np.sqrt(max(1, len(values)))) * reference
    return dataclasses.replace(
        residual,
        value=value,
        relative=value / reference if reference > 0 else 0.0,
        upper=float(np.sqrt(residual.upper**2 + tail)) + rounding,
    )
