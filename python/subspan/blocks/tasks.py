"""What is computed from one block of a matrix; sums over the blocks are the answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _native

Parts = tuple[NDArray[Any], ...]


@dataclasses.dataclass(frozen=True)
class Task:
    """One pass over a matrix.

    Attributes
    ----------
    work : callable
        ``work(block, i, j, by_rows, by_columns)`` for the block whose first entry is A[i, j] returns
        a tuple of arrays, whose first axis runs along the columns, the rows or neither. Small, and
        picklable: it goes to the workers of a cluster.
    along : tuple of {"columns", "rows", "neither"}
        For every part the axis of A that its own first axis runs along: parts of blocks that lie
        beside each other on it are put side by side, the others are added up, in double precision.
    by_rows, by_columns : tuple of arrays
        Data with one row per row (column) of A; work gets the rows that belong to its block.
    norms2 : int, optional
        The part that holds squared column norms, if one does.
    add : numpy ufunc
        What takes the place of addition.
    """

    work: Callable[..., Parts]
    along: tuple[str, ...]
    by_rows: Parts = ()
    by_columns: Parts = ()
    norms2: int | None = None
    add: np.ufunc = np.add


def data_of(task: Task, rows: slice, columns: slice) -> tuple[Parts, Parts]:
    """Return the rows of the task's data that belong to a block."""
    return tuple(X[rows] for X in task.by_rows), tuple(X[columns] for X in task.by_columns)


def wide(dtype: Any) -> np.dtype[Any]:
    """The double precision in which parts of a dtype are added up."""
    return np.result_type(dtype, np.float64)


def sketch(
    block: Any, i: int, j: int, by_rows: Parts, by_columns: Parts, *, S: Any, G: Any, flip: bool
) -> Parts:
    """``(S A)^T``, ``(G A)^T`` and squared column norms of A, or of ``A^T`` if `flip`."""
    from ..source import as_source

    source = as_source(block.T if flip else block)
    count, n = source.shape
    SA = np.empty((S.size, n), source.dtype)
    GA = np.empty((G.size, n), source.dtype)
    norms2 = np.empty(n)
    S, G = (X.columns(j if flip else i, count) if X.size else X for X in (S, G))
    _native.module().sketch_pass(source.native, S, SA, G, GA, norms2)
    return SA.T, GA.T, norms2


def product(block: Any, i: int, j: int, by_rows: Parts, by_columns: Parts) -> Parts:
    """``A X``."""
    return (np.asarray(block @ by_columns[0]),)


def adjoint_product(block: Any, i: int, j: int, by_rows: Parts, by_columns: Parts) -> Parts:
    """``A^H X``, as ``conj(A^T conj(X))``: no conjugate of the block is made."""
    return (np.asarray(block.T @ by_rows[0].conj()).conj(),)


def columns(
    block: Any,
    i: int,
    j: int,
    by_rows: Parts,
    by_columns: Parts,
    *,
    J: NDArray[np.int64],
    flip: bool,
) -> Parts:
    """``A[:, J]``, or ``A[J, :].T`` if `flip`; zero where J is in another block."""
    if flip:
        block, j = block.T, i
    out = np.zeros((block.shape[0], len(J)), block.dtype)
    (here,) = np.nonzero((j <= J) & (j + block.shape[1] > J))
    found = (block.tocsc() if hasattr(block, "tocsc") else block)[:, J[here] - j]
    out[:, here] = found.toarray() if hasattr(found, "toarray") else found
    return (out,)


def largest(block: Any, i: int, j: int, by_rows: Parts, by_columns: Parts) -> Parts:
    """The largest |a_ij|."""
    values = block.data if hasattr(block, "tocsc") else block
    return (np.array([np.max(np.abs(values), initial=0.0)], np.float64),)


def norm2(block: Any, i: int, j: int, by_rows: Parts, by_columns: Parts) -> Parts:
    """``||A||_F^2``."""
    return (np.array([norm2_of(block)]),)


def residual2(
    block: Any, i: int, j: int, by_rows: Parts, by_columns: Parts, *, exponent: int
) -> Parts:
    """``||2^e (A - C W)||_F^2``; C comes by the rows of A, W^T by its columns."""
    block = block.toarray() if hasattr(block, "toarray") else block
    return (np.array([norm2_of(block - by_rows[0] @ by_columns[0].T, exponent)]),)


def norm2_of(block: Any, exponent: int = 0) -> float:
    """``||2^e A||_F^2`` of one block in double precision, a few rows at a time."""
    values = block.data if hasattr(block, "tocsc") else block
    step = max(1, 2**20 // max(1, values[:1].size))
    total = 0.0
    for p in range(0, len(values), step):
        part = np.ascontiguousarray(values[p : p + step], wide(values.dtype)).view(np.float64)
        part = np.ldexp(part, exponent).ravel() if exponent else part.ravel()
        total += float(np.einsum("i,i->", part, part))
    return total
