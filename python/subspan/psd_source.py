"""What can stand for a positive semidefinite matrix: dense array, sparse matrix, kernel."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._array import NUMPY, Library, as_matrix, is_sparse, library_of, to_host, working_dtype
from .source import as_source

_HERMITIAN_SAMPLE = 64  # rows and columns of the sample in which K is compared with its mirror


@dataclasses.dataclass(frozen=True)
class PsdSource:
    """K as the factorization sees it: a checked diagonal, and who gives the other entries.

    Attributes
    ----------
    kind : {"dense", "sparse", "kernel"}
    n : int
    dtype : numpy.dtype
    diagonal : array of float64
        Real and not negative.
    diagonal_entries : int
        Entries of K that were computed for the diagonal.
    holder : object
        A `Source`, or the kernel matrix.
    library : Library
        That of the caller's array.
    """

    kind: str
    n: int
    dtype: np.dtype[Any]
    diagonal: NDArray[np.float64]
    diagonal_entries: int
    holder: Any
    library: Library = NUMPY

    @classmethod
    def of(cls, K: Any) -> PsdSource:
        """Wrap an array, a sparse matrix or a kernel matrix, and check what can be checked cheaply."""
        if all(hasattr(K, name) for name in ("shape", "dtype", "diag", "block")):
            n = _square(K.shape)
            count = int(getattr(K, "diagonal_entries", n))
            diagonal = _checked_diagonal(np.asarray(K.diag()), n)
            return cls("kernel", n, working_dtype(K.dtype, "K"), diagonal, count, K)
        if callable(K) and not hasattr(K, "shape"):
            raise TypeError(
                "K is a function; say what of with subspan.kernel(function, X) or "
                "subspan.kernel(function, n=...)"
            )
        host = to_host(K, "K")
        if isinstance(host, (np.ndarray, list, tuple)):
            host = as_matrix(host, "K")
        source = as_source(host)
        if source.kind not in ("dense", "sparse"):
            raise TypeError(
                f"K is given by {source.kind}, which yields products but no single entries; use "
                "subspan.eigh(K, rank, psd=True)"
            )
        n = _square(source.shape)
        matrix = source.matrix
        diagonal = matrix.diagonal() if is_sparse(matrix) else np.diagonal(matrix)
        checked = _checked_diagonal(diagonal, n)
        _check_hermitian(matrix, n)
        return cls(source.kind, n, source.dtype, checked, n, source, library_of(K))

    def factor(self, **options: Any) -> Any:
        """Run the compiled factorization."""
        native = _native.module()
        if self.kind != "kernel":
            return native.pivoted_cholesky(self.holder.native, self.diagonal, **options)
        letter = {"f": "S", "d": "D", "F": "C", "D": "Z"}[self.dtype.char]
        run = getattr(native, f"pivoted_cholesky_of_oracle_{letter}")
        return run(self._write_block, self.diagonal, **options)

    def columns(self, J: NDArray[np.int64]) -> NDArray[Any]:
        """Return ``K[:, J]`` as a dense array."""
        if self.kind == "kernel":
            return np.asarray(self.holder.block(np.arange(self.n), J))
        found = self.holder.columns(J)
        return np.asarray(found.toarray() if hasattr(found, "toarray") else found)

    def _write_block(
        self,
        rows: NDArray[np.int64] | None,
        columns: NDArray[np.int64],
        out: NDArray[Any],
    ) -> None:
        rows = np.arange(self.n) if rows is None else rows
        values = np.asarray(self.holder.block(rows, columns))
        if values.shape != out.shape:
            raise ValueError(f"K.block returned shape {values.shape}; expected {out.shape}")
        if np.iscomplexobj(values) and not np.iscomplexobj(out):
            raise TypeError(f"K.block returned complex values although K.dtype is {out.dtype}")
        out[...] = values


def _square(shape: Any) -> int:
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"K must be square, got shape {tuple(shape)}")
    return int(shape[0])


def _checked_diagonal(diagonal: NDArray[Any], n: int) -> NDArray[np.float64]:
    """Return the diagonal in double precision: real, finite, and not below zero but by rounding."""
    if diagonal.shape != (n,):
        raise ValueError(f"K.diag() has shape {diagonal.shape}; expected ({n},)")
    if n == 0:
        return np.zeros(0)
    finite = np.isfinite(diagonal)
    if not finite.all():
        j = int(np.argmin(finite))
        raise ValueError(f"K must be finite, but K[{j}, {j}] is {diagonal[j]}")
    real = np.ascontiguousarray(diagonal.real, dtype=np.float64)
    precision = diagonal.dtype if diagonal.dtype.kind in "fc" else np.dtype(np.float64)
    rounding = 100 * float(np.finfo(precision).eps) * float(np.abs(real).max())
    j = int(np.argmax(np.abs(diagonal.imag)))
    if abs(diagonal.imag[j]) > rounding:
        raise ValueError(f"K must be Hermitian, but K[{j}, {j}] is {diagonal[j]}")
    j = int(np.argmin(real))
    if real[j] < -rounding:
        raise ValueError(f"K must be positive semidefinite, but K[{j}, {j}] is {diagonal[j]}")
    return np.maximum(real, 0.0)


def _check_hermitian(K: Any, n: int) -> None:
    """Compare a sample of K with its mirror."""
    sample = np.random.default_rng(0).choice(n, min(n, _HERMITIAN_SAMPLE), replace=False)
    found = K[np.ix_(sample, sample)]
    block = np.asarray(found.toarray() if hasattr(found, "toarray") else found)
    if not np.isfinite(block).all():
        i, j = (int(sample[w]) for w in np.argwhere(~np.isfinite(block))[0])
        raise ValueError(f"K must be finite, but K[{i}, {j}] is {K[i, j]}")
    if n == 0:
        return
    apart = np.abs(block - block.conj().T)
    worst = np.unravel_index(np.argmax(apart), apart.shape)
    allowed = float(np.finfo(block.dtype).eps) ** (1 / 3) * float(np.abs(block).max())
    if apart[worst] > allowed:
        i, j = (int(sample[w]) for w in worst)
        raise ValueError(
            f"K must be Hermitian, but K[{i}, {j}] and K[{j}, {i}] differ by {apart[worst]:.3g}"
        )
