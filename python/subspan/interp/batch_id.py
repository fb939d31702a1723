"""The column decompositions of a batch of matrices."""

from __future__ import annotations

import numpy as np

from .._progress import Progress
from ..batch import Batch, interp_batch, plan_of, require_fixed_rank
from ..source import as_source
from .decomposition import InterpolativeDecomposition
from .request import Request
from .settings import resolve


def batch_id(batch: Batch, request: Request, progress: Progress) -> InterpolativeDecomposition:
    """Column ID of every matrix, at one rank and with the settings that suit one of them."""
    require_fixed_rank("interpolative", request.goal)
    settings, mode = resolve(as_source(batch.sample), request)
    indices, W, error = interp_batch(batch, settings, mode, request.seed, progress)
    matrices = batch.stacked(batch.original)
    return InterpolativeDecomposition(
        indices=indices,
        coefficients=W,
        skeleton=np.take_along_axis(matrices, indices[..., None, :], axis=-1),
        axis=1,
        error=error,
        converged=True,
        stop_reason="rank",
        history=(),
        plan=plan_of(batch, settings, progress),
        seed=request.seed,
    )
