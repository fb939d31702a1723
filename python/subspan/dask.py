"""Dask arrays: a pass is a graph whose workers compute on the blocks and add up what they found."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import numpy as np

from .blocks.matrix import BlockedMatrix
from .blocks.reader import Precision, Reader, narrowed, run_block, widened
from .blocks.tasks import Parts, Task

__all__ = ["from_dask"]

_FAN_IN = 8  # shares that one task adds up
_LARGE = 2**18  # bytes of data of a block above which they do not travel inside the graph
_ATTEMPTS = 5  # of a pass whose data went down with a worker


def from_dask(A: Any) -> BlockedMatrix:
    """Wrap a Dask array, chunked along both axes or one, for the routines of this package.

    They call this by themselves. The array is never gathered: the workers, threads of this process or
    a ``distributed`` cluster, whichever Dask would use for ``A.compute()``, sketch and multiply the
    blocks and add up the results as a tree; this process receives ``O((m + n) l)`` numbers and holds
    the factors, which are numpy arrays.

    Parameters
    ----------
    A : dask.array.Array, shape (m, n)
        Blocks may be numpy arrays or ``scipy.sparse`` ones.

    Returns
    -------
    BlockedMatrix
        A ``LinearOperator``; passes are counted. A is computed anew in every pass: call
        ``A.persist()`` first if it fits the memory of the workers.

    Raises
    ------
    ValueError
        If A is not 2-d or its chunk sizes are not known.

    Examples
    --------
    >>> import dask.array as da, numpy as np, subspan
    >>> A = np.vander(np.linspace(1, 2, 60), 20)
    >>> B = da.from_array(A, chunks=(25, 15))
    >>> r = subspan.interpolative(B, 6, rng=0)
    >>> bool((r.indices == subspan.interpolative(A, 6, rng=0).indices).all()), r.plan.passes
    (True, 3)
    """
    return BlockedMatrix(DaskBlocks(A))


class DaskBlocks(Reader):
    """The blocks of a Dask array."""

    kind = "dask"

    def __init__(self, A: Any) -> None:
        if A.ndim != 2:
            raise ValueError(f"A must be 2-d, got a Dask array of shape {A.shape}")
        if any(np.isnan(size) for size in A.shape):
            raise ValueError(
                "A has chunks of unknown size; call A.compute_chunk_sizes() first, which computes A"
            )
        self._precision = Precision.choose(None, A.dtype)
        super().__init__((int(A.shape[0]), int(A.shape[1])), self._precision.dtype)
        self._array = A

    def _pass(self, task: Task, exponent: int, want_norm2: bool) -> tuple[Parts, float]:
        from dask.base import get_scheduler

        if 0 in self.shape:
            nothing = np.zeros(self.shape, self.dtype)
            data = task.by_rows, task.by_columns
            return run_block(task, nothing, (0, 0), *data, exponent, want_norm2)
        scheduler = get_scheduler(collections=[self._array])
        client = getattr(scheduler, "__self__", None)  # the scheduler of a cluster is Client.get
        leaf = _Leaf(Task(task.work, task.along), self._precision, self.shape, exponent, want_norm2)
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._compute(task, leaf, scheduler, client)
            except Exception as error:
                if client is None or not _went_down_with_a_worker(error):
                    raise
                self.passes += 1
        return self._compute(task, leaf, scheduler, client)

    def _compute(self, task: Task, leaf: _Leaf, scheduler: Any, client: Any) -> tuple[Parts, float]:
        graph = _Graph(self._array, task, leaf, _shipping(client))
        shares, roots = list(graph.shares), list(graph.roots.values())
        if self.on_block is None:
            found = scheduler(graph.whole(), roots)
        elif client is None:
            from dask.callbacks import Callback

            done = itertools.count(1)

            def count(key: Any, *_: Any) -> None:
                if key in graph.shares and self.on_block is not None:
                    self.on_block(next(done), len(shares))

            with Callback(posttask=count):
                found = scheduler(graph.whole(), roots)
        else:
            from distributed import as_completed

            futures, last = client.get(graph.whole(), [shares, roots], sync=False)
            for done_so_far, future in enumerate(as_completed(futures), 1):
                future.release()  # its part of the sum stays where it is needed
                self.on_block(done_so_far, len(shares))
            found = client.gather(last)
        return _assembled(task, dict(zip(graph.roots, found, strict=True)))


@dataclasses.dataclass(frozen=True)
class _Leaf:
    """What a worker does with one block."""

    task: Task
    precision: Precision
    shape: tuple[int, int]
    exponent: int
    want_norm2: bool

    def __call__(
        self, block: Any, rows: slice, columns: slice, by_rows: _Data, by_columns: _Data
    ) -> _Share:
        at = rows.start, columns.start
        name = f"the block of A at {at}"
        block = self.precision.of(block, name)
        expected = rows.stop - rows.start, columns.stop - columns.start
        if block.shape != expected:
            raise ValueError(f"{name} has shape {block.shape}; expected {expected}")
        parts, norm2 = run_block(
            self.task, block, at, by_rows.arrays, by_columns.arrays, self.exponent, self.want_norm2
        )
        return _Share(parts, tuple(part.dtype for part in parts), norm2)


@dataclasses.dataclass(frozen=True)
class _Data:
    """Rows of a task's data; a class of its own, into which Dask does not look for keys."""

    arrays: Parts

    def __sizeof__(self) -> int:
        return sum(X.nbytes for X in self.arrays)


