"""What the caller asked for, and whether an error meets it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..result import ErrorEstimate

COEFFICIENTS = ("auto", "exact", "osid", "sketch")


@dataclasses.dataclass(frozen=True)
class Goal:
    """When to stop."""

    rank: int
    rtol: float
    atol: float
    to_tolerance: bool
    norm: str

    def check_precision(self, dtype: np.dtype[Any]) -> None:
        """Refuse a relative tolerance that rounding alone would miss."""
        smallest = 50 * float(np.finfo(dtype).eps)
        if not self.to_tolerance or self.atol > 0 or self.rtol >= smallest:
            return
        raise ValueError(
            f"rtol={self.rtol:g} is below what {dtype} allows; expected at least {smallest:.2g}"
        )

    def tolerance(self, reference: float) -> float:
        """Return the largest error allowed, `reference` being the norm of A."""
        return max(self.rtol * reference, self.atol)

    def allowed(self, certificate: ErrorEstimate) -> float:
        """Return the largest error allowed, the norm of A being that of the certificate."""
        reference = certificate.value / certificate.relative if certificate.relative > 0 else 0.0
        return self.tolerance(reference) * (1 + 1e-6)

    def met_by(self, certificate: ErrorEstimate, *, selection_agrees: bool = False) -> bool:
        """Tell whether a certified error is within the tolerance, if there is one.

        An estimate must be so with its upper bound, unless the selection has stopped because the
        error of fresh probes, with a safety factor, or the Frobenius norm met the tolerance.
        """
        if not self.to_tolerance:
            return True
        sure = certificate.kind == "exact" or selection_agrees
        error = certificate.value if sure else certificate.upper
        # A certificate of zero meets every tolerance.
        return error <= self.allowed(certificate)


@dataclasses.dataclass(frozen=True)
class Request:
    """What the caller asked for."""

    goal: Goal
    pivoting: str
    sketch: str | None
    oversampling: int | None
    block_size: int | None
    coefficients: str
    seed: int
