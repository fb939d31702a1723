"""Operators with a few signs in every column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .._array import as_rank
from .sketch_operator import LARGEST_SIZE, SketchOperator


class SparseSign(SketchOperator):
    """`nnz` signs divided by ``sqrt(nnz)`` in every column, one in each of `nnz` groups of rows.

    Costs ``nnz m n`` additions and one reading of A, nearly independent of `size`. With fewer than 4
    nonzeros per column it fails on coherent data.

    Parameters
    ----------
    size, dim, rng, dtype
        As for every operator.
    nnz : int
        Nonzeros per column, ``1 <= nnz <= size``; by default 8, or `size` if that is smaller.

    References
    ----------
    Nelson and Nguyen, FOCS 2013 (block construction of OSNAP).

    Examples
    --------
    >>> from subspan import sketch
    >>> S = sketch.SparseSign(32, 100, rng=0)
    >>> int((S.toarray() != 0).sum(axis=0).max())
    8
    """

    _options = ("nnz",)
    _kind = 2

    def __init__(
        self,
        size: int,
        dim: int,
        *,
        rng: Any = None,
        dtype: DTypeLike = np.float64,
        nnz: int | None = None,
    ) -> None:
        if nnz is None:
            nnz = min(8, max(1, as_rank(size, LARGEST_SIZE, "size")))
        super().__init__(size, dim, rng=rng, dtype=dtype, nnz=nnz)

    def _first_group(self) -> int:
        return self.shape[0] // int(self._specific["nnz"])


class CountSketch(SketchOperator):
    """One sign per column: :class:`SparseSign` with ``nnz=1``. Fails on coherent data.

    References
    ----------
    Clarkson and Woodruff, STOC 2013.

    Examples
    --------
    >>> from subspan import sketch
    >>> S = sketch.CountSketch(5, 9, rng=0)
    >>> abs(S.toarray()).sum(axis=0).tolist() == [1.0] * 9
    True
    """

    _kind = 2

    def _first_group(self) -> int:
        return self.shape[0]
