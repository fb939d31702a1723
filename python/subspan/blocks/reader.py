"""A way to read a matrix block by block: one task, one pass."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._array import as_matrix, to_host, working_dtype
from .tasks import Parts, Task, norm2_of, wide


class Reader(ABC):
    """What every way of reading keeps: the shape, what has been learnt, the number of passes.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
        The working precision; every block is brought to it.
    kind : str
        For the plan of a result.
    once : bool
        Whether it can be read a single time.
    passes : int
        Readings of the whole matrix so far.
    norm2 : float or None
        Squared Frobenius norm, known after the first pass.
    largest : float or None
        Largest absolute entry, once asked for.
    on_block : callable or None
        Called with (blocks done, blocks in all) while a pass is made.
    """

    kind = "blocks"

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype
        self.once = False
        self.passes = 0
        self.norm2: float | None = None
        self.largest: float | None = None
        self.on_block: Callable[[int, int], None] | None = None

    def run(self, task: Task, exponent: int = 0) -> Parts:
        """Make one pass over ``2**exponent A``; the squared norm comes along in the first."""
        wanted = self.norm2 is None and exponent == 0
        self.passes += 1
        parts, found = self._pass(task, exponent, wanted and task.norms2 is None)
        if wanted:
            self.norm2 = found if task.norms2 is None else float(parts[task.norms2].sum())
        return parts

    @abstractmethod
    def _pass(self, task: Task, exponent: int, want_norm2: bool) -> tuple[Parts, float]:
        """Run the task on every block, and sum up; the norm is 0 if it is not wanted."""


def run_block(
    task: Task,
    block: Any,
    at: tuple[int, int],
    by_rows: Parts,
    by_columns: Parts,
    exponent: int,
    want_norm2: bool,
) -> tuple[Parts, float]:
    """One block's share of a pass. Raises ValueError, saying where, if it is not finite."""
    if exponent:
        block = _scaled(block, exponent)
    parts = task.work(block, *at, by_rows, by_columns)
    if not all(np.isfinite(part).all() for part in parts):
        refuse_non_finite(block, at)  # else a product has overflown, which the caller treats
    if not want_norm2:
        return parts, 0.0
    return parts, norm2_of(block)


@dataclasses.dataclass(frozen=True)
class Precision:
    """The precision of A, and how a block may come to it."""

    dtype: np.dtype[Any]
    casting: Literal["safe", "same_kind"]

    @classmethod
    def choose(cls, asked: Any, *found: Any) -> Precision:
        """What was asked for, to which any block is brought; else what holds all that was found."""
        if asked is not None:
            return cls(working_dtype(asked, "dtype"), "same_kind")
        return cls(working_dtype(np.result_type(*(working_dtype(d) for d in found))), "safe")

    def of(self, block: Any, name: str) -> Any:
        """Bring a block to this precision: a dense array, or a CSR or CSC one."""
        block = to_host(block, name)
        if not hasattr(block, "tocsr"):
            block = as_matrix(block, name)
        elif block.format not in ("csr", "csc"):
            block = block.tocsr()
        found = working_dtype(block.dtype, name)
        if not np.can_cast(found, self.dtype, self.casting):
            raise TypeError(f"{name} has dtype {block.dtype}; expected {self.dtype}")
        return block if block.dtype == self.dtype else block.astype(self.dtype)


def _scaled(block: Any, exponent: int) -> Any:
    """``2**exponent`` times a block, in halves: the whole factor may overflow."""
    real = np.zeros(0, block.dtype).real.dtype.type
    for part in (exponent // 2, exponent - exponent // 2):
        block = block * real(2.0) ** real(part)
    return block


def refuse_non_finite(block: Any, at: tuple[int, int]) -> None:
    """Raise ValueError if the block, whose first entry is A[at], is not finite."""
    if hasattr(block, "tocoo"):
        entries = block.tocoo()
        (bad,) = np.nonzero(~np.isfinite(entries.data))
        where = [(entries.row[b], entries.col[b], entries.data[b]) for b in bad[:1]]
    else:
        where = [(i, j, block[i, j]) for i, j in np.argwhere(~np.isfinite(block))[:1]]
    for i, j, value in where:
        raise ValueError(f"A must be finite, but A[{at[0] + int(i)}, {at[1] + int(j)}] is {value}")


class Total:
    """Sums of the parts of all blocks of rows, which have all columns, as the task wants them."""

    def __init__(self, task: Task, rows: int) -> None:
        self._task = task
        self._rows = rows
        self._parts: list[NDArray[Any]] = []
        self._dtypes: list[np.dtype[Any]] = []
        self.norm2 = 0.0

    def add(self, share: tuple[Parts, float], rows: slice) -> None:
        """Take the share of a block."""
        parts, norm2 = share
        self.norm2 += norm2
        first = not self._parts
        if first:
            self._dtypes = [part.dtype for part in parts]
            self._parts = list(map(self._begin, parts, self._task.along))
        for whole, part, along in zip(self._parts, parts, self._task.along, strict=True):
            if along == "rows":
                whole[rows] = part
            elif not first:
                self._task.add(whole, part, out=whole)

    def _begin(self, part: NDArray[Any], along: str) -> NDArray[Any]:
        if along == "rows":
            return np.empty((self._rows, *part.shape[1:]), part.dtype)
        return widened(part)

    @property
    def parts(self) -> Parts:
        """The sums, in the precision of the parts."""
        return tuple(map(narrowed, self._parts, self._dtypes))


def widened(part: NDArray[Any]) -> NDArray[Any]:
    """A copy in double precision, in the same order of entries."""
    return part.astype(wide(part.dtype), order="K")


def narrowed(part: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Back in the precision of A; infinity is refused by who asked."""
    with np.errstate(over="ignore"):
        return part.astype(dtype, copy=False)
