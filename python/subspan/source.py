"""What can stand for A: dense array, sparse matrix, linear operator, a matrix read in blocks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._array import NUMPY, as_matrix, is_sparse, library_of, to_host, working_dtype
from .exceptions import callers_level

_SLOW_FORMATS = {"dok", "lil"}


class Source:
    """A matrix as the algorithms see it.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
        The working precision.
    kind : {"dense", "sparse", "operator", "blocks"}
        "blocks": too large for memory, see :class:`subspan.blocks.matrix.BlockedMatrix`.
    native : object
        What the compiled functions take. Holds the arrays; copies nothing that has a leading
        dimension.
    """

    def __init__(
        self,
        kind: str,
        shape: tuple[int, int],
        dtype: np.dtype[Any],
        native: Any,
        matrix: Any,
        gathered: Any = None,
    ) -> None:
        self.kind = kind
        self.shape = shape
        self.dtype = dtype
        self.native = native
        self.matrix = matrix
        self.library = NUMPY
        self._flipped = False  # whether the caller's A is the transpose of this one
        self._gathered = gathered

    @property
    def transposed(self) -> Source:
        """The source of the transpose: another view of the same memory."""
        flipped = as_source(self.matrix.T)
        flipped._flipped = not self._flipped
        flipped.library = self.library
        return flipped

    @property
    def passes(self) -> int:
        """Readings so far, where they are counted: of a matrix read in blocks."""
        return int(self.matrix.passes) if self.kind == "blocks" else 0

    @property
    def once(self) -> bool:
        """Whether A can be read a single time."""
        return self.kind == "blocks" and bool(self.matrix.reader.once)

    @contextmanager
    def heard_by(self, listener: Callable[[int, int], None] | None) -> Iterator[None]:
        """Tell somebody (blocks done, blocks in all) while a matrix is read in blocks."""
        if self.kind != "blocks":
            yield
            return
        self.matrix.reader.on_block = listener
        try:
            yield
        finally:
            self.matrix.reader.on_block = None

    def columns(self, indices: NDArray[np.int64]) -> Any:
        """Return ``A[:, indices]``: dense Fortran-ordered, or sparse CSC for sparse A."""
        if self.kind == "sparse":
            return self.matrix[:, indices]
        if self.kind == "blocks":
            return self._gathered.columns(np.asarray(indices))
        out = np.empty((self.shape[0], len(indices)), self.dtype, order="F")
        if out.size:
            _native.module().gather_columns(self.native, indices, out)
        return out

    def scaled(self, exponent: int) -> Source:
        """Return A times ``2**exponent``: a copy, or another operator; exact but for underflow."""
        if self.kind == "operator":
            return _operator_source(_scaled_operator(self.matrix, exponent))
        if self.kind == "blocks":
            return _blocks_source(self.matrix.scaled(exponent))
        matrix = self.matrix.copy()
        values = matrix.data if self.kind == "sparse" else matrix
        half = exponent // 2  # 2**exponent itself may overflow
        real = values.real.dtype.type
        for part in (half, exponent - half):
            values *= real(2.0) ** real(part)
        return as_source(matrix)

    def magnitude(self) -> float:
        """Return max |a_ij|; raises ValueError, saying where, if an entry is NaN or infinite.

        For an operator the largest entry of its product with one Gaussian vector.
        """
        if self.kind == "operator":
            g = np.random.default_rng(0).standard_normal((self.shape[0], 1)).astype(self.dtype)
            return _finite_max(operator_product(self.matrix.rmatmat, g)) or 0.0
        if self.kind == "blocks":
            return float(self.matrix.largest())
        if self.kind == "sparse":
            largest = _finite_max(self.matrix.data)
            if largest is None:
                raise ValueError("A has entries that are NaN or infinite among its stored values")
            return largest
        largest = 0.0
        rows = max(1, 2**22 // max(1, self.shape[1]))
        for start in range(0, self.shape[0], rows):
            block = self.matrix[start : start + rows]
            found = _finite_max(block)
            if found is None:
                i, j = np.argwhere(~np.isfinite(block))[0]
                at = (start + int(i), int(j))[:: -1 if self._flipped else 1]
                raise ValueError(f"A must be finite, but A[{at[0]}, {at[1]}] is {block[i, j]}")
            largest = max(largest, found)
        return largest


def as_source(A: Any) -> Source:
    """Wrap an array of any library, a sparse matrix, array or tensor, an operator, or an array on disk."""
    if isinstance(A, Source):
        return A
    source = _host_source(to_host(A))
    source.library = library_of(A)
    return source


def _host_source(A: Any) -> Source:
    if is_sparse(A):
        return _sparse_source(A)
    blocks = _as_blocks(A)
    if blocks is not None:
        return _blocks_source(blocks)
    if _is_operator(A):
        return _operator_source(_as_operator(A))
    matrix = as_matrix(A)
    shape = (int(matrix.shape[0]), int(matrix.shape[1]))
    return Source("dense", shape, matrix.dtype, _native.module().dense_source(matrix), matrix)


def _as_blocks(A: Any) -> Any:
    """The matrix itself if it is read in blocks, storage wrapped so that it is, else None."""
    module = type(A).__module__
    if module == "subspan.blocks.matrix":
        return A
    if module.partition(".")[0] in ("h5py", "zarr"):
        from .chunks import chunks

        return chunks(A)
    if module.startswith("dask.array"):
        from .dask import from_dask

        return from_dask(A)
    return None


class _Gathered:
    """The columns that were asked for last: a result wants them after the algorithm, without a pass."""

    def __init__(self, matrix: Any) -> None:
        self._matrix = matrix
        self._indices = np.empty(0, np.int64)
        self._columns = np.empty((matrix.shape[0], 0), matrix.dtype)

    def columns(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        if not np.array_equal(self._indices[: len(indices)], indices):
            self._columns = np.asarray(self._matrix.columns(indices))
            self._indices = indices.copy()
        return self._columns[:, : len(indices)]


def _is_operator(A: Any) -> bool:
    return hasattr(A, "matmat") and hasattr(A, "rmatmat") and hasattr(A, "shape")


def _sparse_source(A: Any) -> Source:
    dtype = working_dtype(A.dtype)
    if A.ndim != 2:
        raise ValueError(f"A must be 2-d, got a sparse array of shape {A.shape}")
    if A.format in _SLOW_FORMATS:
        warnings.warn(
            f"A is converted once from the slow sparse format {A.format!r}; pass A.tocsc() to avoid it",
            stacklevel=callers_level(),
        )
    columns = A.tocsc()
    if columns.dtype != dtype:
        columns = columns.astype(dtype)
    if not columns.has_canonical_format:
        columns = columns.copy()
        columns.sum_duplicates()
    native = _native.module().sparse_source(
        np.ascontiguousarray(columns.data),
        columns.indices.astype(np.int64),
        columns.indptr.astype(np.int64),
        *columns.shape,
    )
    return Source("sparse", (int(A.shape[0]), int(A.shape[1])), dtype, native, columns)


def _operator_source(A: Any) -> Source:
    dtype = working_dtype(A.dtype if A.dtype is not None else np.float64)
    m, n = (int(size) for size in A.shape)
    native = _native_operator(dtype)(m, n, *_products(A))
    return Source("operator", (m, n), dtype, native, A)


def _blocks_source(A: Any) -> Source:
    """A matrix that is read in blocks: an operator that answers every question in one pass."""
    gathered = _Gathered(A)

    def sketch(S: Any, Y: Any, G: Any, P: Any, norms2: Any) -> None:
        for out, part in zip((Y, P, norms2), A.sketch(S, G), strict=True):
            if out is not None:
                out[...] = part.reshape(out.shape)

    def gather(J: NDArray[np.int64], C: NDArray[Any]) -> None:
        C[...] = gathered.columns(J)

    native = _native_operator(A.dtype)(*A.shape, *_products(A), sketch, gather)
    return Source("blocks", A.shape, A.dtype, native, A, gathered)


def _native_operator(dtype: np.dtype[Any]) -> Any:
    names = {"f": "S", "d": "D", "F": "C", "D": "Z"}
    return getattr(_native.module(), "operator_source_" + names[dtype.char])


def _products(A: Any) -> tuple[Any, Any]:
    """``Y = A X`` and ``Y = A^T X`` as the compiled functions ask for them."""

    def multiply(X: NDArray[Any], Y: NDArray[Any]) -> None:
        _write_product(operator_product(A.matmat, X), Y, "matmat")

    def multiply_transpose(X: NDArray[Any], Y: NDArray[Any]) -> None:
        # A^T X = conj(A^H conj(X))
        _write_product(np.asarray(operator_product(A.rmatmat, X.conj())).conj(), Y, "rmatmat")

    return multiply, multiply_transpose


def operator_product(multiply: Any, X: NDArray[Any]) -> Any:
    """``multiply(X)``, a method of an operator, or a TypeError that says what the operator lacks."""
    try:
        return multiply(X)
    except (NotImplementedError, TypeError) as error:
        # SciPy calls the None that stands for a missing rmatvec.
        missing = "'NoneType' object is not callable" in str(error)
        if isinstance(error, TypeError) and not missing:
            raise
        raise TypeError("A must define rmatvec or rmatmat: products with A^H are needed") from None


def _as_operator(A: Any) -> Any:
    """SciPy's operators as they are; other objects with both products are wrapped in one."""
    from scipy.sparse.linalg import LinearOperator

    if isinstance(A, LinearOperator):
        return A
    return LinearOperator(
        tuple(A.shape),
        matvec=lambda x: A.matmat(x.reshape(-1, 1)).ravel(),
        rmatvec=lambda x: A.rmatmat(x.reshape(-1, 1)).ravel(),
        matmat=A.matmat,
        rmatmat=A.rmatmat,
        dtype=getattr(A, "dtype", np.float64),
    )


