"""The result: singular values and vectors, and the approximation they make."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self

from ..factored import FactoredResult, described, transposed
from ..result import ErrorEstimate, Plan


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SVDResult(FactoredResult):
    """``A ~ U @ diag(s) @ Vh``; unpacks into ``U, s, Vh`` and acts as the approximation.

    Attributes
    ----------
    U : array of shape (m, k)
        Left singular vectors; the entry of largest modulus of each is real and positive.
    s : array of shape (k,)
        Singular values, descending, real.
    Vh : array of shape (k, n)
        Right singular vectors, conjugated, as rows.
    error : ErrorEstimate
        Certificate of ``||A - U diag(s) Vh||``.
    converged : bool
        Whether the requested tolerance is met; True when only a rank was asked for.
    stop_reason : {"rank", "tolerance", "exhausted"}
    leave_one_out : float
        Leave-one-out estimate of ``||A - Q Q^H A||_F`` for a basis Q of one column less than was used,
        from the test products alone; NaN with power iterations.
    history : tuple of dict
        One entry per block of the adaptive method: rank and residual of the basis.
    plan : Plan
    seed : int
        Passing it as ``rng`` repeats the result.
    """

    U: Any
    s: Any
    Vh: Any
    error: ErrorEstimate
    converged: bool
    stop_reason: str
    leave_one_out: float
    history: tuple[dict[str, Any], ...]
    plan: Plan
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("U", "s", "Vh")

    @property
    def _factors(self) -> tuple[Any, ...]:
        return (self.U, self.s[..., None] * self.Vh)

    @property
    def rank(self) -> int:
        """Number of singular values."""
        return int(self.s.shape[-1])

    @property
    def T(self) -> Self:
        """The decomposition of ``A.T``."""
        return dataclasses.replace(self, U=transposed(self.Vh), Vh=transposed(self.U))

    def __repr__(self) -> str:
        return f"<SVDResult: rank {self.rank} of {described(self.shape)}, {self.error!r}>"
