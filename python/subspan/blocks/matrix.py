"""A matrix read in blocks, with the face of a SciPy linear operator."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from . import tasks
from .reader import Reader
from .tasks import Parts, Task

__all__ = ["BlockedMatrix"]


class BlockedMatrix(LinearOperator):  # type: ignore[misc]
    """A matrix that is read in blocks, made by :func:`subspan.chunks` or from a Dask array.

    A SciPy linear operator (``A @ X``, ``A.T``, ``A.H``, ``matmat``, ``rmatmat``); every product is
    one pass. The routines of this package take it wherever they take an array, and ask it for whole
    sketches instead of products.

    Attributes
    ----------
    shape, dtype
    passes : int
        Readings of the matrix so far, by whatever asked for them.
    norm2 : float
        Squared Frobenius norm, in double precision: learnt in the first pass over the matrix, or by
        a pass of its own if there has been none.
    """

    def __init__(self, reader: Reader, transposed: bool = False, exponent: int = 0) -> None:
        m, n = reader.shape
        super().__init__(reader.dtype, (n, m) if transposed else (m, n))
        self.reader = reader
        self.transposed = transposed
        self._exponent = exponent  # this stands for 2**exponent times what is read

    @property
    def passes(self) -> int:
        """Readings of the matrix so far."""
        return self.reader.passes

    @property
    def norm2(self) -> float:
        """Squared Frobenius norm."""
        if self._exponent:
            return float(self.run(Task(tasks.norm2, ("neither",)))[0][0])
        if self.reader.norm2 is None:
            self.reader.norm2 = float(self.run(Task(tasks.norm2, ("neither",)))[0][0])
        return self.reader.norm2

    def largest(self) -> float:
        """Return ``max |a_ij|``; raises ValueError, saying where, if an entry is NaN or infinite."""
        if self.reader.largest is None:
            self.reader.largest = float(
                self.reader.run(Task(tasks.largest, ("neither",), add=np.maximum))[0][0]
            )
        return float(np.ldexp(self.reader.largest, self._exponent))

    def scaled(self, exponent: int) -> BlockedMatrix:
        """Return ``2**exponent A``: blocks are multiplied as they are read."""
        return BlockedMatrix(self.reader, self.transposed, self._exponent + exponent)

    def sketch(self, S: Any, G: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
        """``(S A)^T``, ``(G A)^T`` for two compiled operators, and squared column norms: one pass."""
        along = "rows" if self.transposed else "columns"
        work = partial(tasks.sketch, S=S, G=G, flip=self.transposed)
        SA, GA, norms2 = self.run(Task(work, 3 * (along,), norms2=2))
        return SA, GA, norms2

    def columns(self, J: NDArray[np.int64]) -> NDArray[Any]:
        """``A[:, J]``: one pass."""
        along = "columns" if self.transposed else "rows"
        work = partial(tasks.columns, J=np.asarray(J), flip=self.transposed)
        return self.run(Task(work, (along,)))[0]

    def residual2(self, C: NDArray[Any], W: NDArray[Any], exponent: int = 0) -> float:
        """``||2^e (A - C W)||_F^2`` in double precision: one pass."""
        by_rows, by_columns = (W.T, C) if self.transposed else (C, W.T)
        task = Task(
            partial(tasks.residual2, exponent=exponent), ("neither",), (by_rows,), (by_columns,)
        )
        return float(self.run(task)[0][0])

    def run(self, task: Task) -> Parts:
        """Make one pass over the blocks, which are those of ``A.T`` if `transposed`."""
        return self.reader.run(task, self._exponent)

    def _matmat(self, X: Any) -> NDArray[Any]:
        X = np.asarray(X)
        if not self.transposed:
            return self.run(Task(tasks.product, ("rows",), by_columns=(X,)))[0]
        return self.run(Task(tasks.adjoint_product, ("columns",), by_rows=(X.conj(),)))[0].conj()

    def _rmatmat(self, X: Any) -> NDArray[Any]:
        X = np.asarray(X)
        if not self.transposed:
            return self.run(Task(tasks.adjoint_product, ("columns",), by_rows=(X,)))[0]
        return self.run(Task(tasks.product, ("rows",), by_columns=(X.conj(),)))[0].conj()

    def _matvec(self, x: Any) -> NDArray[Any]:
        return self._matmat(np.asarray(x).reshape(-1, 1))

    def _rmatvec(self, x: Any) -> NDArray[Any]:
        return self._rmatmat(np.asarray(x).reshape(-1, 1))

    def _transpose(self) -> BlockedMatrix:
        return BlockedMatrix(self.reader, not self.transposed, self._exponent)

    def _adjoint(self) -> Any:
        return self._transpose() if self.dtype.kind == "f" else super()._adjoint()

    def __repr__(self) -> str:
        m, n = self.shape
        return f"<{m}x{n} matrix of {self.dtype}, read in {self.reader.kind}, {self.passes} passes made>"
