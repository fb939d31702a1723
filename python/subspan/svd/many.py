"""The decompositions of a batch of matrices."""

from __future__ import annotations

from .._progress import Progress
from ..batch import Batch, require_fixed_rank, svd_batch
from ..goal import Goal
from ..range_finder import RangeSettings, plan_of
from ..source import as_source
from .decomposition import SVDResult


def decompose_batch(
    batch: Batch, goal: Goal, settings: RangeSettings, seed: int, progress: Progress
) -> SVDResult:
    """Decompose every matrix at one rank, with the settings that suit one of them."""
    require_fixed_rank("svd", goal)
    if settings.method in ("block_krylov", "single_pass"):
        raise ValueError(
            f"method={settings.method!r} is not available for a batch; choose 'subspace' or 'full'"
        )
    U, s, Vh, error = svd_batch(batch, goal.rank, settings, seed, progress)
    full = settings.method == "full"
    passes = 1 if full else 2 + 2 * settings.power_iterations
    size = min(batch.shape) if full else settings.size
    return SVDResult(
        U=U,
        s=s,
        Vh=Vh,
        error=error,
        converged=True,
        stop_reason="rank",
        leave_one_out=float("nan"),
        history=(),
        plan=plan_of(as_source(batch.sample), settings, passes, size, progress),
        seed=seed,
    )
