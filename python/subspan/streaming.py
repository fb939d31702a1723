"""Singular values and vectors of a matrix that can be read only once."""

from __future__ import annotations

import dataclasses
import operator
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _native
from . import error as _error
from ._array import as_rank, working_dtype
from ._rng import seed_word
from .blocks.reader import Precision, refuse_non_finite, widened
from .blocks.tasks import Parts, Task
from .result import ErrorEstimate, Plan
from .source import Source, as_source

_PROBES = 16
_SLAB = 2**25  # bytes of a dense matrix that are sketched at a time
_GAUSSIAN, _SPARSE_SIGN = 0, 2


@dataclasses.dataclass(frozen=True)
class Operators:
    """The five random matrices, as compiled operators: small, and the same on every machine."""

    Omega: Any  # l-by-n
    Gamma: Any  # l-by-m
    Phi: Any  # s-by-m
    Psi: Any  # s-by-n
    G: Any  # probes-by-n, for the error alone

    @classmethod
    def draw(cls, shape: tuple[int, int], size: int, seed: int) -> Operators:
        """Sparse signs, or Gaussian where they would be few; independent streams of one seed."""
        m, n = shape

        def make(size: int, dim: int, stream: int) -> Any:
            kind = _SPARSE_SIGN if size >= 32 else _GAUSSIAN
            return _native.module().SketchOperator(kind, size, dim, min(8, size), seed, stream)

        G = _native.module().SketchOperator(_GAUSSIAN, _PROBES, n, 1, seed, 1)
        return cls(
            make(size, n, 0), make(size, m, 3), make(2 * size, m, 4), make(2 * size, n, 5), G
        )


def sketch_block(
    block: Any,
    i: int,
    j: int,
    by_rows: Parts,
    by_columns: Parts,
    *,
    operators: Operators,
    flip: bool = False,
) -> Parts:
    """What a block adds to A Omega^T, A G^T, row norms^2, (Gamma A)^T, Phi A Psi^T; of A^T if `flip`."""
    if flip:
        block, i, j = block.T, j, i
    source = as_source(block)
    across = source.transposed
    (r, c), dtype, native = source.shape, source.dtype, _native.module()
    Omega, Psi, G = (S.columns(j, c) for S in (operators.Omega, operators.Psi, operators.G))
    Gamma, Phi = (S.columns(i, r) for S in (operators.Gamma, operators.Phi))
    Y, P, norms2 = np.empty((Omega.size, r), dtype), np.empty((G.size, r), dtype), np.empty(r)
    native.sketch_pass(across.native, Omega, Y, G, P, norms2)
    right = np.empty((Psi.size, r), dtype)
    native.sketch(Psi, across.native, right)
    X, Z = np.empty((Gamma.size, c), dtype), np.empty((Phi.size, Psi.size), dtype)
    native.sketch(Gamma, source.native, X)
    native.sketch(Phi, as_source(right.T).native, Z)
    return Y.T, P.T, norms2, X.T, Z


