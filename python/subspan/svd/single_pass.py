"""The decomposition from one reading of A."""

from __future__ import annotations

import dataclasses
from typing import Any

from .._array import as_rank
from ..angles.subspaces import SubspaceAngles
from ..goal import Goal
from ..source import Source
from ..streaming import StreamingSketch
from .decomposition import SVDResult


def single_pass(
    source: Source,
    goal: Goal,
    oversampling: Any,
    reasons: dict[str, str],
    seed: int,
    angles: bool | str,
) -> SVDResult:
    """Decompose what one reading of A left in three sketches."""
    if goal.to_tolerance or goal.norm != "fro":
        raise ValueError(
            "method='single_pass' needs a rank and norm='fro': its error is known only at the end"
        )
    if goal.rank == 0 or 0 in source.shape:
        raise ValueError(f"method='single_pass' needs a rank of at least 1, got {goal.rank}")
    extra = max(goal.rank, as_rank(oversampling, 2**22, "oversampling"))
    sketch = StreamingSketch(
        source.shape, goal.rank, dtype=source.dtype, oversampling=extra, rng=seed
    )
    U, s, Vh, error = sketch.read(source).finalize()
    plan = sketch.plan
    return SVDResult(
        U=U,
        s=s,
        Vh=Vh,
        error=error,
        converged=True,
        stop_reason="rank",
        leave_one_out=float("nan"),
        history=(),
        plan=dataclasses.replace(plan, reasons={**plan.reasons, **reasons}),
        seed=seed,
        angles=SubspaceAngles.of_approximation(s, error, source.shape, seed) if angles else None,
    )
