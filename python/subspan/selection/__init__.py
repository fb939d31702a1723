"""Choosing data: the rows to label or to finetune on, from features or sketched gradients."""

from .criteria import Certificate, coverage, coverage_by_group, moment_certificate, v_opt
from .result import Selection
from .select import select
from .skmm import moment_matching

__all__ = [
    "Certificate",
    "Selection",
    "coverage",
    "coverage_by_group",
    "moment_certificate",
    "moment_matching",
    "select",
    "v_opt",
]
