"""What the caller asked for."""

from __future__ import annotations

import dataclasses

from ..goal import Goal

COEFFICIENTS = ("auto", "exact", "osid", "sketch")


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
