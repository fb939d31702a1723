"""When to stop: a rank, a tolerance, or whichever comes first; and whether an error meets it."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np

from ._array import as_rank, as_tolerance
from .error import check_norm
from .exceptions import ToleranceNotMet, callers_level
from .result import ErrorEstimate


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

    def scaled(self, exponent: int) -> Goal:
        """Return the goal for ``2**exponent`` times the matrix."""
        return dataclasses.replace(self, atol=float(np.ldexp(self.atol, exponent)))

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

    def warn_unmet(self, rank: int, certificate: ErrorEstimate) -> None:
        """Warn the caller of a public routine that the tolerance is not met."""
        warnings.warn(
            f"tolerance rtol={self.rtol:g}, atol={self.atol:g} is not met at rank {rank}: "
            f"relative error {certificate.relative:.3g}; raise rank or the tolerance",
            ToleranceNotMet,
            stacklevel=callers_level(),
        )


def as_goal(
    routine: str,
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    rank: Any,
    rtol: Any,
    atol: Any,
    norm: str,
) -> Goal:
    """Check rank, rtol, atol and norm of a public routine."""
    if rank is None and rtol is None and atol is None:
        raise TypeError(f"{routine} needs rank, rtol or atol: none was given")
    check_norm(norm)
    largest = min(shape)
    goal = Goal(
        rank=largest if rank is None else as_rank(rank, largest, "rank", shape),
        rtol=0.0 if rtol is None else as_tolerance(rtol, "rtol"),
        atol=0.0 if atol is None else as_tolerance(atol, "atol"),
        to_tolerance=rtol is not None or atol is not None,
        norm=norm,
    )
    if rtol is None and atol is not None and goal.atol == 0:
        raise ValueError(
            "atol=0 is no tolerance that rounding could meet; expected a positive number"
        )
    goal.check_precision(dtype)
    return goal
