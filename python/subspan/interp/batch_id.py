"""The column decompositions of a batch of matrices."""

from __future__ import annotations

import numpy as np

from .._progress import Progress
from ..batch import Batch, interp_batch, require_fixed_rank
from ..config import blas_name
from ..result import Plan
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
    choices = {
        "pivoting": settings.pivoting.replace("_", " "),
        "sketch": settings.sketch,
        "sketch size": settings.sketch_size,
        "matrices": len(batch.matrices),
        "dtype": batch.matrices.dtype.name,
        "device": "cpu",
        "blas": blas_name(),
    }
    reasons = {key.replace("_", " "): why for key, why in settings.reasons.items()}
    return InterpolativeDecomposition(
        indices=indices,
        coefficients=W,
        skeleton=np.take_along_axis(matrices, indices[..., None, :], axis=-1),
        axis=1,
        error=error,
        converged=True,
        stop_reason="rank",
        history=(),
        plan=Plan(choices, reasons, 1, dict(progress.seconds)),
        seed=request.seed,
    )
