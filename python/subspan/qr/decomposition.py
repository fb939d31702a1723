"""The result: Q, R, the permutation, and the approximation they make."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import error as _error
from ..interp import InterpolativeDecomposition
from ..result import ErrorEstimate, Plan, Result


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PivotedQR(Result):
    """``A[:, piv] ~ Q @ R``, R upper trapezoidal.

    Unpacks into ``Q, R, piv`` and acts as the approximation of A itself, the permutation undone:
    ``r @ x``, ``x @ r``, ``r.T``, ``r.toarray()``.

    Attributes
    ----------
    Q : array, shape (m, k)
        Orthonormal columns, Fortran-ordered.
    R : array, shape (k, n)
        Zero below the diagonal, which is real and not negative.
    piv : array of int64, shape (n,)
        A permutation of all columns, the chosen ones first.
    error : ErrorEstimate
        Certificate of ``||A[:, piv] - Q R||``.
    converged : bool
        Whether the requested tolerance is met; True when only a rank was asked for.
    stop_reason : {"rank", "tolerance", "exhausted"}
        "exhausted": A has lower numerical rank than asked for.
    history : tuple of dict
        One entry per block of an adaptive or blockwise method.
    plan : Plan
    seed : int
        Passing it as ``rng`` repeats the result.
    """

    Q: NDArray[Any]
    R: NDArray[Any]
    piv: NDArray[np.int64]
    error: ErrorEstimate
    converged: bool
    stop_reason: str
    history: tuple[dict[str, Any], ...]
    plan: Plan
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("Q", "R", "piv")
    __array_ufunc__ = None  # numpy arrays leave x @ r to us

    def __len__(self) -> int:
        return 3

    @property
    def rank(self) -> int:
        """Number of columns of Q."""
        return int(self.R.shape[0])

    @property
    def columns(self) -> NDArray[np.int64]:
        """The chosen columns of A, ``piv[:rank]``."""
        return self.piv[: self.rank]

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of A."""
        return (int(self.Q.shape[0]), int(self.R.shape[1]))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Precision of A."""
        return np.dtype(self.R.dtype)

    @property
    def T(self) -> TransposedQR:
        """The approximation of ``A.T``, for products."""
        return TransposedQR(self)

    @property
    def _place(self) -> NDArray[np.int64]:
        """Column j of A is column ``_place[j]`` of R."""
        place = np.empty_like(self.piv)
        place[self.piv] = np.arange(self.piv.size)
        return place

    def __matmul__(self, x: Any) -> NDArray[Any]:
        """Approximation of ``A @ x`` in ``O((m + n) k)`` per column of x."""
        x = np.asarray(x)
        return np.asarray(self.Q @ (self.R @ x.take(self.piv, axis=-2 if x.ndim > 1 else 0)))

    def matvec(self, x: Any) -> NDArray[Any]:
        """Approximation of ``A @ x``, the name that ``scipy.sparse.linalg.aslinearoperator`` knows."""
        return self.__matmul__(x)

    def rmatvec(self, x: Any) -> NDArray[Any]:
        """Approximation of ``A.conj().T @ x``."""
        return np.asarray(np.conj(np.conj(x).T @ self).T)

    def __rmatmul__(self, x: Any) -> NDArray[Any]:
        """Approximation of ``x @ A``."""
        return np.asarray(x @ self.Q @ self.R).take(self._place, axis=-1)

    def toarray(self) -> NDArray[Any]:
        """Return the approximation of A as a dense (m, n) array."""
        return np.asarray(self.Q @ self.R[:, self._place])

    def to_interpolative(self) -> InterpolativeDecomposition:
        """Write the same approximation in terms of the chosen columns, ``A ~ A[:, J] @ W``.

        ``W = R11^-1 R``, the least-squares coefficients; minimum-norm ones where R11 is singular
        to working precision. The skeleton is ``Q @ R11``, the columns of A up to rounding.
        """
        from scipy.linalg import solve_triangular

        k = self.rank
        R11 = self.R[:, :k]
        diagonal = np.abs(np.diagonal(R11))
        floor = k * float(np.finfo(self.dtype).eps)
        if k and diagonal.min() <= floor * diagonal.max():
            ordered = np.linalg.lstsq(R11, self.R, rcond=floor)[0]
        else:
            ordered = solve_triangular(R11, self.R) if k else self.R
        W = np.asarray(ordered)[:, self._place]
        W[:, self.columns] = np.eye(k)
        return InterpolativeDecomposition(
            indices=self.columns.copy(),
            coefficients=W,
            skeleton=self.Q @ R11,
            axis=1,
            error=self.error,
            converged=self.converged,
            stop_reason=self.stop_reason,
            history=self.history,
            plan=self.plan,
            seed=self.seed,
        )

    def error_exact(self, A: Any) -> ErrorEstimate:
        """Measure the Frobenius error against A, in blocks of columns: one more pass."""
        place = self._place
        return _error.measured(A, self, lambda part: self.Q @ self.R[:, place[part]])

    def __repr__(self) -> str:
        m, n = self.shape
        return f"<PivotedQR: rank {self.rank} of a ({m}, {n}) matrix, {self.error!r}>"


@dataclasses.dataclass(frozen=True, eq=False)
class TransposedQR:
    """``A.T`` by the factors of a `PivotedQR`: products only."""

    T: PivotedQR
    __array_ufunc__ = None

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of ``A.T``."""
        return self.T.shape[::-1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Precision of A."""
        return self.T.dtype

    def __matmul__(self, x: Any) -> NDArray[Any]:
        """Approximation of ``A.T @ x``."""
        return np.asarray((np.asarray(x).T @ self.T).T)

    def __rmatmul__(self, x: Any) -> NDArray[Any]:
        """Approximation of ``x @ A.T``."""
        return np.asarray((self.T @ np.asarray(x).T).T)

    def toarray(self) -> NDArray[Any]:
        """Return the approximation as a dense (n, m) array."""
        return np.asarray(self.T.toarray().T)
