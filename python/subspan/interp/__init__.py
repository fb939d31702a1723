"""Interpolative decomposition: A in terms of its own columns, rows, or both."""

from .decomposition import InterpolativeDecomposition
from .driver import interpolative
from .request import COEFFICIENTS

__all__ = ["COEFFICIENTS", "InterpolativeDecomposition", "interpolative"]
