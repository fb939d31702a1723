"""What is done, from what was asked: ``"auto"`` resolved, and the plan that tells it."""

from __future__ import annotations

from typing import Any

from .._array import as_rank
from .._progress import Progress
from ..config import blas_name
from ..pivot import (
    Selection,
    choose_block,
    choose_pivoting,
    choose_sketch,
    full_is_cheaper,
    size_sketch,
)
from ..result import Plan
from ..source import Source
from .request import Request

PROBES = 16
FACTOR, OSID, EXACT = 0, 1, 2  # the compiled coefficient modes


def prefers_lapack(source: Source, request: Request) -> bool:
    """Tell whether all is left to us and LAPACK on A itself is the best there is."""
    settled = (request.sketch, request.oversampling, request.block_size) != ("auto", None, None)
    automatic = request.pivoting == "auto" and request.coefficients in ("auto", "exact")
    fixed = not request.goal.to_tolerance
    return automatic and fixed and not settled and full_is_cheaper(source, request.goal.rank)


def resolve(source: Source, request: Request) -> tuple[Selection, int]:
    """Return the settings of the selection and the coefficient mode, ``"auto"`` resolved."""
    goal, reasons = request.goal, {}
    asked = request.pivoting
    if asked == "auto" and request.coefficients == "sketch" and not goal.to_tolerance:
        asked = "lupp"
        reasons["pivoting"] = "its factor gives the coefficients"
    if prefers_lapack(source, request):
        reasons["pivoting"] = "LAPACK on A itself: a sketch of it would hardly be cheaper"
        return Selection("full_cpqr", goal.rank, sketch=None, reasons=reasons), FACTOR
    pivoting = choose_pivoting(source, asked, request.sketch, goal.to_tolerance, reasons)
    kind = choose_sketch(source, request.sketch, reasons)
    settings = Selection(pivoting, goal.rank, sketch=kind, reasons=reasons)
    if request.block_size is not None:
        settings.block_size = choose_block(
            pivoting, goal.rank, goal.to_tolerance, request.block_size
        )
    extra = request.oversampling
    if extra is not None:
        extra = as_rank(extra, 2**22, "oversampling")
    if settings.method.family == "blockwise":
        settings.sketch = None
        reasons.pop("sketch", None)
        if request.coefficients in ("auto", "osid", "sketch"):
            reasons["coefficients"] = "the factorization of A holds the exact ones"
        return settings, FACTOR
    if request.coefficients == "auto":
        reasons["coefficients"] = "the best for the chosen columns, for one product with A"
    mode = {"auto": EXACT, "exact": EXACT, "osid": OSID, "sketch": OSID}[request.coefficients]
    if request.coefficients == "sketch":
        if pivoting == "lupp":
            mode = FACTOR
        else:
            reasons["coefficients"] = "least squares on the sketch: only lupp keeps its factor"
    if settings.method.family == "reference" and mode != EXACT:
        raise ValueError(
            f"coefficients={request.coefficients!r} needs a sketch; 'strong' makes none"
        )
    settings.probes = PROBES
    size_sketch(source, settings, extra, 2 * goal.rank if request.coefficients == "osid" else 0)
    return settings, mode


def plan_of(
    source: Source,
    settings: Selection,
    mode: int,
    skeleton: Any,
    progress: Progress,
    passes: int,
) -> Plan:
    """Tell what was chosen, why, and what it cost."""
    blockwise = settings.method.family == "blockwise"
    choices: dict[str, Any] = {
        "pivoting": settings.pivoting.replace("_", " "),
        "sketch": settings.sketch if settings.method.family != "reference" else None,
        "sketch size": skeleton.sketch_cols,
        "coefficients": "exact" if blockwise else ("sketch", "osid", "exact")[mode],
        "block size": choose_block(
            settings.pivoting, settings.rank, settings.to_tolerance, settings.block_size
        )
        if blockwise or settings.to_tolerance
        else None,
        "probes": settings.probes,
        "input": source.kind,
        "dtype": source.dtype.name,
        "device": "cpu",
        "blas": blas_name(),
    }
    reasons = {key.replace("_", " "): why for key, why in settings.reasons.items()}
    return Plan(choices, reasons, passes, dict(progress.seconds))
