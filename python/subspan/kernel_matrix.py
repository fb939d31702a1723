"""Kernel matrices known by a function of two sets of points, evaluated entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._array import as_rank, working_dtype

_DIAGONAL_BLOCK = 16  # points per call where the diagonal has to be read off small blocks
_PRODUCT_ENTRIES = 2**22  # entries held at once by K @ X


class KernelMatrix:
    """The matrix ``K[i, j] = function(X[i], X[j])``, of which only the entries asked for are computed.

    Made by :func:`subspan.kernel`. Any object with these members is taken in its place.

    Attributes
    ----------
    shape : tuple of int
        ``(n, n)``.
    dtype : numpy.dtype
    diagonal_entries : int
        Entries that `diag` evaluates: 0 if the diagonal was given.
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Any],
        points: Callable[[NDArray[np.int64]], Any],
        n: int,
        diag: Any,
        dtype: Any,
    ) -> None:
        self._function = function
        self._points = points
        self._diag = diag
        self.shape = (n, n)
        if dtype is None:
            dtype = self.block(np.zeros(1, np.int64), np.zeros(1, np.int64)).dtype if n else float
        self.dtype: np.dtype[Any] = working_dtype(dtype, "the kernel")
        known = diag is not None or hasattr(function, "diag")
        starts = range(0, n, _DIAGONAL_BLOCK)
        self.diagonal_entries = (
            0 if known else sum(min(_DIAGONAL_BLOCK, n - start) ** 2 for start in starts)
        )

    def diag(self) -> NDArray[Any]:
        """Return the diagonal of K."""
        n = self.shape[0]
        everything = np.arange(n)
        if self._diag is None and hasattr(self._function, "diag"):
            return np.asarray(self._function.diag(self._points(everything)))
        if callable(self._diag):
            return np.asarray(self._diag(self._points(everything)))
        if self._diag is not None:
            return np.broadcast_to(np.asarray(self._diag), (n,))
        parts = [
            np.diagonal(self.block(part, part))
            for start in range(0, n, _DIAGONAL_BLOCK)
            for part in [everything[start : start + _DIAGONAL_BLOCK]]
        ]
        return np.concatenate(parts) if parts else np.zeros(0, self.dtype)

    def block(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[Any]:
        """Return ``K[rows][:, columns]``."""
        values = self._function(self._points(rows), self._points(columns))
        return np.asarray(values.toarray() if hasattr(values, "toarray") else values)

    @property
    def T(self) -> KernelMatrix:
        """The transpose, which for a real kernel is the matrix itself."""
        if self.dtype.kind != "c":
            return self
        return KernelMatrix(
            lambda i, j: np.conj(self.block(i, j)),
            lambda i: i,
            self.shape[0],
            lambda i: self.diag(),
            self.dtype,
        )

    def __matmul__(self, X: Any) -> NDArray[Any]:
        """``K @ X`` in blocks of rows: evaluates every entry once, holds few."""
        n = self.shape[0]
        everything = np.arange(n)
        rows = max(1, _PRODUCT_ENTRIES // max(1, n))
        parts = [self.block(everything[p : p + rows], everything) @ X for p in range(0, n, rows)]
        return np.concatenate(parts) if parts else np.zeros(np.shape(X), self.dtype)

    def __repr__(self) -> str:
        return f"<KernelMatrix of shape {self.shape}, {self.dtype.name}>"


def kernel(
    function: Callable[[Any, Any], Any],
    X: Any = None,
    *,
    n: int | None = None,
    diag: Any = None,
    dtype: Any = None,
) -> KernelMatrix:
    """Describe a kernel matrix by a function, for :func:`subspan.pivoted_cholesky`.

    Parameters
    ----------
    function : callable
        With `X`: ``function(X1, X2)`` takes two sets of points and returns the matrix of their
        kernel values, such as ``sklearn.metrics.pairwise.rbf_kernel`` or a kernel of
        ``sklearn.gaussian_process``; bind its parameters with ``functools.partial``. With `n`:
        ``function(I, J)`` takes two arrays of indices.
    X : array (n, d), sparse matrix, data frame or sequence, optional
        The points. Rows are taken by index arrays.
    n : int, optional
        Size of the matrix, in the place of `X`.
    diag : number, array (n,) or callable, optional
        The diagonal: a constant (1 for a normalised kernel), its entries, or a function of X (of the
        indices, with `n`). Without it, ``function.diag`` is called where there is one, else the
        diagonal is read off blocks of 16 points: 16 n entries are computed.
    dtype : dtype, optional
        Precision; by default that of one entry, which is computed.

    Returns
    -------
    KernelMatrix
        Nothing but that entry is computed yet.

    Raises
    ------
    TypeError
        If not exactly one of `X` and `n` is given, or `function` is not callable.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> X = np.linspace(0, 1, 1000)[:, None]
    >>> K = subspan.kernel(lambda A, B: np.exp(-((A - B.T) ** 2)), X, diag=1.0)
    >>> r = subspan.pivoted_cholesky(K, rtol=1e-8, rng=0)
    >>> r.rank < 12, r.plan.choices["entries evaluated"] < 50_000
    (True, True)
    """
    if not callable(function):
        raise TypeError(f"function has type {type(function).__name__}; expected a callable")
    if (X is None) == (n is None):
        raise TypeError("kernel needs either the points X or the size n")
    if X is None:
        return KernelMatrix(function, lambda i: i, as_rank(n, 2**62, "n"), diag, dtype)
    size = int(X.shape[0]) if hasattr(X, "shape") else len(X)
    return KernelMatrix(function, _taking(X), size, diag, dtype)


def _taking(X: Any) -> Callable[[NDArray[np.int64]], Any]:
    """Return the function that takes rows of X by their indices."""
    if hasattr(X, "iloc"):
        return lambda i: X.iloc[i]
    if hasattr(X, "tocsr"):
        rows = X.tocsr()
        return lambda i: rows[i]
    if hasattr(X, "shape"):
        return lambda i: X[i]
    return lambda indices: [X[i] for i in indices]