def _scaled_operator(A: Any, exponent: int) -> Any:
    """``2**exponent A``; half of the factor on either side of A, since the whole may overflow."""
    from scipy.sparse.linalg import LinearOperator

    real = np.zeros(0, working_dtype(A.dtype)).real.dtype.type
    before, after = real(2.0) ** real(exponent // 2), real(2.0) ** real(exponent - exponent // 2)
    return LinearOperator(
        A.shape,
        matvec=lambda x: after * np.asarray(A.matvec(before * x)),
        rmatvec=lambda x: (
            after * np.asarray(operator_product(A.rmatmat, before * x.reshape(-1, 1))).ravel()
        ),
        matmat=lambda X: after * np.asarray(A.matmat(before * X)),
        rmatmat=lambda X: after * np.asarray(operator_product(A.rmatmat, before * X)),
        dtype=A.dtype,
    )


def _write_product(product: Any, out: NDArray[Any], name: str) -> None:
    product = np.asarray(product)
    if product.shape != out.shape:
        raise ValueError(f"A.{name} returned shape {product.shape}; expected {out.shape}")
    if np.iscomplexobj(product) and not np.iscomplexobj(out):
        raise TypeError(f"A.{name} returned complex values although A.dtype is {out.dtype}")
    if not np.isfinite(product).all():
        raise ValueError(f"A.{name} returned NaN or infinite values")
    out[...] = product


def _finite_max(values: NDArray[Any]) -> float | None:
    if values.size == 0:
        return 0.0
    largest = float(np.max(np.abs(values)))
    return largest if np.isfinite(largest) else None