class StreamingSketch:
    """Three sketches of a matrix that streams by, from which its SVD is recovered.

    Rows arrive in blocks, in any order and on any machine: sketches with the same seed add up. Rows
    that never come are zero; rows that come again are added to what was there.

    Parameters
    ----------
    shape : tuple of int
        Shape (m, n) of the whole matrix.
    rank : int
        The largest rank that :meth:`finalize` will be asked for.
    dtype : dtype
        Precision of the sketches and of the result, to which the rows are brought.
    oversampling : int, optional
        The range is sketched with ``l = rank + oversampling`` vectors, at most ``min(m, n)``; by
        default ``2 rank``.
    rng : int, numpy.random.Generator, SeedSequence or None

    Attributes
    ----------
    seed : int
    rows_seen : int
        Rows given at least once.
    plan : Plan

    Notes
    -----
    ``Y = A Omega^T`` (m-by-l), ``X = (Gamma A)^T`` (n-by-l) and ``Z = Phi A Psi^T`` (s-by-s, s = 2 l):
    ``O((m + n) l)`` memory, one pass, ``32 m n`` additions with sparse-sign operators. X and Z are
    added up in double precision. The error is typically within a small factor of the best one of rank
    k if the spectrum decays, and worse than that of methods with two passes if it does not.

    References
    ----------
    Tropp, Yurtsever, Udell, Cevher, SIAM J. Sci. Comput. 41 (2019), "Streaming low-rank matrix
    approximation with an application to scientific simulation".

    Examples
    --------
    >>> import numpy as np, subspan
    >>> A = np.vander(np.linspace(1, 2, 500), 30)
    >>> sketch = subspan.StreamingSketch(A.shape, 5, rng=0)
    >>> for start in range(0, 500, 100):
    ...     _ = sketch.update(A[start : start + 100], start)
    >>> U, s, Vh, error = sketch.finalize()
    >>> bool(np.linalg.norm(A - U * s @ Vh) <= error.upper), error.relative < 1e-3
    (True, True)
    """

    def __init__(
        self,
        shape: tuple[int, int],
        rank: int,
        *,
        dtype: DTypeLike = np.float64,
        oversampling: int | None = None,
        rng: Any = None,
    ) -> None:
        m, n = (as_rank(size, 2**40 - 1, "shape") for size in shape)
        self.shape = (m, n)
        self.rank = as_rank(rank, min(m, n), "rank", self.shape)
        if self.rank == 0:
            raise ValueError("rank=0 must be at least 1")
        extra = self.rank if oversampling is None else as_rank(oversampling, 2**22, "oversampling")
        self.dtype = working_dtype(dtype, "dtype")
        self.seed = seed_word(rng)
        self.size = min(self.rank + extra, m, n)
        self._operators = Operators.draw(self.shape, self.size, self.seed)
        size, sum_dtype = self.size, np.result_type(self.dtype, np.float64)
        self._Y = np.zeros((m, size), self.dtype)
        self._P = np.zeros((m, _PROBES), self.dtype)
        self._X = np.zeros((n, size), sum_dtype)
        self._Z = np.zeros((2 * size, 2 * size), sum_dtype)
        self._seen = np.zeros(m, bool)
        self._norm2: float | None = 0.0  # None: rows came again, the norm of the sum is not known

    @property
    def rows_seen(self) -> int:
        """Rows given at least once."""
        return int(np.count_nonzero(self._seen))

    @property
    def plan(self) -> Plan:
        """What is computed, from one pass."""
        choices = {
            "method": "single pass",
            "sketch": "sparse_sign" if self.size >= 32 else "gaussian",
            "sketch size": self.size,
            "core size": 2 * self.size,
            "probes": _PROBES,
            "dtype": self.dtype.name,
        }
        return Plan(choices, {"method": "three sketches, from which the factors follow"}, 1, {})

    def update(self, rows: Any, start: int) -> Self:
        """Add the rows ``start .. start + len(rows) - 1`` of A, dense or sparse.

        Raises ValueError if the block leaves the matrix or is not finite.
        """
        block = Precision.choose(self.dtype).of(rows, "rows")
        start = operator.index(start)
        count, n = block.shape
        if n != self.shape[1]:
            raise ValueError(f"rows has {n} columns; expected {self.shape[1]}")
        if start < 0 or start + count > self.shape[0]:
            raise ValueError(
                f"rows {start} .. {start + count - 1} leave the range [0, {self.shape[0]}) of A"
            )
        if count:
            parts = sketch_block(block, start, 0, (), (), operators=self._operators)
            if not np.isfinite(parts[2]).all():
                refuse_non_finite(block, (start, 0))
                raise ValueError("the squares of the entries of A overflow; scale A down")
            self._add(parts, slice(start, start + count))
        return self

    def read(self, A: Any) -> Self:
        """Add a whole matrix in one pass: an array, sparse, chunks, an array on disk, a Dask array."""
        source = as_source(A)
        if source.shape != self.shape:
            raise ValueError(f"A has shape {source.shape}; expected {self.shape}")
        if source.kind == "operator":
            raise TypeError("A is an operator, whose products with both sides take two passes")
        if source.kind == "blocks":
            flip = source.matrix.transposed
            work = partial(sketch_block, operators=self._operators, flip=flip)
            rows, columns = ("columns", "rows") if flip else ("rows", "columns")
            parts = source.matrix.run(Task(work, (rows, rows, rows, columns, "neither")))
            self._add(parts, slice(0, self.shape[0]))
            return self
        matrix = source.matrix.tocsr() if source.kind == "sparse" else source.matrix
        height = max(1, _SLAB // max(1, self.shape[1] * self.dtype.itemsize))
        for start in range(0, self.shape[0], height):
            self.update(matrix[start : start + height], start)
        return self

    def merge(self, other: StreamingSketch) -> Self:
        """Add what another sketch of the same operators has seen."""
        mine, theirs = ((s.shape, s.size, s.seed, s.dtype) for s in (self, other))
        if mine != theirs:
            raise ValueError(
                "cannot merge sketches that differ in (shape, size, seed, dtype): "
                f"{mine} and {theirs}"
            )
        overlap = bool((self._seen & other._seen).any())
        for whole, part in zip(self._arrays, other._arrays, strict=True):
            whole += part
        self._seen |= other._seen
        known = self._norm2 is not None and other._norm2 is not None and not overlap
        self._norm2 = self._norm2 + other._norm2 if known else None  # type: ignore[operator]
        return self

    def scale(self, factor: complex) -> Self:
        """Replace A by ``factor A``: with updates, ``A <- alpha A + beta H``."""
        factor = self.dtype.type(factor)  # TypeError for a complex factor of a real matrix
        if not np.isfinite(factor):
            raise ValueError(f"factor={factor!r} must be finite")
        for whole in self._arrays:
            whole *= factor
        if self._norm2 is not None:
            self._norm2 *= abs(complex(factor)) ** 2
        return self

    @property
    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return self._Y, self._P, self._X, self._Z

    def _add(self, parts: Parts, rows: slice) -> None:
        Y, P, norms2, X, Z = parts
        self._Y[rows] += Y
        self._P[rows] += P
        self._X += X
        self._Z += Z
        if self._seen[rows].any():
            self._norm2 = None
        elif self._norm2 is not None:
            self._norm2 += float(norms2.sum())
        self._seen[rows] = True

    def finalize(
        self, rank: int | None = None
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], ErrorEstimate]:
        """Recover the leading singular triplets; the sketch can go on afterwards.

        Parameters
        ----------
        rank : int, optional
            At most the sketch size; by default the rank given first.

        Returns
        -------
        U : array, shape (m, rank)
        s : array, shape (rank,)
            Descending.
        Vh : array, shape (rank, n)
        error : ErrorEstimate
            Of ``||A - U diag(s) Vh||_F``, from products with Gaussian vectors that were made in the
            same pass and used for nothing else; relative to ``||A||_F``, which is exact unless rows
            came more than once.

        Notes
        -----
        ``Q = orth(Y)``, ``P = orth(X)``, core ``(Phi Q)^+ Z ((Psi P)^+)^H`` by QR; ``O((m + n) l^2)``.
        """
        k = self.rank if rank is None else as_rank(rank, self.size, "rank")
        Q, P = np.linalg.qr(self._Y)[0], np.linalg.qr(self._X.conj())[0]
        core = _least_squares(_apply(self._operators.Phi, Q), self._Z)
        core = _least_squares(_apply(self._operators.Psi, P), core.conj().T).conj().T
        Uc, s, Vhc = np.linalg.svd(core)
        U, Vh = Q @ Uc[:, :k].astype(self.dtype), (Vhc[:k] @ P.conj().T).astype(self.dtype)
        s = s[:k].astype(U.real.dtype)
        _fix_signs(U, Vh)
        return U, s, Vh, self._error(U, s, Vh)

    def _error(self, U: NDArray[Any], s: NDArray[Any], Vh: NDArray[Any]) -> ErrorEstimate:
        E = self._P - U @ (s[:, None] * _apply(self._operators.G, Vh.T).T)
        gram = widened(E).conj().T @ widened(E)
        norm2 = self._norm2
        if norm2 is None:
            norm2 = float((np.abs(widened(self._P)) ** 2).sum())
        return _error.from_probe_gram(gram, "fro", float(np.sqrt(norm2)))


def _apply(S: Any, A: NDArray[Any]) -> NDArray[Any]:
    """``S A`` for a compiled operator."""
    source: Source = as_source(A)
    out = np.empty((S.size, source.shape[1]), source.dtype)
    if out.size:
        _native.module().sketch(S, source.native, out)
    return out


def _least_squares(B: NDArray[Any], Z: NDArray[Any]) -> NDArray[Any]:
    """``B^+ Z`` for the sketch B of an orthonormal basis, in double precision, by QR."""
    from scipy.linalg import solve_triangular

    Q, R = np.linalg.qr(widened(B))
    diagonal = np.abs(np.diagonal(R))
    if diagonal.min() <= len(B) * np.finfo(R.dtype).eps * diagonal.max():
        raise np.linalg.LinAlgError("a sketch lost part of the range of A; use another seed")
    return np.asarray(solve_triangular(R, Q.conj().T @ Z))


def _fix_signs(U: NDArray[Any], Vh: NDArray[Any]) -> None:
    """Make the largest entry of every left vector real and positive."""
    largest = U[np.abs(U).argmax(axis=0), np.arange(U.shape[1])]
    phase = largest / np.abs(largest)
    U *= phase.conj()
    Vh *= phase[:, None]
