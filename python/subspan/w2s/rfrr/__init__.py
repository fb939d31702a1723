"""Weak-to-strong training of random feature ridge regression: risks, optimal ridge, scaling laws, simulation.

After "Improved scaling laws via weak-to-strong generalization in random feature ridge regression",
arXiv 2603.05691.
"""

from .fixed_point import FixedPoint, RandomFeatures, fixed_point
from .risks import optimal_student_ridge, student_risk, teacher_risk
from .scaling import (
    fit_exponents,
    minimax_exponent,
    power_law,
    slope,
    student_ridge,
    teacher_exponents,
)
from .simulate import simulate

__all__ = [
    "FixedPoint",
    "RandomFeatures",
    "fit_exponents",
    "fixed_point",
    "minimax_exponent",
    "optimal_student_ridge",
    "power_law",
    "simulate",
    "slope",
    "student_ridge",
    "student_risk",
    "teacher_exponents",
    "teacher_risk",
]
