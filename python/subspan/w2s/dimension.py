"""How many directions of the features count."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RULES = ("energy", "participation", "stable_rank", "tail")


def intrinsic_dimension(
    eigenvalues: Any, *, rule: str = "energy", energy: float = 0.99, samples: int | None = None
) -> float:
    """Intrinsic dimension of features with these eigenvalues of the second moment.

    Parameters
    ----------
    eigenvalues : array
        Not negative, in any order.
    rule : {"energy", "participation", "stable_rank", "tail"}
        The smallest d with a part `energy` of the trace; ``(sum)^2/sum of squares``; ``sum/largest``; or
        the smallest d that leaves at most ``trace/samples`` (sketchy moment matching).
    energy : float
        In (0, 1].
    samples : int, optional
        For "tail".

    Returns
    -------
    float
        An integer for "energy" and "tail".

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from subspan.w2s import intrinsic_dimension
    >>> intrinsic_dimension([4, 3, 2, 1], energy=0.9), intrinsic_dimension([1, 1], rule="participation")
    (3.0, 2.0)
    """
    values = np.sort(np.asarray(eigenvalues, np.float64).ravel())[::-1]
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError("eigenvalues must be finite and not negative")
    if rule not in RULES:
        raise ValueError(f"rule={rule!r} must be one of {RULES}")
    if not 0 < energy <= 1:
        raise ValueError(f"energy={energy} must lie in (0, 1]")
    if rule == "tail" and (samples is None or samples < 1):
        raise ValueError(f"samples={samples} must be at least 1 for rule='tail'")
    trace = float(values.sum())
    if trace == 0:
        return 0.0
    if rule == "participation":
        return trace**2 / float(np.sum(values**2))
    if rule == "stable_rank":
        return trace / float(values[0])
    left = 1 - energy if rule == "energy" else 1 / float(samples or 1)
    return float(kept(values, left))


def kept(values: NDArray[np.float64], left: float) -> int:
    """Smallest d such that the descending values after d sum to at most a part `left` of all."""
    tails = np.append(np.cumsum(values[::-1])[::-1], 0.0)
    rounding = len(values) * float(np.finfo(np.float64).eps)
    return int(np.argmax(tails <= (left + rounding) * tails[0]))
