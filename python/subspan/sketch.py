"""Sketch operators: random matrices S with ``E[S.T @ S] = I``, applied without being stored.

Entry (i, j) of an operator depends on (seed, i, j) alone, so any tile can be made anywhere, sketches
of blocks of rows add up to the sketch, and the thread count changes nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _native
from ._array import as_array, as_rank, working_dtype
from ._rng import seed_word
from .source import Source, as_source

_LARGEST_SIZE = 2**24 - 1  # rows of an operator that the counter layout can address


class SketchOperator:
    """Base of the sketch operators: a random matrix of shape ``(size, dim)``.

    Parameters
    ----------
    size : int
        Rows: the sketch size, ``1 <= size < 2**24``.
    dim : int
        Columns: the dimension that is compressed.
    rng : int, numpy.random.Generator, SeedSequence or None
        An int is the seed itself.
    dtype : dtype
        Precision of ``toarray()`` and ``tile``; products are computed in the precision of the data.

    Attributes
    ----------
    shape : tuple of int
    seed : int
        Passing it as ``rng`` makes the same operator again.
    """

    _kind = -1
    ndim = 2
    __array_ufunc__ = None  # numpy arrays leave A @ S.T to us

    def __init__(
        self,
        size: int,
        dim: int,
        *,
        rng: Any = None,
        dtype: DTypeLike = np.float64,
        **specific: Any,
    ) -> None:
        self.shape = (as_rank(size, _LARGEST_SIZE, "size"), as_rank(dim, 2**40 - 1, "dim"))
        if self.shape[0] == 0:
            raise ValueError("size=0 must be at least 1")
        self.seed = seed_word(rng)
        self.dtype = working_dtype(dtype, "dtype")
        self._specific = specific
        self._native = self._make_native(**specific)

    def _make_native(self, *, nnz: int = 1) -> Any:
        return _native.module().SketchOperator(self._kind, *self.shape, nnz, self.seed)

    def __repr__(self) -> str:
        specific = "".join(f", {name}={value!r}" for name, value in self._specific.items())
        return f"{type(self).__name__}({self.shape[0]}, {self.shape[1]}, rng={self.seed}{specific})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (type(self), self.shape, self.seed, self.dtype.str, self._specific)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return self.toarray().astype(self.dtype if dtype is None else dtype)

    def same_as(self, other: SketchOperator) -> bool:
        """Tell whether both are the same random matrix, up to precision."""
        mine, theirs = self._specific, other._specific
        return (type(self), self.shape, self.seed) == (
            type(other),
            other.shape,
            other.seed,
        ) and all(np.array_equal(mine[name], theirs[name]) for name in mine)

    def astype(self, dtype: DTypeLike) -> Self:
        """Return the same operator with another dtype: equal up to rounding."""
        return type(self)(*self.shape, rng=self.seed, dtype=dtype, **self._specific)

    @property
    def T(self) -> TransposedSketch:
        """The transpose, for ``A @ S.T`` and ``S.T @ Y``."""
        return TransposedSketch(self)

    def __matmul__(self, A: Any) -> NDArray[Any]:
        """``S @ A``: shape (size, n), in the precision of A; one pass over A, no copy of it."""
        if not hasattr(A, "shape"):
            A = as_array(A)
        if len(A.shape) == 1:
            return np.asarray(self._sketch(as_source(as_array(A)[:, None]))[:, 0])
        return self._sketch(as_source(A))

    def __rmatmul__(self, A: Any) -> NDArray[Any]:
        """``A @ S``: the adjoint applied from the right."""
        return np.asarray((self.T @ as_array(A).T).T)

    def _sketch(self, source: Source) -> NDArray[Any]:
        if source.shape[0] != self.shape[1]:
            raise ValueError(
                f"A has {source.shape[0]} rows; expected dim={self.shape[1]} for S of shape {self.shape}"
            )
        out = np.zeros((self.shape[0], source.shape[1]), source.dtype)
        if out.size and source.shape[0]:
            self._apply(source, out)
        return out

    def _apply(self, source: Source, out: NDArray[Any]) -> None:
        _native.module().sketch(self._native, source.native, out)

    def _adjoint(self, Y: Any) -> NDArray[Any]:
        """``S.T @ Y`` for Y of shape (size, p)."""
        Y = as_array(Y, "Y")
        if Y.ndim == 1:
            return np.asarray(self._adjoint(Y[:, None])[:, 0])
        if Y.ndim != 2 or Y.shape[0] != self.shape[0]:
            raise ValueError(f"Y has shape {Y.shape}; expected ({self.shape[0]}, p)")
        out = np.zeros((self.shape[1], Y.shape[1]), Y.dtype, order="F")
        if out.size:
            self._apply_adjoint(np.asfortranarray(Y), out)
        return out

    def _apply_adjoint(self, Y: NDArray[Any], out: NDArray[Any]) -> None:
        _native.module().sketch_adjoint(self._native, Y, out)

    def tile(self, rows: slice, cols: slice) -> NDArray[Any]:
        """Return the submatrix ``S[rows, cols]`` without making the rest.

        Parameters
        ----------
        rows, cols : slice
            With step 1.

        Returns
        -------
        array, shape (number of rows, number of columns)

        Examples
        --------
        >>> from subspan import sketch
        >>> S = sketch.Gaussian(10, 1000, rng=0)
        >>> bool((S.tile(slice(2, 5), slice(100, 300)) == S.toarray()[2:5, 100:300]).all())
        True
        """
        i0, i1 = _range_of(rows, self.shape[0], "rows")
        p0, p1 = _range_of(cols, self.shape[1], "cols")
        start = i0 // 16 * 16  # the compiled tiles start at multiples of 16 rows
        out = np.empty((i1 - start, p1 - p0), self.dtype)
        if out.size:
            self._fill(start, p0, out)
        return out[i0 - start :]

    def _fill(self, i0: int, p0: int, out: NDArray[Any]) -> None:
        _native.module().sketch_tile(self._native, i0, p0, out)

    def toarray(self) -> NDArray[Any]:
        """Return S as a dense array, for tests and small problems."""
        return self.tile(slice(None), slice(None))

    def accumulator(self, n: int, dtype: DTypeLike | None = None) -> Accumulator:
        """Return an empty sketch of a matrix with `n` columns, to be fed blocks of rows."""
        return Accumulator(self, n, dtype)

    def _rows_to(self, start: int, stop: int) -> NDArray[Any]:
        return self.tile(slice(None), slice(start, stop))


def _remake(
    kind: type[SketchOperator],
    shape: tuple[int, int],
    seed: int,
    dtype: str,
    specific: dict[str, Any],
) -> SketchOperator:
    return kind(*shape, rng=seed, dtype=dtype, **specific)


def _range_of(part: slice, length: int, name: str) -> tuple[int, int]:
    if not isinstance(part, slice):
        raise TypeError(f"{name} has type {type(part).__name__}; expected a slice")
    start, stop, step = part.indices(length)
    if step != 1:
        raise ValueError(f"{name}={part} has step {step}; expected 1")
    return start, max(start, stop)


class TransposedSketch:
    """The transpose of a sketch operator, shape ``(dim, size)``."""

    ndim = 2
    __array_ufunc__ = None

    def __init__(self, S: SketchOperator) -> None:
        self._S = S
        self.shape = S.shape[::-1]
        self.dtype = S.dtype

    @property
    def T(self) -> SketchOperator:
        """The operator itself."""
        return self._S

    def __matmul__(self, Y: Any) -> NDArray[Any]:
        """``S.T @ Y``: shape (dim, p)."""
        return np.asarray(self._S._adjoint(Y))

    def __rmatmul__(self, A: Any) -> NDArray[Any]:
        """``A @ S.T``: shape (m, size), one pass over A."""
        if not hasattr(A, "shape"):
            A = as_array(A)
        if len(A.shape) == 1:
            return np.asarray(self._S @ A)
        return np.asarray((self._S @ as_source(A).transposed).T)

    def toarray(self) -> NDArray[Any]:
        """Return ``S.T`` as a dense array."""
        return self._S.toarray().T

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return self.toarray().astype(self.dtype if dtype is None else dtype)

    def __repr__(self) -> str:
        return f"{self._S!r}.T"


class Gaussian(SketchOperator):
    """Independent normal entries of variance ``1 / size``.

    Costs ``2 size m n`` flops at the rate of GEMM; the operator is drawn in slabs. The same seed
    gives the same single-precision normals for every dtype.

    References
    ----------
    Halko, Martinsson, Tropp, SIAM Rev. 53 (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import sketch
    >>> S = sketch.Gaussian(20, 100, rng=0)
    >>> (S @ np.ones((100, 3))).shape
    (20, 3)
    """

    _kind = 0


class Rademacher(SketchOperator):
    """Independent signs divided by ``sqrt(size)``.

    References
    ----------
    Achlioptas, J. Comput. Syst. Sci. 66 (2003).

    Examples
    --------
    >>> from subspan import sketch
    >>> S = sketch.Rademacher(4, 6, rng=0)
    >>> set(abs(S.toarray()).ravel().tolist())
    {0.5}
    """

    _kind = 1


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
            nnz = min(8, max(1, as_rank(size, _LARGEST_SIZE, "size")))
        super().__init__(size, dim, rng=rng, dtype=dtype, nnz=nnz)


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
            raise TypeError(f"SRHT needs a dense matrix, got a {source.kind} one; use SparseSign")
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

    def __init__(
        self,
        size: int,
        dim: int,
        *,
        rng: Any = None,
        dtype: DTypeLike = np.float64,
        weights: Any = None,
    ) -> None:
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
            weights = np.asarray(weights, np.float64)
            if weights.shape != (dim,):
                raise ValueError(f"weights has shape {weights.shape}; expected ({dim},)")
            if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
                raise ValueError("weights must be finite, not negative, and not all zero")
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
        if source.kind == "sparse":
            return source.matrix.tocsr()[self.rows].multiply(scale).toarray()
        return source.matrix[self.rows] * scale

    def _apply_adjoint(self, Y: NDArray[Any], out: NDArray[Any]) -> None:
        np.add.at(out, self.rows, self.scale.astype(out.real.dtype)[:, None] * Y)

    def _fill(self, i0: int, p0: int, out: NDArray[Any]) -> None:
        out[...] = 0
        for i in range(out.shape[0]):
            p = self.rows[i0 + i] - p0
            if 0 <= p < out.shape[1]:
                out[i, p] = self.scale[i0 + i]


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
        stop = operator.index(start) + count
        if n != self.value.shape[1]:
            raise ValueError(f"rows has {n} columns; expected {self.value.shape[1]}")
        if not (start >= 0 and stop <= self.operator.shape[1]):
            raise ValueError(
                f"rows {start} .. {stop - 1} leave the range [0, {self.operator.shape[1]}) of S"
            )
        if source.kind == "operator":
            raise TypeError("rows must be an array or a sparse matrix, not an operator")
        width = max(1, 2**22 // self.operator.shape[0])  # columns of S held at a time
        matrix = source.matrix if source.kind == "dense" else source.matrix.tocsr()
        for p in range(0, count, width):
            block = matrix[p : p + width]
            S = self.operator._rows_to(start + p, start + p + block.shape[0])
            real = np.zeros(0, self.value.dtype).real.dtype
            self.value += np.asarray((block.T @ S.astype(real).T).T)
        self.rows_seen += count
        return self

    def merge(self, other: Accumulator) -> Self:
        """Add what another accumulator of the same operator has seen."""
        mine, theirs = self.operator, other.operator
        if not mine.same_as(theirs):
            raise ValueError(f"cannot merge sketches by different operators: {mine} and {theirs}")
        self.value += other.value
        self.rows_seen += other.rows_seen
        return self


KINDS: dict[str, Callable[..., SketchOperator]] = {
    "gaussian": Gaussian,
    "rademacher": Rademacher,
    "sparse_sign": SparseSign,
    "countsketch": CountSketch,
    "srht": SRHT,
}


def apply(A: Any, size: int, *, kind: str = "auto", axis: int = 0, rng: Any = None) -> NDArray[Any]:
    """Compress one axis of A with a fresh sketch operator.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (m, n)
    size : int
        Length of the compressed axis.
    kind : {"auto", "gaussian", "rademacher", "sparse_sign", "countsketch", "srht"}
        "auto": sparse sign, or Gaussian for operators.
    axis : {0, 1}
        The axis that is compressed: 0 gives ``S @ A``, 1 gives ``A @ S.T``.
    rng : int, numpy.random.Generator or None

    Returns
    -------
    array, shape (size, n) or (m, size)

    Raises
    ------
    ValueError
        If `kind` or `axis` is not known or `size` is out of range.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> subspan.sketch.apply(np.ones((1000, 5)), 20, rng=0).shape
    (20, 5)
    """
    source = as_source(A)
    if axis not in (0, 1):
        raise ValueError(f"axis={axis!r} must be 0 or 1")
    if kind == "auto":
        kind = "gaussian" if source.kind == "operator" else "sparse_sign"
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not known; expected 'auto' or one of {sorted(KINDS)}")
    S = KINDS[kind](size, source.shape[axis], rng=rng)
    return S @ source if axis == 0 else (S @ source.transposed).T
