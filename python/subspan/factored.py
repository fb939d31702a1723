"""Results that are products of factors, and act as the matrix they approximate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import error as _error
from .result import ErrorEstimate, Result
from .source import as_source


class FactoredResult(Result):
    """A result that approximates A by the product of its `_factors`, left to right."""

    __array_ufunc__ = None  # numpy arrays leave x @ r to us

    @property
    def _factors(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._unpacks)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of A."""
        return (int(self._factors[0].shape[0]), int(self._factors[-1].shape[1]))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Precision of A."""
        dtype: np.dtype[Any] = np.dtype(self._factors[0].dtype)
        return dtype

    def __matmul__(self, x: Any) -> NDArray[Any]:
        """Approximation of ``A @ x`` in ``O((m + n) k)`` per column of x."""
        for factor in reversed(self._factors):
            x = factor @ x
        return np.asarray(x)

    def matvec(self, x: Any) -> NDArray[Any]:
        """Approximation of ``A @ x``, the name that ``scipy.sparse.linalg.aslinearoperator`` knows."""
        return self.__matmul__(x)

    def rmatvec(self, x: Any) -> NDArray[Any]:
        """Approximation of ``A.conj().T @ x``."""
        return np.asarray(np.conj(np.conj(x).T @ self).T)

    def __rmatmul__(self, x: Any) -> NDArray[Any]:
        """Approximation of ``x @ A``."""
        for factor in self._factors:
            x = x @ factor
        return np.asarray(x)

    def toarray(self) -> NDArray[Any]:
        """Return the approximation as a dense (m, n) array."""
        dense = [np.asarray(f.toarray() if hasattr(f, "toarray") else f) for f in self._factors]
        product = dense[0]
        for factor in dense[1:]:
            product = product @ factor
        return product

    def error_exact(self, A: Any) -> ErrorEstimate:
        """Measure the Frobenius error against A, in blocks of columns: one more pass."""
        source = as_source(A)
        if source.shape != self.shape:
            raise ValueError(f"A has shape {source.shape}; expected {self.shape}")
        if source.kind == "operator":
            raise TypeError("A is an operator; use subspan.error.residual(A, r)")
        total, reference = 0.0, 0.0
        scale = _error.safe_scale(source.magnitude())
        width = max(1, 2**24 // max(1, self.shape[0]))
        factors = self._factors
        for j in range(0, self.shape[1], width):
            block = source.matrix[:, j : j + width]
            block = block.toarray() if hasattr(block, "toarray") else block
            x: Any = factors[-1][:, j : j + width]
            for factor in reversed(factors[:-1]):
                x = factor @ x
            x = x.toarray() if hasattr(x, "toarray") else np.asarray(x)
            wide = np.result_type(block, np.float64)
            total += float(np.linalg.norm((block - x).astype(wide) * scale)) ** 2
            reference += float(np.linalg.norm(block.astype(wide) * scale)) ** 2
        return _error.exact(float(np.sqrt(total)) / scale, float(np.sqrt(reference)) / scale)
