"""Subsampled trigonometric transforms: Walsh-Hadamard and cosine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import _native
from ..source import Source
from .sketch_operator import SketchOperator


class SRHT(SketchOperator):
    """Subsampled randomized trigonometric transform: ``sqrt(c) R F D``.

    D holds random signs, F is the Walsh-Hadamard transform (data padded with zeros to a power of
    two) or the orthonormal cosine transform of the very length, R keeps `size` rows. Dense input
    only: a transform destroys sparsity.

    Parameters
    ----------
    size, dim, rng, dtype
        As for every operator; `size` may not exceed the order of the transform.
    transform : {"hadamard", "cosine"}
        "cosine" needs no padding, for lengths far below the next power of two.

    References
    ----------
    Tropp, Adv. Adapt. Data Anal. 3 (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import sketch
    >>> S = sketch.SRHT(8, 8, rng=0)
    >>> bool(np.allclose(S.toarray().T @ S.toarray(), np.eye(8)))
    True
    """

    _sketch_rows = SketchOperator._sketch_rows_by_tiles
    _options = ("transform",)
    _kind = 3

    def __init__(
        self,
        size: int,
        dim: int,
        *,
        rng: Any = None,
        dtype: DTypeLike = np.float64,
        transform: str = "hadamard",
    ) -> None:
        if transform not in ("hadamard", "cosine"):
            raise ValueError(
                f"transform={transform!r} is not known; expected 'hadamard' or 'cosine'"
            )
        super().__init__(size, dim, rng=rng, dtype=dtype, transform=transform)
        order = (
            self.shape[1] if transform == "cosine" else 1 << max(0, self.shape[1] - 1).bit_length()
        )
        if self.shape[0] > order:
            raise ValueError(f"size={size} must not exceed the order {order} of the transform")
        self._order = order

    def _make_native(self, *, transform: str) -> Any:  # type: ignore[override]
        self._cosine = transform == "cosine"
        return _native.module().SketchOperator(self._kind, *self.shape, 1, self.seed)

    def _apply(self, source: Source, out: NDArray[Any]) -> None:
        if source.kind != "dense":
            kind = {"operator": "an operator", "blocks": "one read in blocks"}.get(
                source.kind, "a sparse matrix"
            )
            raise TypeError(f"SRHT needs a dense matrix, got {kind}; use SparseSign")
        if not self._cosine:
            return super()._apply(source, out)
        from scipy.fft import dct

        real = out.real.dtype
        rows, signs = self._cosine_parts()
        scale = np.sqrt(self.shape[1] / self.shape[0]).astype(real)
        width = max(1, 2**20 // max(1, self.shape[1]))  # columns at a time: bounded memory
        for j in range(0, out.shape[1], width):
            block = signs[:, None].astype(real) * source.matrix[:, j : j + width]
            out[:, j : j + width] = scale * dct(block, axis=0, norm="ortho")[rows]

    def _apply_adjoint(self, Y: NDArray[Any], out: NDArray[Any]) -> None:
        if not self._cosine:
            return super()._apply_adjoint(Y, out)
        from scipy.fft import idct

        rows, signs = self._cosine_parts()
        full = np.zeros(out.shape, Y.dtype)
        full[rows] = np.sqrt(self.shape[1] / self.shape[0]) * Y
        out[...] = signs[:, None] * idct(full, axis=0, norm="ortho")

    def _cosine_parts(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        native = _native.module()
        return native.sampled_rows(self._native, self._order), native.transform_signs(self._native)

    def _fill(self, i0: int, p0: int, out: NDArray[Any]) -> None:
        if not self._cosine:
            return super()._fill(i0, p0, out)
        rows, signs = self._cosine_parts()
        r = rows[i0 : i0 + out.shape[0], None]
        p = np.arange(p0, p0 + out.shape[1])
        turns = (2 * p + 1) * r % (4 * self.shape[1])  # exact: the angle modulo a full circle
        wave = np.cos(np.pi * turns / (2 * self.shape[1]))
        unit = np.where(r == 0, np.sqrt(0.5), 1.0) * np.sqrt(2 / self.shape[1])
        out[...] = np.sqrt(self.shape[1] / self.shape[0]) * unit * wave * signs[p]
