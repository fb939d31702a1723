"""Sketches of rows whose coordinates arrive part by part."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _native
from ..sketch.kinds import KINDS
from ..sketch.sketch_operator import SketchOperator
from ..sketch.sparse_sign import SparseSign
from ..source import as_source

NAMES = ("auto", "sparse_sign", "countsketch", "gaussian", "rademacher")
_AUTO_NONZEROS = 4  # the fewest that embed coherent data; cost is in proportion


def operator_of(kind: str, size: int, dimension: int, seed: int) -> SketchOperator:
    """The operator of a name; "auto" is sparse signs, 4 per coordinate."""
    if kind not in NAMES:
        raise ValueError(f"sketch={kind!r} is not known; expected one of {NAMES}")
    if kind == "auto":
        return SparseSign(size, dimension, rng=seed, nnz=min(_AUTO_NONZEROS, size))
    return KINDS[kind](size, dimension, rng=seed)


class RowSketch:
    """``R S^T`` and the squared norms of the rows of R, given columns of R part by part.

    A part is read once. Rows do not meet: neither does the value of one depend on the others (for
    sparse operators not in a bit), nor do entries that are not finite leave their row.

    Attributes
    ----------
    value : array of float32, shape (size, count)
        The transpose of the sketch so far.
    squared_norms : array of float64, shape (count,)
    """

    def __init__(self, S: SketchOperator, count: int) -> None:
        self._S = S
        self.value = np.zeros((S.shape[0], count), np.float32)
        self.squared_norms = np.zeros(count)

    def add(self, part: NDArray[np.float32], start: int) -> None:
        """Add columns ``start .. start + part.shape[1] - 1`` of R, shape (count, width)."""
        count, width = part.shape
        if width == 0:
            return
        native = _native.module()
        sketched, norms = np.empty_like(self.value), np.empty(count)
        nothing = native.SketchOperator(0, 0, width, 1, 0)
        native.sketch_pass(
            as_source(part.T).native,
            self._S._native.columns(start, width),
            sketched,
            nothing,
            np.empty((0, count), np.float32),
            norms,
        )
        self.value += sketched
        self.squared_norms += norms

    def rows(self) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]:
        """Sketches, squared norms, and which are finite; those that are not are zero."""
        return finite_rows(np.ascontiguousarray(self.value.T), self.squared_norms)


def finite_rows(
    sketches: NDArray[np.float32], norms: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]:
    """The same with zeros where a row is not finite, and which rows are."""
    good: NDArray[Any] = np.isfinite(norms) & np.isfinite(sketches).all(axis=1)
    sketches[~good] = 0
    return sketches, np.where(good, norms, 0.0), good
