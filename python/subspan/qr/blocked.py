"""The blocked form, for ranks at which the factors are as large as A."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import _native
from .. import error as _error
from .._array import as_rank
from .._progress import Progress
from ..config import blas_name
from ..interp.certificate import conclude, spectral_norm_of
from ..interp.request import Request
from ..interp.settings import prefers_lapack
from ..pivot import Selection, choose_block, fits_in_cache
from ..result import Plan
from ..source import Source
from .certificate import revealed_error
from .decomposition import PivotedQR

_BLOCK = 64
_OVERSAMPLING = 10
_TALL = 8


def choose_blocked(source: Source, request: Request) -> bool:
    """Tell whether the blocked form is asked for, or is the fastest that "auto" can take.

    A sketch of all columns is faster for tall matrices, LAPACK for small ones.
    """
    if request.pivoting == "blocked":
        return serves_blocked(source, request)
    m, n = source.shape
    small = prefers_lapack(source, request) and fits_in_cache(source)
    return not small and m < _TALL * n and serves_blocked(source, request)


def serves_blocked(source: Source, request: Request) -> bool:
    """Tell whether the blocked form is asked for, or "auto" asks for factors as large as A."""
    goal = request.goal
    if request.pivoting == "blocked":
        if goal.to_tolerance:
            raise ValueError(
                "pivoting='blocked' works at a fixed rank only; with rtol or atol choose 'greedy'"
            )
        if source.kind == "operator":
            raise TypeError("A is an operator and pivoting='blocked' reads columns of A")
        if source.kind == "blocks":
            raise TypeError("pivoting='blocked' needs all of A in memory, where this A is not")
        return True
    if request.pivoting != "auto" or goal.to_tolerance or source.kind in ("operator", "blocks"):
        return False
    return 2 * goal.rank > min(source.shape)


def blocked_settings(request: Request) -> Selection:
    """Block and sketch sizes, and why this form if it was not asked for."""
    k = request.goal.rank
    block = _BLOCK if request.block_size is None else choose_block("", k, False, request.block_size)
    block = max(1, min(block, k))
    extra = _OVERSAMPLING
    if request.oversampling is not None:
        extra = as_rank(request.oversampling, 2**22, "oversampling")
    reasons = {"pivoting": "Q and R are as large as A; the trailing matrix shrinks as they grow"}
    return Selection(
        "blocked",
        k,
        sketch="gaussian",
        sketch_size=block + extra,
        block_size=block,
        reasons=reasons if request.pivoting == "auto" else {},
    )


def blocked(source: Source, request: Request, progress: Progress) -> PivotedQR:
    """Blocked QR with randomized pivoting of a working copy of A."""
    (m, n), k = source.shape, request.goal.rank
    settings = blocked_settings(request)
    block = settings.block_size
    spectral_norm = spectral_norm_of(source, request.goal, request.seed, progress)
    native = _native.module()
    G = native.SketchOperator(0, settings.sketch_size, m, 1, request.seed, 0)
    Q = np.empty((m, k), source.dtype, order="F")
    R = np.empty((k, n), source.dtype)
    with progress.stage("factors"):
        piv, left, norm2 = native.blocked_qr(source.native, block, G, Q, R, progress.poll)
    error = revealed_error(left, norm2, R)
    if request.goal.norm == "spectral":  # which the Frobenius norm is an upper bound of
        error = dataclasses.replace(error, norm="spectral", kind="estimate")
        error = dataclasses.replace(error, failure_probability=_error.FAILURE_PROBABILITY)
    diagonal = np.diagonal(R).real
    floor = 8 * float(np.sqrt(n) * np.finfo(source.dtype).eps) * float(diagonal.max())
    choices = {
        "pivoting": "blocked",
        "sketch": "gaussian",
        "sketch size": G.size,
        "block size": block,
        "input": source.kind,
        "dtype": source.dtype.name,
        "device": "cpu",
        "blas": blas_name(),
    }
    stop = "exhausted" if float(diagonal.min()) <= floor else "rank"
    plan = Plan(choices, settings.reasons, 1, progress.seconds)
    found = PivotedQR(Q, R, piv, error, True, stop, (), plan, request.seed)
    return conclude(source, request.goal, found, spectral_norm, progress)
