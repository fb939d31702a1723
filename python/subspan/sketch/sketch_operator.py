"""A sketch operator S and its transpose: products, the adjoint, tiles.

A kind of operator is a subclass that says how its entries are made; the rest is here.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import _native
from .._array import as_array, as_rank, is_sparse, library_of, to_caller, to_host, working_dtype
from .._rng import seed_word
from ..source import Source, as_source
from .accumulator import Accumulator

LARGEST_SIZE = 2**24 - 1  # rows of an operator that the counter layout can address


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
    _options: tuple[str, ...] = ()  # arguments beyond size, dim, rng and dtype
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
        self.shape = (as_rank(size, LARGEST_SIZE, "size"), as_rank(dim, 2**40 - 1, "dim"))
        if self.shape[0] == 0:
            raise ValueError("size=0 must be at least 1")
        self.seed = seed_word(rng)
        self.dtype = working_dtype(dtype, "dtype")
        unknown = set(specific) - set(self._options)
        if unknown:
            raise TypeError(f"{type(self).__name__} has no argument {sorted(unknown)[0]!r}")
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
        if copy is False:
            raise ValueError("a sketch operator is not stored: an array of it is always a copy")
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

    def __matmul__(self, A: Any) -> Any:
        """``S @ A``: shape (size, n), in the precision of A; one pass over A, no copy of it."""
        if not hasattr(A, "shape"):
            A = as_array(A)
        if len(A.shape) == 1:
            return to_caller(self._sketch(as_source(as_array(A)[:, None]))[:, 0], library_of(A))
        source = as_source(A)
        return to_caller(self._sketch(source), source.library)

    def __rmatmul__(self, A: Any) -> Any:
        """``A @ S``: the adjoint applied from the right."""
        return to_caller(self._adjoint(as_array(A).T).T, library_of(A))

    def _sketch(self, source: Source) -> NDArray[Any]:
        if source.shape[0] != self.shape[1]:
            raise ValueError(
                f"A has {source.shape[0]} rows; expected dim={self.shape[1]} for S of shape {self.shape}"
            )
        out = np.zeros((self.shape[0], source.shape[1]), source.dtype)
        if out.size and source.shape[0]:
            self._apply(source, out)
        return self._checked(out, source)

    def _sketch_rows(self, source: Source, start: int) -> NDArray[Any]:
        """``S[:, start : start + m] @ A`` for a block of m rows of a larger matrix."""
        count, n = source.shape
        out = np.zeros((self.shape[0], n), source.dtype)
        part = self._native.columns(start, count)
        _native.module().sketch(part, source.native, out)
        return self._checked(out, source)

    def _sketch_rows_by_tiles(self, source: Source, start: int) -> NDArray[Any]:
        """Do the same with tiles of S, for operators whose columns are no operator by themselves."""
        matrix = source.matrix if source.kind == "dense" else source.matrix.tocsr()
        out = np.zeros((self.shape[0], source.shape[1]), source.dtype)
        width = max(1, 2**22 // self.shape[0])  # columns of S held at a time
        for p in range(0, source.shape[0], width):
            block = matrix[p : p + width]
            S = self.tile(slice(None), slice(start + p, start + p + block.shape[0]))
            out += np.asarray((block.T @ S.astype(out.real.dtype).T).T)
        return self._checked(out, source)

    def _checked(self, out: NDArray[Any], source: Source) -> NDArray[Any]:
        """Refuse the sketch of something that is not finite, which reaches the first rows of it."""
        if not np.isfinite(out[: self._first_group()]).all():
            if source.kind != "operator":
                source.magnitude()  # raises ValueError, saying where
            raise ValueError("the sketch of A overflows; scale A down")
        return out

    def _first_group(self) -> int:
        """Rows of S of which every column has a nonzero in one: here all rows are dense."""
        return 1

    def _apply(self, source: Source, out: NDArray[Any]) -> None:
        _native.module().sketch(self._native, source.native, out)

    def _adjoint(self, Y: Any) -> NDArray[Any]:
        """``S.T @ Y`` for Y of shape (size, p)."""
        Y = to_host(Y, "Y")
        Y = as_array(Y.toarray() if is_sparse(Y) else Y, "Y")
        if not np.isfinite(Y).all():
            raise ValueError("Y must be finite, but has entries that are NaN or infinite")
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

    def __matmul__(self, Y: Any) -> Any:
        """``S.T @ Y``: shape (dim, p)."""
        return to_caller(self._S._adjoint(Y), library_of(Y))

    def __rmatmul__(self, A: Any) -> Any:
        """``A @ S.T``: shape (m, size), one pass over A."""
        if not hasattr(A, "shape"):
            A = as_array(A)
        return self._S @ A if len(A.shape) == 1 else (self._S @ as_source(A).transposed).T

    def toarray(self) -> NDArray[Any]:
        """Return ``S.T`` as a dense array."""
        return self._S.toarray().T

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return np.asarray(self._S.__array__(dtype, copy).T)

    def __repr__(self) -> str:
        return f"{self._S!r}.T"
