"""Sketched gradients and what is known about them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class GradientSketches:
    """Sketched gradients, one row per sample; has the shape and the slices of the array of them.

    Attributes
    ----------
    sketches : array of float32, shape (N, size)
        In memory, or the memory-mapped file, Zarr array or other array that was asked for.
    squared_norms : array of float64, shape (N,)
        Of the gradients themselves.
    ids : array of int64, shape (N,)
        Position of each sample in the loader's order, dropped ones left out.
    bad_ids : array of int64
        Samples whose gradient was not finite.
    """

    sketches: Any
    squared_norms: NDArray[np.float64]
    ids: NDArray[np.int64]
    bad_ids: NDArray[np.int64]

    @property
    def bad(self) -> int:
        """Number of samples whose gradient was not finite."""
        return len(self.bad_ids)

    @property
    def trace(self) -> float:
        """Mean squared norm: the trace of the second moment ``G^T G / N``, exact."""
        return float(np.mean(self.squared_norms))

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and columns of the sketch."""
        return int(self.sketches.shape[0]), int(self.sketches.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the rows."""
        kind: np.dtype[Any] = np.dtype(self.sketches.dtype)
        return kind

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        return self.sketches[rows]

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        rows = np.asarray(self.sketches, dtype)
        return rows.copy() if copy and rows is self.sketches else rows

    def __repr__(self) -> str:
        rows, size = self.shape
        return f"GradientSketches({rows} x {size}, {self.bad} not finite)"
