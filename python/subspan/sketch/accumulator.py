"""Sketching a matrix that streams by."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import DTypeLike

from .._array import as_rank, working_dtype
from ..source import as_source

if TYPE_CHECKING:
    from .sketch_operator import SketchOperator


class Accumulator:
    """The sketch ``S @ A`` of a matrix whose rows arrive in blocks, in any order, anywhere.

    Made by ``S.accumulator(n)``. Sketches of disjoint blocks of rows add up, so accumulators filled on
    different machines with the same seed merge into the sketch of the whole.

    Attributes
    ----------
    value : array, shape (size, n)
        The sketch so far.
    rows_seen : int

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import sketch
    >>> A = np.arange(60.0).reshape(20, 3)
    >>> S = sketch.SparseSign(8, 20, rng=0)
    >>> first, second = S.accumulator(3), S.accumulator(3)
    >>> _ = first.update(A[:11], 0), second.update(A[11:], 11)
    >>> bool(np.allclose(first.merge(second).value, S @ A))
    True
    """

    def __init__(self, S: SketchOperator, n: int, dtype: DTypeLike | None = None) -> None:
        self.operator = S
        self.rows_seen = 0
        self.value = np.zeros(
            (S.shape[0], as_rank(n, 2**62, "n")), S.dtype if dtype is None else working_dtype(dtype)
        )

    def update(self, rows: Any, start: int) -> Self:
        """Add rows ``start .. start + len(rows) - 1`` of A."""
        source = as_source(rows)
        count, n = source.shape
        start = operator.index(start)
        stop = start + count
        if n != self.value.shape[1]:
            raise ValueError(f"rows has {n} columns; expected {self.value.shape[1]}")
        if not (start >= 0 and stop <= self.operator.shape[1]):
            raise ValueError(
                f"rows {start} .. {stop - 1} leave the range [0, {self.operator.shape[1]}) of S"
            )
        if source.kind == "operator":
            raise TypeError("rows must be an array or a sparse matrix, not an operator")
        if count and n:
            self.value += self.operator._sketch_rows(source, start)
        self.rows_seen += count
        return self

    def merge(self, other: Accumulator) -> Self:
        """Add what another accumulator of the same operator has seen."""
        mine, theirs = self.operator, other.operator
        if not mine.same_as(theirs):
            raise ValueError(f"cannot merge sketches by different operators: {mine} and {theirs}")
        if other.value.shape != self.value.shape:
            raise ValueError(
                f"other sketches a matrix of {other.value.shape[1]} columns; "
                f"expected {self.value.shape[1]}"
            )
        self.value += other.value
        self.rows_seen += other.rows_seen
        return self
