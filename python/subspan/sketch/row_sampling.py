"""Sampling of rows, uniform or by weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import _native
from ..source import Source
from .sketch_operator import SketchOperator


class RowSampling(SketchOperator):
    """`size` rows drawn independently with replacement, scaled so that ``E[S.T @ S] = I``.

    Parameters
    ----------
    size, dim, rng, dtype
        As for every operator.
    weights : array, shape (dim,), optional
        Row i is drawn with probability ``weights[i] / weights.sum()`` and divided by
        ``sqrt(size * probability)``. Uniform if not given; leverage scores
        (:func:`subspan.leverage_scores`) make it safe for coherent data.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import sketch
    >>> A = np.arange(12.0).reshape(6, 2)
    >>> S = sketch.RowSampling(3, 6, rng=0)
    >>> bool(np.allclose(S @ A, S.toarray() @ A))
    True
    """

    _options = ("weights",)
    _sketch_rows = SketchOperator._sketch_rows_by_tiles

    def __init__(
        self,
        size: int,
        dim: int,
        *,
        rng: Any = None,
        dtype: DTypeLike = np.float64,
        weights: Any = None,
    ) -> None:
        if weights is not None:
            weights = np.array(weights, np.float64)  # ours: the operator must not change later
            weights.flags.writeable = False
        super().__init__(size, dim, rng=rng, dtype=dtype, weights=weights)

    def __repr__(self) -> str:
        kind = "" if self._specific["weights"] is None else ", weights=..."
        return f"RowSampling({self.shape[0]}, {self.shape[1]}, rng={self.seed}{kind})"

    def _make_native(self, *, weights: Any) -> Any:  # type: ignore[override]
        if self.shape[1] == 0:
            raise ValueError("dim=0 must be at least 1: there is no row to draw")
        native = _native.module()
        made = native.SketchOperator(0, *self.shape, 1, self.seed)
        uniform = native.sampling_uniforms(made)
        dim = self.shape[1]
        if weights is None:
            self.rows = np.minimum((uniform * dim).astype(np.int64), max(0, dim - 1))
            probability = np.full(self.shape[0], 1.0 / max(1, dim))
        else:
            if weights.shape != (dim,):
                raise ValueError(f"weights has shape {weights.shape}; expected ({dim},)")
            if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.max() > 0):
                raise ValueError("weights must be finite, not negative, and not all zero")
            weights = weights / weights.max()  # so that the sum does not overflow
            cumulative = np.cumsum(weights / weights.sum())
            self.rows = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
            probability = weights[self.rows] / weights.sum()
        self.scale = 1.0 / np.sqrt(self.shape[0] * probability)
        return made

    def _sketch(self, source: Source) -> Any:
        if source.shape[0] != self.shape[1]:
            raise ValueError(f"A has {source.shape[0]} rows; expected dim={self.shape[1]}")
        scale = self.scale.astype(np.zeros(0, source.dtype).real.dtype)[:, None]
        if source.kind == "operator":
            columns = np.zeros((self.shape[1], self.shape[0]), source.dtype)
            columns[self.rows, np.arange(self.shape[0])] = self.scale
            return np.conj(np.asarray(source.matrix.rmatmat(columns))).T
        if source.kind == "blocks":
            return self._checked(source.matrix.T.columns(self.rows).T * scale, source)
        if source.kind == "sparse":
            return source.matrix.tocsr()[self.rows].multiply(scale).toarray()
        return self._checked(source.matrix[self.rows] * scale, source)

    def _first_group(self) -> int:
        return self.shape[0]

    def _apply_adjoint(self, Y: NDArray[Any], out: NDArray[Any]) -> None:
        np.add.at(out, self.rows, self.scale.astype(out.real.dtype)[:, None] * Y)

    def _fill(self, i0: int, p0: int, out: NDArray[Any]) -> None:
        out[...] = 0
        for i in range(out.shape[0]):
            p = self.rows[i0 + i] - p0
            if 0 <= p < out.shape[1]:
                out[i, p] = self.scale[i0 + i]
