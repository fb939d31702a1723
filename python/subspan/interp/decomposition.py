"""The result: what was chosen, the coefficients, and the approximation they make."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import error as _error
from ..result import ErrorEstimate, Plan, Result


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class InterpolativeDecomposition(Result):
    """``A ~ A[:, J] @ W``, ``A ~ Z @ A[I, :]`` or ``A ~ Z @ A[I][:, J] @ W``.

    Unpacks into ``indices, coefficients`` and acts as the approximation: ``r @ x``, ``r.T``,
    ``r.toarray()``.

    Attributes
    ----------
    indices : array of int64, shape (k,), or pair of them
        Chosen columns J (``axis=1``), rows I (``axis=0``), or ``(I, J)``.
    coefficients : array, or pair of them
        W of shape (k, n) with ``W[:, J] = I``; Z of shape (m, k) with ``Z[I] = I``; or ``(Z, W)``.
    skeleton : array or sparse array
        The chosen part of A: ``A[:, J]``, ``A[I, :]`` or ``A[I][:, J]``.
    axis : {1, 0, None}
    error : ErrorEstimate
        Certificate of ``||A - approximation||``.
    converged : bool
        Whether the requested tolerance is met; True when only a rank was asked for. An estimate
        counts with its upper bound, unless the selection stopped at the tolerance by itself.
    stop_reason : {"rank", "tolerance", "exhausted"}
        "exhausted": A has lower numerical rank than asked for.
    history : tuple of dict
        One entry per block of an adaptive or blockwise method: rank, residual (absolute,
        Frobenius), whether it is exact, columns accepted and proposed.
    plan : Plan
    seed : int
        Passing it as ``rng`` repeats the result.
    """

    indices: Any
    coefficients: Any
    skeleton: Any
    axis: int | None
    error: ErrorEstimate
    converged: bool
    stop_reason: str
    history: tuple[dict[str, Any], ...]
    plan: Plan
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("indices", "coefficients")
    __array_ufunc__ = None  # numpy arrays leave x @ r to us

    def __len__(self) -> int:
        return 2

    @property
    def _factors(self) -> tuple[Any, ...]:
        if self.axis == 1:
            return (self.skeleton, self.coefficients)
        if self.axis == 0:
            return (self.coefficients, self.skeleton)
        return (self.coefficients[0], self.skeleton, self.coefficients[1])

    @property
    def rank(self) -> int:
        """Number of chosen columns or rows."""
        return len(self.indices if self.axis is not None else self.indices[0])

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of A."""
        return (int(self._factors[0].shape[0]), int(self._factors[-1].shape[1]))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Precision of A."""
        dtype: np.dtype[Any] = np.dtype(self.skeleton.dtype)
        return dtype

    @property
    def T(self) -> InterpolativeDecomposition:
        """The decomposition of ``A.T``: columns become rows."""
        if self.axis is None:
            (I, J), (Z, W) = self.indices, self.coefficients  # noqa: E741
            return dataclasses.replace(
                self, indices=(J, I), coefficients=(W.T, Z.T), skeleton=self.skeleton.T
            )
        return dataclasses.replace(
            self, coefficients=self.coefficients.T, skeleton=self.skeleton.T, axis=1 - self.axis
        )

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

        def columns(part: slice) -> Any:
            x = self._factors[-1][:, part]
            for factor in reversed(self._factors[:-1]):
                x = factor @ x
            return x

        return _error.measured(A, self, columns)

    def __repr__(self) -> str:
        what = {1: "columns", 0: "rows", None: "rows and columns"}[self.axis]
        m, n = self.shape
        return f"<InterpolativeDecomposition: {self.rank} {what} of a ({m}, {n}) matrix, {self.error!r}>"
