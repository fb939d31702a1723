"""The result: columns, rows, and the stable form of what is between them."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._array import is_sparse, to_host
from ..factored import FactoredResult
from ..qr.decomposition import solve_upper
from ..result import ErrorEstimate, Plan


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CURDecomposition(FactoredResult):
    """``A ~ C @ U @ R``, C columns and R rows of A, evaluated as ``left @ middle @ right``.

    Unpacks into ``C, U, R`` and acts as the approximation: ``r @ x``, ``x @ r``, ``r.T``,
    ``r.toarray()``. Products use the stable form: `left` is an orthonormal basis of the columns C,
    ``right.conj().T`` one of the rows R, and `middle` is never larger than A (core "stable").
    An explicit U is as large as the inverses of C and R are, and loses as many digits.

    Attributes
    ----------
    C : array (m, k), or sparse array for sparse A
        ``A[:, columns]``, bit for bit: sparsity and signs are kept.
    R : array (k, n), or sparse array
        ``A[rows]``.
    columns, rows : array of int64, shape (k,)
    left : array, shape (m, k)
        Orthonormal columns, ``C = left @ left_factor``. Dense also for sparse A, as are all below:
        ``(m + n) k`` numbers beside C and R.
    middle : array, shape (k, k)
    right : array, shape (k, n)
        Orthonormal rows, ``R = right_factor.conj().T @ right``.
    left_factor, right_factor : array, shape (k, k)
        Upper triangular.
    core : {"stable", "cross", "id"}
    error : ErrorEstimate
        Certificate of ``||A - left @ middle @ right||``.
    converged : bool
        Whether the requested tolerance is met; True when only a rank was asked for.
    stop_reason : {"rank", "tolerance", "exhausted"}
        "exhausted": A has lower numerical rank than asked for.
    history : tuple of dict
        Of the choice of columns; one entry per block of an adaptive or blockwise method.
    plan : Plan
    seed : int
        Passing it as ``rng`` repeats the result.
    """

    C: Any
    R: Any
    columns: NDArray[np.int64]
    rows: NDArray[np.int64]
    left: NDArray[Any]
    middle: NDArray[Any]
    right: NDArray[Any]
    left_factor: NDArray[Any]
    right_factor: NDArray[Any]
    core: str
    error: ErrorEstimate
    converged: bool
    stop_reason: str
    history: tuple[dict[str, Any], ...]
    plan: Plan
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("C", "U", "R")

    @property
    def U(self) -> Any:
        """The (k, k) matrix between C and R, computed when asked for.

        ``left_factor^-1 @ middle @ right_factor^-H`` ("cross": the pseudo-inverse of
        ``A[rows][:, columns]``); by least squares where a factor is singular to working precision.
        ``C @ (U @ R)`` carries an error of about eps times the condition numbers of C and R, which
        ``r @ x`` and ``r.toarray()`` do not.
        """
        if self.core == "cross":
            C, rows = to_host(self.C), to_host(self.rows)
            X = C.tocsr()[rows].toarray() if is_sparse(C) else C[rows]
            U = np.linalg.pinv(X, rcond=len(X) * float(np.finfo(X.dtype).eps)) if X.size else X
        else:
            half = solve_upper(to_host(self.left_factor), to_host(self.middle))
            U = solve_upper(to_host(self.right_factor), half.conj().T).conj().T
        return self._given(U)

    @property
    def rank(self) -> int:
        """Number of chosen columns, and of rows."""
        return len(self.columns)

    @property
    def T(self) -> CURDecomposition:
        """The decomposition of ``A.T``: columns become rows."""
        return dataclasses.replace(
            self,
            C=self.R.T,
            R=self.C.T,
            columns=self.rows,
            rows=self.columns,
            left=self.right.T,
            middle=self.middle.T,
            right=self.left.T,
            left_factor=self._given(to_host(self.right_factor).conj()),
            right_factor=self._given(to_host(self.left_factor).conj()),
        )

    @property
    def _factors(self) -> tuple[Any, ...]:
        return (self.left, self.middle, self.right)

    def __repr__(self) -> str:
        m, n = self.shape
        return (
            f"<CURDecomposition: {self.rank} columns and rows of a ({m}, {n}) matrix, "
            f"{self.error!r}>"
        )
