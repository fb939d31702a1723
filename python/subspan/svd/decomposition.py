"""The result: singular values and vectors, and the approximation they make."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self

from ..angles.subspaces import SubspaceAngles
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
    angles : SubspaceAngles or None
        How far to trust the vectors: estimates and bounds of the canonical angles between the returned
        and the true singular subspaces. None for batches, and when ``angles=False``.
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
    angles: SubspaceAngles | None = None

    _unpacks: ClassVar[tuple[str, ...]] = ("U", "s", "Vh")

    @property
    def _factors(self) -> tuple[Any, ...]:
        return (self.U, self.s[..., None] * self.Vh)

    @property
    def rank(self) -> int:
        """Number of singular values."""
        return int(self.s.shape[-1])

    def trusted(self, max_sine: float = 0.1, *, rigorous: bool = False) -> int:
        """Number of leading singular directions to believe.

        Parameters
        ----------
        max_sine : float
            Largest sine of the canonical angles between the leading j computed and true subspaces, of
            both sides, that counts as right.
        rigorous : bool
            Count what is proved rather than what is expected.

        Returns
        -------
        int
            Largest such j; 0 if there is none. Single vectors within equal singular values may still be
            turned among each other.

        Raises
        ------
        ValueError
            If the angles were not asked for, or `max_sine` is not between 0 and 1.
        """
        if self.angles is None:
            raise ValueError("the angles are missing: decompose one matrix with angles=True")
        return self.angles.trusted(max_sine, rigorous=rigorous)

    @property
    def T(self) -> Self:
        """The decomposition of ``A.T``."""
        turned = None if self.angles is None else self.angles.transposed()
        return dataclasses.replace(
            self, U=transposed(self.Vh), Vh=transposed(self.U), angles=turned
        )

    def __repr__(self) -> str:
        text = f"<SVDResult: rank {self.rank} of {described(self.shape)}, {self.error!r}"
        if self.angles is not None:
            sure = self.trusted(rigorous=True)
            if self.angles.quickly_estimated:
                text += f", {_directions(self.trusted())} trusted ({sure} for sure)"
            else:
                text += f", {_directions(sure)} trusted for sure"
        return text + ">"


def _directions(count: int) -> str:
    return "1 direction" if count == 1 else f"{count} directions"
