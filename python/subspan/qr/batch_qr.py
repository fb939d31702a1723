"""The pivoted QR of a batch of matrices."""

from __future__ import annotations

from .._progress import Progress
from ..batch import Batch, plan_of, qr_batch, require_fixed_rank
from ..interp.request import Request
from ..interp.settings import resolve
from ..source import as_source
from .blocked import blocked_settings, choose_blocked
from .decomposition import PivotedQR


def batch_qr(batch: Batch, request: Request, progress: Progress) -> PivotedQR:
    """Pivoted QR of every matrix, at one rank and with the settings that suit one of them."""
    require_fixed_rank("qr", request.goal)
    source = as_source(batch.sample)
    if choose_blocked(source, request):
        settings = blocked_settings(request)
    else:
        settings, _ = resolve(source, request)
    Q, R, piv, error = qr_batch(batch, settings, request.seed, progress)
    return PivotedQR(
        Q=Q,
        R=R,
        piv=piv,
        error=error,
        converged=True,
        stop_reason="rank",
        history=(),
        plan=plan_of(batch, settings, progress),
        seed=request.seed,
    )
