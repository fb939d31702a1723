"""The column decomposition for columns that another package chooses, itself or from its sketch."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import error as _error
from .._progress import Progress
from ..config import blas_name
from ..foreign import foreign_pivots
from ..result import Plan
from ..source import Source
from .decomposition import InterpolativeDecomposition
from .request import Request
from .settings import PROBES

_PASSES = 4  # the sketch (or the pivoter, whose own are not known), the columns, Q^H A, the probe
_CERTIFICATE_WORD = 0x9E3779B97F4A7C15  # sets the certificate's seed apart from the selection's


def given_id(source: Source, request: Request, progress: Progress) -> InterpolativeDecomposition:
    """Column ID at a fixed rank: exact coefficients, and an error estimate from a probe of its own."""
    _check(request)
    goal, k = request.goal, request.goal.rank
    reasons: dict[str, str] = {}
    asked = "cpqr" if request.pivoting == "auto" else request.pivoting
    with progress.stage("choose columns"):
        indices, name = foreign_pivots(source, k, asked, request.sketch, request.seed, reasons)
    columns = source.columns(indices)
    with progress.stage("coefficients"):
        columns = source.columns(indices)
        W = least_squares(source, columns, indices)
    choices: dict[str, Any] = {"pivoting": name, "sketch": request.sketch, "coefficients": "exact"}
    choices |= {"probes": PROBES, "input": source.kind, "dtype": source.dtype.name}
    choices |= {"device": "cpu", "blas": blas_name()}
    found = InterpolativeDecomposition(
        indices=indices,
        coefficients=W,
        skeleton=columns,
        axis=1,
        error=_error.exact(0.0, 0.0),  # until it is measured, with the approximation itself
        converged=True,
        stop_reason="rank",
        history=(),
        plan=Plan(choices, reasons, _PASSES, progress.seconds),
        seed=request.seed,
    )
    with progress.stage("certificate"):
        certificate = _error.residual(
            source.matrix,
            found,
            norm=goal.norm,
            probes=PROBES,
            rng=request.seed ^ _CERTIFICATE_WORD,
        )
    return dataclasses.replace(found, error=certificate)


def least_squares(source: Source, columns: Any, indices: NDArray[np.int64]) -> NDArray[Any]:
    """Coefficients W that minimise ``||A - A_J W||_F``, with ``W[:, J] = I``.

    Through the singular values of A_J, since nothing is known of the columns: where they are dependent, W
    is the smallest of the minimisers.
    """
    C = np.asarray(columns.toarray() if source.kind == "sparse" else columns)
    scale = _error.safe_scale(float(np.abs(C).max(initial=0.0)))
    U, s, Vh = np.linalg.svd(C * np.asarray(scale, C.real.dtype), full_matrices=False)
    kept = s > s.max(initial=0.0) * max(C.shape) * np.finfo(s.dtype).eps
    U, s, Vh = U[:, kept], s[kept], Vh[kept]
    projected = np.asarray(U.conj().T @ source.matrix)  # Q^H A
    W = np.asarray(Vh.conj().T @ (projected * np.asarray(scale, s.dtype) / s[:, None]))
    W[:, indices] = np.eye(indices.size, dtype=W.dtype)
    return W.astype(source.dtype, copy=False)


def _check(request: Request) -> None:
    who = f"pivoting={request.pivoting!r} with sketch={request.sketch!r}"
    if request.goal.to_tolerance:
        raise ValueError(f"{who} works at a fixed rank only; give rank without rtol and atol")
    if request.coefficients not in ("auto", "exact"):
        raise ValueError(
            f"coefficients={request.coefficients!r}: {who} has 'exact' ones only, by least squares"
        )
    for name in ("oversampling", "block_size"):
        if getattr(request, name) is not None:
            raise ValueError(f"{name}={getattr(request, name)} has no meaning for {who}")
