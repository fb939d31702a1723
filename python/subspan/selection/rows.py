"""Candidates as rows, read in tiles of fixed size whatever they are stored in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import is_sparse, to_host

TILE = 4096  # rows; sums over tiles do not depend on how the caller's data are divided


class Rows:
    """N rows of d numbers: an array, a memory map, a CSR matrix or whatever can be sliced by rows."""

    def __init__(self, X: Any, name: str = "X") -> None:
        X = to_host(X, name)
        if is_sparse(X):
            X = X.tocsr()
        elif not hasattr(X, "shape") or not hasattr(X, "__getitem__"):
            X = np.asarray(X)
        if len(X.shape) != 2:
            raise ValueError(f"{name} must be 2-d, one row per candidate; got shape {X.shape}")
        kind = np.dtype(X.dtype).kind
        if kind not in "fiub":
            raise TypeError(f"{name} has dtype {X.dtype}; expected real numbers")
        self.X, self.name = X, name
        self.shape = (int(X.shape[0]), int(X.shape[1]))
        small = np.dtype(X.dtype) in (np.dtype(np.float32), np.dtype(np.float16))
        self.dtype = np.dtype(np.float32 if small else np.float64)

    @property
    def eps(self) -> float:
        """Relative rounding of the rows."""
        return float(np.finfo(np.float32 if self.dtype == np.float32 else np.float64).eps)

    def __len__(self) -> int:
        return self.shape[0]

    def tiles(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Every tile, dense and finite, with the rows that it covers."""
        for start in range(0, len(self), TILE):
            rows = slice(start, min(start + TILE, len(self)))
            yield rows, self._dense(self.X[rows], start)

    def dense(self) -> NDArray[Any]:
        """Return all rows, dense."""
        out = np.empty(self.shape, self.dtype)
        for where, tile in self.tiles():
            out[where] = tile
        return out

    def subset(self, indices: NDArray[np.int64]) -> Rows:
        """Some rows as candidates of their own."""
        return self if len(indices) == len(self) else Rows(self.take(indices), self.name)

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Return some rows, dense."""
        order = np.argsort(indices, kind="stable")  # files are read forwards
        found = self._dense(self.X[indices[order]], 0)
        out = np.empty_like(found)
        out[order] = found
        return out

    def _dense(self, part: Any, start: int) -> NDArray[Any]:
        if is_sparse(part):
            part = part.toarray()
        dense = np.ascontiguousarray(part, dtype=self.dtype)
        if not np.isfinite(dense).all():
            row = start + int(np.flatnonzero(~np.isfinite(dense).all(axis=1))[0])
            raise ValueError(f"{self.name} has entries that are not finite, first in row {row}")
        return dense
