"""The result: what was chosen, the coefficients, and the approximation they make."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..factored import FactoredResult
from ..result import ErrorEstimate, Plan


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class InterpolativeDecomposition(FactoredResult):
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

    def __repr__(self) -> str:
        what = {1: "columns", 0: "rows", None: "rows and columns"}[self.axis]
        m, n = self.shape
        return f"<InterpolativeDecomposition: {self.rank} {what} of a ({m}, {n}) matrix, {self.error!r}>"
