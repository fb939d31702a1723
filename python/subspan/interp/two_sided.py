"""The two-sided decomposition: columns of A, then rows of these columns."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .. import error as _error
from .._array import as_array
from .._progress import Progress
from ..goal import Goal
from ..source import Source, as_source
from .columns import column_id
from .decomposition import InterpolativeDecomposition
from .request import Request


def two_sided(source: Source, request: Request, progress: Any) -> InterpolativeDecomposition:
    """Column ID of A, then row ID of the chosen columns C, which have full rank.

    ||A - Z A[I, J] W|| <= ||A - C W|| + ||C - Z C[I]|| ||W||, the second term being rounding.
    """
    columns = column_id(source, request, Progress(progress, 3))
    J, W = columns
    C = np.asarray(
        columns.skeleton.toarray() if hasattr(columns.skeleton, "toarray") else columns.skeleton
    )
    inner = dataclasses.replace(
        request,
        goal=Goal(columns.rank, 0.0, 0.0, False, "fro"),
        pivoting="lupp",
        sketch="auto",
        oversampling=None,
        block_size=None,
        coefficients="exact",
    )
    rows = column_id(as_source(as_array(C.T)), inner, Progress(None, 3))
    if rows.rank < columns.rank:  # the chosen columns are dependent: as many as there are rows
        goal = dataclasses.replace(request.goal, rank=rows.rank)
        fewer = two_sided(source, dataclasses.replace(request, goal=goal), progress)
        return dataclasses.replace(fewer, stop_reason="exhausted")
    I, Zt = rows  # noqa: E741
    slack = rows.error.value * float(np.linalg.norm(W)) if columns.rank else 0.0
    certificate = dataclasses.replace(
        columns.error,
        value=columns.error.value + slack,
        upper=columns.error.upper + rows.error.upper * float(np.linalg.norm(W)),
    )
    if columns.error.value > 0:
        scale = certificate.value / columns.error.value
        certificate = dataclasses.replace(certificate, relative=columns.error.relative * scale)
    elif slack > 0:  # C W is A itself
        scale = _error.safe_scale(float(np.abs(C).max()))
        product = np.linalg.qr(C * scale, mode="r") @ W
        reference = float(np.linalg.norm(product, 2 if certificate.norm == "spectral" else None))
        certificate = dataclasses.replace(certificate, relative=slack * scale / reference)
    converged = request.goal.met_by(certificate, selection_agrees=columns.converged)
    return dataclasses.replace(
        columns,
        indices=(I, J),
        coefficients=(Zt.T, W),
        skeleton=C[I],
        axis=None,
        error=certificate,
        converged=converged,
        stop_reason=columns.stop_reason
        if converged or columns.stop_reason != "tolerance"
        else "exhausted",
    )