@dataclasses.dataclass(frozen=True)
class _Share:
    """What a block, or a sum of blocks, contributes."""

    parts: Parts
    dtypes: tuple[Any, ...]  # of the parts of a block; sums are in double precision
    norm2: float

    def __sizeof__(self) -> int:
        return sum(part.nbytes for part in self.parts)

    def only(self, which: tuple[int, ...]) -> _Share:
        """Leave only some of the parts."""
        return _Share(
            tuple(self.parts[p] for p in which), tuple(self.dtypes[p] for p in which), self.norm2
        )


@dataclasses.dataclass(frozen=True)
class _Sum:
    """Adds up shares; `which` parts of blocks, or all if the shares are sums already."""

    add: np.ufunc
    which: tuple[int, ...] | None

    def __call__(self, *shares: _Share) -> _Share:
        if self.which is not None:
            shares = tuple(share.only(self.which) for share in shares)
        if len(shares) == 1:
            return shares[0]
        total = tuple(widened(part) for part in shares[0].parts)
        for share in shares[1:]:
            for whole, part in zip(total, share.parts, strict=True):
                self.add(whole, part, out=whole)
        return _Share(total, shares[0].dtypes, float(sum(share.norm2 for share in shares)))


def _narrow(share: _Share) -> _Share:
    """Bring a finished sum back to the precision of A, before it travels."""
    parts = tuple(map(narrowed, share.parts, share.dtypes))
    return _Share(parts, share.dtypes, share.norm2)


class _Graph:
    """The graph of one pass.

    `shares` are the keys of the leaves; `roots` maps ("rows", i), ("columns", j) and ("neither", 0) to
    the key of the finished sum of the parts along that axis.
    """

    def __init__(
        self, array: Any, task: Task, leaf: _Leaf, ship: Callable[[list[Parts]], list[Any]]
    ) -> None:
        self._blocks = array.to_delayed()
        self._name = f"subspan-{uuid4().hex}"
        self._tasks: dict[Any, Any] = {}
        self._add = task.add
        rows, columns = (_slices(sizes) for sizes in array.chunks)
        row_data = ship([tuple(X[part] for X in task.by_rows) for part in rows.values()])
        column_data = ship([tuple(X[part] for X in task.by_columns) for part in columns.values()])
        table = {}
        for (i, part), by_rows in zip(rows.items(), row_data, strict=True):
            for (j, beside), by_columns in zip(columns.items(), column_data, strict=True):
                block = self._blocks[i, j].key
                table[i, j] = self._put(leaf, block, part, beside, by_rows, by_columns)
        self.shares = set(table.values())
        self.roots = {}
        norm = ("neither",) if leaf.want_norm2 else ()
        for along in dict.fromkeys((*task.along, *norm)):
            which = tuple(p for p, a in enumerate(task.along) if a == along)
            groups: dict[int, list[Any]] = {}
            for (i, j), key in table.items():
                groups.setdefault({"rows": i, "columns": j, "neither": 0}[along], []).append(key)
            for number, keys in groups.items():
                self.roots[along, number] = self._put(_narrow, self._tree(keys, which))

    def _put(self, function: Any, *arguments: Any) -> Any:
        key = (self._name, len(self._tasks))
        self._tasks[key] = (function, *arguments)
        return key

    def _tree(self, keys: list[Any], which: tuple[int, ...] | None) -> Any:
        total = _Sum(self._add, which)
        sums = [self._put(total, *group) for group in _batches(keys)]
        return sums[0] if len(sums) == 1 else self._tree(sums, None)

    def whole(self) -> Any:
        """The graph with that of the array beneath it."""
        from dask.highlevelgraph import HighLevelGraph

        below = [self._blocks.flat[0]]
        return HighLevelGraph.from_collections(self._name, self._tasks, dependencies=below)


def _batches(keys: list[Any]) -> list[list[Any]]:
    return [keys[p : p + _FAN_IN] for p in range(0, len(keys), _FAN_IN)]


def _slices(sizes: tuple[int, ...]) -> dict[int, slice]:
    """Number of a block -> its rows, without the empty ones."""
    ends = np.cumsum(sizes).astype(int).tolist()
    starts = [0, *ends[:-1]]
    return {i: slice(a, b) for i, (a, b) in enumerate(zip(starts, ends, strict=True)) if b > a}


def _shipping(client: Any) -> Callable[[list[Parts]], list[Any]]:
    """How data reach the tasks: inside the graph, or ahead of it to the workers of a cluster."""

    def ship(pieces: list[Parts]) -> list[Any]:
        data = [_Data(tuple(map(np.asfortranarray, piece))) for piece in pieces]
        size = max((sum(X.nbytes for X in piece) for piece in pieces), default=0)
        return list(client.scatter(data, hash=False)) if client and size > _LARGE else data

    return ship


def _went_down_with_a_worker(error: Exception) -> bool:
    """Whether data that only this process can send again were lost, so that the pass must be repeated."""
    from concurrent.futures import CancelledError

    return isinstance(error, CancelledError) or type(error).__name__ == "FutureCancelledError"


def _assembled(task: Task, found: dict[tuple[str, int], _Share]) -> tuple[Parts, float]:
    """Put the finished sums side by side, in the order of the task's parts."""
    parts: list[Any] = [None] * len(task.along)
    for along in dict.fromkeys(task.along):
        pieces = [share.parts for (axis, _), share in found.items() if axis == along]
        which = [p for p, a in enumerate(task.along) if a == along]
        for p, part in zip(which, zip(*pieces, strict=True), strict=True):
            parts[p] = part[0] if along == "neither" else np.concatenate(part)
    norm2 = found["neither", 0].norm2 if ("neither", 0) in found else 0.0
    return tuple(parts), norm2
