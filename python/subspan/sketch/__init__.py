"""Sketch operators: random matrices S with ``E[S.T @ S] = I``, applied without being stored.

Entry (i, j) of an operator depends on (seed, i, j) alone, so any tile can be made anywhere, sketches
of blocks of rows add up to the sketch, and the thread count changes nothing.
"""

from .accumulator import Accumulator
from .independent_entries import Gaussian, Rademacher
from .kinds import KINDS, apply, register
from .row_sampling import RowSampling
from .sketch_operator import SketchOperator, TransposedSketch
from .sketch_operator import _remake as _remake  # older pickles look for it here
from .sparse_sign import CountSketch, SparseSign
from .srht import SRHT

__all__ = [
    "KINDS",
    "SRHT",
    "Accumulator",
    "CountSketch",
    "Gaussian",
    "Rademacher",
    "RowSampling",
    "SketchOperator",
    "SparseSign",
    "TransposedSketch",
    "apply",
    "register",
]
