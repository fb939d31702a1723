"""The result: Q, R, the permutation, and the approximation they make."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._array import library_of, to_caller, to_host
from ..factored import FactoredResult, described, transposed
from ..interp import InterpolativeDecomposition
from ..result import ErrorEstimate, Plan


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PivotedQR(FactoredResult):
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
        A permutation of all columns, the chosen ones first. Of a batch, all three have the leading
        dimensions of A before these.
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

    @property
    def rank(self) -> int:
        """Number of columns of Q."""
        return int(self.R.shape[-2])

    @property
    def columns(self) -> Any:
        """The chosen columns of A, ``piv[:rank]``."""
        return self.piv[..., : self.rank]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of A."""
        return (*map(int, self.Q.shape[:-1]), int(self.R.shape[-1]))

    @property
    def T(self) -> TransposedQR:
        """The approximation of ``A.T``, for products."""
        return TransposedQR(self)

    @property
    def _in_order(self) -> Any:
        """R with its columns in the order of A."""
        R, piv = to_host(self.R), to_host(self.piv)
        ordered = np.empty_like(R)
        np.put_along_axis(ordered, piv[..., None, :], R, axis=-1)
        return ordered

    @property
    def _factors(self) -> tuple[Any, ...]:
        return (self.Q, self._in_order)

    def to_interpolative(self) -> InterpolativeDecomposition:
        """Write the same approximation in terms of the chosen columns, ``A ~ A[:, J] @ W``.

        ``W = R11^-1 R``, the least-squares coefficients, also where R11 is singular to working
        precision. The skeleton is ``Q @ R11``, the columns of A up to rounding.
        """
        k = self.rank
        Q, R11, J = to_host(self.Q), to_host(self.R)[..., :k], to_host(self.columns)
        W = self._in_order
        for i in np.ndindex(W.shape[:-2]):
            W[i] = solve_upper(R11[i], W[i])
            W[i][:, J[i]] = np.eye(k)
        found = InterpolativeDecomposition(
            indices=np.array(J),
            coefficients=W,
            skeleton=Q @ R11,
            axis=1,
            error=self.error,
            converged=self.converged,
            stop_reason=self.stop_reason,
            history=self.history,
            plan=self.plan,
            seed=self.seed,
        )
        return to_caller(found, library_of(self.Q))

    def __repr__(self) -> str:
        return f"<PivotedQR: rank {self.rank} of {described(self.shape)}, {self.error!r}>"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TransposedQR(FactoredResult):
    """``A.T`` by the factors of a `PivotedQR`, for products."""

    T: PivotedQR

    _unpacks: ClassVar[tuple[str, ...]] = ("T",)

    @property
    def _factors(self) -> tuple[Any, ...]:
        Q, ordered = self.T._factors
        return (to_caller(transposed(ordered), library_of(Q)), transposed(Q))

    def __repr__(self) -> str:
        return f"<transpose of {self.T!r}>"


def solve_upper(triangle: NDArray[Any], B: NDArray[Any]) -> NDArray[Any]:
    """``triangle^-1 @ B``, or by least squares if a column depends on those before it."""
    from scipy.linalg import solve_triangular

    if not len(B):
        return B.copy()
    floor = (10 + len(triangle)) * float(np.finfo(triangle.dtype).eps)
    sizes = np.linalg.norm(triangle, axis=0)
    if (np.abs(np.diagonal(triangle)) > floor * sizes).all():
        return np.asarray(solve_triangular(triangle, B))
    scale = np.where(sizes > 0, 1 / np.where(sizes > 0, sizes, 1), 0)
    found = np.linalg.lstsq(triangle * scale, B, rcond=floor)[0]
    return np.asarray(found * scale[:, None], B.dtype)
