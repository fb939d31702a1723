"""Choosing data: the rows to label or to finetune on, from features or sketched gradients."""

from typing import Any

from .._optional import extra
from . import scores
from .compare import compare_selectors, mean_interval
from .criteria import Certificate, coverage, coverage_by_group, moment_certificate, v_opt
from .result import Selection
from .select import select
from .skmm import moment_matching

__all__ = [
    "Certificate",
    "Selection",
    "SkMM",
    "compare_selectors",
    "coverage",
    "coverage_by_group",
    "mean_interval",
    "moment_certificate",
    "moment_matching",
    "scores",
    "select",
    "v_opt",
]


def __getattr__(name: str) -> Any:
    """Import the estimator, and with it scikit-learn, when first asked for."""
    if name == "SkMM":
        with extra("sklearn", "sklearn"):
            from .estimator import SkMM
        return SkMM
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
