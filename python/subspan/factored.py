"""Approximations that are a product of factors: products with them, transposes, their error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import error as _error
from ._array import caller_of, from_caller, is_sparse, to_caller, to_host
from .result import ErrorEstimate, Result
from .source import as_source


class FactoredResult(Result):
    """A result that acts as the matrix ``F_1 @ F_2 @ ... @ F_p``.

    A subclass names its factors, dense or sparse, in `_factors`, which is asked only where the fields
    are numpy's. Products and ``toarray()`` come back in the library that the fields come from.
    """

    __array_ufunc__ = None  # numpy arrays leave x @ r to us

    @property
    def _factors(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._unpacks)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the matrix, or of the batch of matrices."""
        factors = self._on_host()
        return (*map(int, factors[0].shape[:-1]), int(factors[-1].shape[-1]))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Precision of the approximation, as numpy names it."""
        dtype: np.dtype[Any] = self._on_host()[0].dtype
        return dtype

    def __matmul__(self, x: Any) -> Any:
        """Approximation of ``A @ x`` in ``O((m + n) k)`` per column of x."""
        return self._given(_multiplied(self._on_host(), _vectors(x)))

    def __rmatmul__(self, x: Any) -> Any:
        """Approximation of ``x @ A``."""
        flipped = tuple(transposed(factor) for factor in reversed(self._on_host()))
        x = _vectors(x)
        product = _multiplied(flipped, transposed(x))
        return self._given(product if x.ndim == 1 else transposed(product))

    def matvec(self, x: Any) -> Any:
        """Approximation of ``A @ x``, the name that ``scipy.sparse.linalg.aslinearoperator`` knows."""
        return self.__matmul__(x)

    def rmatvec(self, x: Any) -> Any:
        """Approximation of ``A.conj().T @ x``."""
        flipped = tuple(transposed(factor) for factor in reversed(self._on_host()))
        return self._given(np.conj(_multiplied(flipped, np.conj(_vectors(x)))))

    def toarray(self) -> Any:
        """Return the approximation as a dense (m, n) array."""
        factors = self._on_host()
        last = factors[-1]
        dense = last.toarray() if is_sparse(last) else last
        return self._given(_multiplied(factors[:-1], dense))

    def error_exact(self, A: Any) -> ErrorEstimate:
        """Measure the Frobenius error against A, in blocks of columns: one more pass."""
        if len(self.shape) > 2:
            raise ValueError("A is a batch; call error_exact of the decomposition of one matrix")
        source = as_source(A)
        if source.shape != self.shape:
            raise ValueError(f"A has shape {source.shape}; expected {self.shape}")
        if source.kind == "operator":
            raise TypeError("A is an operator; use subspan.error.residual(A, r)")
        *left, last = self._on_host()
        total, reference = 0.0, 0.0
        scale = _error.safe_scale(source.magnitude())
        if source.kind == "blocks":
            product = left[0]
            for factor in left[1:]:
                product = product @ factor
            exponent = int(np.log2(scale))
            total = source.matrix.residual2(_dense(product), _dense(last), exponent)
            reference = source.matrix.scaled(exponent).norm2
            return _error.exact(float(np.sqrt(total)) / scale, float(np.sqrt(reference)) / scale)
        width = max(1, 2**24 // max(1, self.shape[0]))
        for j in range(0, self.shape[1], width):
            block, part = (_dense(matrix[:, j : j + width]) for matrix in (source.matrix, last))
            wide = np.result_type(block, np.float64)
            difference = block - _multiplied(left, part)
            total += float(np.linalg.norm(difference.astype(wide) * scale)) ** 2
            reference += float(np.linalg.norm(block.astype(wide) * scale)) ** 2
        return _error.exact(float(np.sqrt(total)) / scale, float(np.sqrt(reference)) / scale)

    def _on_host(self) -> tuple[Any, ...]:
        return from_caller(self)._factors

    def _given(self, array: Any) -> Any:
        return to_caller(array, caller_of(self))


def transposed(x: Any) -> Any:
    """Return the transpose of a matrix, or of every matrix of a batch."""
    return x.T if x.ndim <= 2 else x.swapaxes(-2, -1)


def described(shape: tuple[int, ...]) -> str:
    """Name a matrix by its shape in a repr."""
    kind = "matrix" if len(shape) == 2 else "batch"
    return f"a ({', '.join(map(str, shape))}) {kind}"


def _vectors(x: Any) -> Any:
    """The operand of a product: sparse as it is, anything else as a numpy array of its own dtype."""
    x = to_host(x, "x")
    return x if is_sparse(x) else np.asarray(x)


def _multiplied(factors: Any, x: Any) -> NDArray[Any]:
    """``F_1 @ ... @ F_p @ x``, from the right."""
    if x.ndim == 1:  # of which a batch would make rows of a matrix
        return np.asarray(_multiplied(factors, x[:, None])[..., 0])
    for factor in reversed(factors):
        x = factor @ x
    return _dense(x)


def _dense(x: Any) -> NDArray[Any]:
    return np.asarray(x.toarray() if hasattr(x, "toarray") else x)
