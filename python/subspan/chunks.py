"""Matrices larger than memory: read in chunks of rows."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from ._array import as_rank, to_host
from .blocks.reader import Precision, Reader, Total, run_block
from .blocks.tasks import Parts, Task, data_of, norm2_of

if TYPE_CHECKING:
    from .blocks.matrix import BlockedMatrix

_CHUNK_BYTES = 2**26
Blocks = Callable[[], Iterable[Any]]  # every call starts a pass over the blocks of rows


def chunks(
    source: Any,
    *,
    shape: tuple[int, int] | None = None,
    dtype: DTypeLike | None = None,
    rows: int | None = None,
) -> BlockedMatrix:
    """Wrap a matrix that is read in chunks of rows, so that it may be larger than memory.

    Parameters
    ----------
    source : sequence, callable, iterator, or array on disk
        The chunks of rows, in order, dense or ``scipy.sparse``:

        - a list or tuple of them;
        - a callable that returns a fresh iterable of them, called once per pass;
        - an iterator or generator, which can be read once only: a second pass is an error;
        - anything to slice that has ``shape`` and ``dtype``: ``numpy.memmap``, ``h5py.Dataset``,
          ``zarr.Array``. Storage formats are read one chunk ahead in a thread of its own.
    shape : tuple of int, optional
        Shape (m, n) of the matrix. Required for an iterator. Without it a callable is read once to
        count its rows, a pass that also finds ``norm2``.
    dtype : dtype, optional
        Precision to compute in, to which all chunks are brought. By default that of the first chunk
        (of all chunks of a list, of the array on disk): then a chunk of higher precision is an error.
    rows : int, optional
        Rows per chunk of an array on disk: by default about 64 MiB, a multiple of its own chunks.

    Returns
    -------
    BlockedMatrix
        A SciPy ``LinearOperator`` that also knows ``norm2`` (``||A||_F^2``, from the first pass) and
        counts its ``passes``. The routines of this package take it in the place of an array.

    Raises
    ------
    TypeError
        If `source` is none of these, `shape` is missing for an iterator, or a chunk has the wrong
        dtype.
    ValueError
        If `shape` or `rows` is not possible. During a pass: if a chunk has the wrong shape, the
        number of rows is not m, or an entry is NaN or infinite; the message says which.
    RuntimeError
        If an iterator is to be read a second time.

    Notes
    -----
    At any time at most one chunk, or two where the next is read ahead, and what a task keeps of the
    matrix, ``O((m + n) l)`` for products with l vectors, are in memory. The product of a chunk is
    computed in its own precision, and the products of all chunks are added up in double precision,
    so that the answer hardly depends on the chunking, in float32 neither. A sketch operator is the
    same random matrix as for a matrix in memory: with the same seed results are the same up to
    summation order.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> A = np.vander(np.linspace(1, 2, 60), 20)
    >>> pieces = subspan.chunks([A[:25], A[25:30], A[30:]])
    >>> r = subspan.interpolative(pieces, 6, rng=0)
    >>> bool((r.indices == subspan.interpolative(A, 6, rng=0).indices).all()), pieces.passes
    (True, 3)
    """
    from .blocks.matrix import BlockedMatrix

    if isinstance(source, BlockedMatrix):
        return source
    if type(source).__module__.partition(".")[0] == "dask":
        raise TypeError(
            "source is a Dask array, which every routine takes as it is, or subspan.dask.from_dask"
        )
    source = to_host(source, "source")
    if shape is not None:
        shape = _checked_shape(shape)
    if rows is not None and not (hasattr(source, "shape") and hasattr(source, "__getitem__")):
        raise ValueError(
            f"rows={rows} is for an array on disk; the chunks of source are as they are"
        )
    if isinstance(source, (list, tuple)):
        return BlockedMatrix(_of_sequence(source, shape, dtype))
    if hasattr(source, "shape") and hasattr(source, "dtype") and hasattr(source, "__getitem__"):
        return BlockedMatrix(_of_array(source, shape, dtype, rows))
    if callable(source):
        return BlockedMatrix(_of_callable(source, shape, dtype))
    if isinstance(source, Iterator):
        return BlockedMatrix(_of_iterator(source, shape, dtype))
    raise TypeError(
        f"source has type {type(source).__name__}; expected a list of chunks, a callable that returns "
        "an iterable of chunks, an iterator, or an array on disk with shape and dtype"
    )


class RowChunks(Reader):
    """Chunks of rows, one after the other."""

    kind = "chunks"

    def __init__(
        self,
        blocks: Blocks,
        shape: tuple[int, int],
        precision: Precision,
        count: int = 0,
        ahead: bool = False,
    ) -> None:
        super().__init__(shape, precision.dtype)
        self._blocks = blocks
        self._precision = precision
        self._count = count  # of blocks, 0 if unknown
        self._ahead = ahead

    def _pass(self, task: Task, exponent: int, want_norm2: bool) -> tuple[Parts, float]:
        total = Total(task, self.shape[0])
        done = 0
        for start, block in self._checked():
            rows = slice(start, start + block.shape[0])
            by_rows, by_columns = data_of(task, rows, slice(None))
            share = run_block(task, block, (start, 0), by_rows, by_columns, exponent, want_norm2)
            total.add(share, rows)
            del block, share  # not held while the next is read
            done += 1  # noqa: SIM113  (enumerate would hold the block)
            if self.on_block is not None:
                self.on_block(done, max(done, self._count))
        return total.parts, total.norm2

    def _checked(self) -> Iterator[tuple[int, Any]]:
        """Blocks with at least one row, where they start, in the working precision."""
        m, n = self.shape
        start = number = 0
        blocks = iter(self._blocks())
        for raw in _ahead(blocks) if self._ahead else blocks:
            block = self._precision.of(raw, f"chunk {number} of A")
            del raw
            stop = start + block.shape[0]
            if block.shape[1] != n:
                raise ValueError(
                    f"chunk {number} of A has shape {block.shape}; expected {n} columns"
                )
            if stop > m:
                raise ValueError(f"chunk {number} of A ends at row {stop}, but A has {m} rows")
            if stop > start:
                yield start, block
            del block
            start, number = stop, number + 1
        if start != m:
            raise ValueError(f"the chunks of A have {start} rows in all; expected {m}")
        if m == 0:
            yield 0, np.zeros((0, n), self.dtype)


def _ahead(blocks: Iterator[Any]) -> Iterator[Any]:
    """The same blocks, each read in a thread while the one before it is worked on."""
    end = object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, blocks, end)
        while (block := coming.result()) is not end:
            coming = thread.submit(next, blocks, end)
            yield block
            del block


def _of_sequence(source: Any, shape: Any, dtype: Any) -> RowChunks:
    if not source:
        raise ValueError("source is empty; expected at least one chunk")
    shapes = [_shape_of(block, number) for number, block in enumerate(source)]
    found = (sum(m for m, _ in shapes), shapes[0][1])
    if shape is not None and shape != found:
        raise ValueError(f"shape={shape} does not fit the chunks, which have {found}")
    precision = Precision.choose(dtype, *(_dtype_of(block) for block in source))
    return RowChunks(lambda: source, found, precision, len(source))


def _of_callable(source: Blocks, shape: Any, dtype: Any) -> RowChunks:
    if shape is not None and dtype is not None:
        return RowChunks(source, shape, Precision.choose(dtype))
    m = n = count = 0
    norm2 = 0.0
    for block in source():
        height, width = _shape_of(block, count)
        if count == 0:
            n, precision = width, Precision.choose(dtype, _dtype_of(block))
            if shape is not None:
                return RowChunks(source, shape, precision)
        m, count = m + height, count + 1
        norm2 += norm2_of(precision.of(block, f"chunk {count - 1} of A"))
        del block
    if count == 0:
        raise ValueError("source() is empty; expected at least one chunk")
    reader = RowChunks(source, (m, n), precision, count)
    reader.passes, reader.norm2 = 1, norm2
    return reader


def _of_iterator(source: Iterator[Any], shape: Any, dtype: Any) -> RowChunks:
    if shape is None:
        raise TypeError("shape is required for an iterator, which can be read once only")
    first = next(source, None)
    if first is None:
        raise ValueError("source is empty; expected at least one chunk")
    if _shape_of(first, 0)[1] != shape[1]:
        raise ValueError(f"shape={shape} does not fit the first chunk, of shape {np.shape(first)}")
    left = [itertools.chain([first], source)]

    def once() -> Iterator[Any]:
        if not left:
            raise RuntimeError(
                "A is an iterator of chunks, which has been read, and another pass is needed: give "
                "subspan.chunks a callable that returns a fresh iterator, or use subspan.StreamingSketch"
            )
        return left.pop()

    reader = RowChunks(once, shape, Precision.choose(dtype, _dtype_of(first)))
    reader.once = True
    return reader


def _of_array(source: Any, shape: Any, dtype: Any, rows: int | None) -> RowChunks:
    m, n = _shape_of(source)
    if shape is not None and shape != (m, n):
        raise ValueError(f"shape={shape} does not fit source, which has {(m, n)}")
    height = _default_rows(source, n) if rows is None else as_rank(rows, 2**62, "rows")
    if height == 0:
        raise ValueError("rows=0 must be at least 1")

    def slices() -> Iterator[Any]:
        for start in range(0, m, height):
            yield source[start : start + height]

    # An array in memory or mapped to it has nothing to be read ahead.
    ahead = not (isinstance(source, np.ndarray) or hasattr(source, "tocsr"))
    precision = Precision.choose(dtype, source.dtype)
    return RowChunks(slices, (m, n), precision, math.ceil(m / height), ahead)


def _shape_of(block: Any, number: int | None = None) -> tuple[int, int]:
    shape = tuple(block.shape) if hasattr(block, "shape") else np.shape(block)
    if len(shape) != 2:
        name = "source" if number is None else f"chunk {number} of A"
        raise ValueError(f"{name} must be 2-d, got shape {shape}")
    return int(shape[0]), int(shape[1])


def _dtype_of(block: Any) -> np.dtype[Any]:
    block = to_host(block)
    return np.dtype(block.dtype if hasattr(block, "dtype") else np.asarray(block).dtype)


def _default_rows(source: Any, n: int) -> int:
    """About 64 MiB of rows, a multiple of the height of the chunks on disk."""
    wanted = max(1, _CHUNK_BYTES // max(1, n * int(np.dtype(source.dtype).itemsize)))
    own = getattr(source, "chunks", None)
    height = int(own[0]) if own and isinstance(own[0], int) else 1
    return max(height, wanted // height * height)


def _checked_shape(shape: Any) -> tuple[int, int]:
    try:
        m, n = (operator.index(size) for size in shape)
    except (TypeError, ValueError):
        raise TypeError(f"shape={shape!r} must be a pair of ints") from None
    if m < 0 or n < 0:
        raise ValueError(f"shape={shape!r} must not be negative")
    return m, n
