"""The angles that accompany a singular value decomposition: bounds and estimates from data at hand."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..result import ErrorEstimate, Result
from .canonical import CanonicalAngles
from .leading import leading_bounds, nested, residual_bounds
from .sampling import sample_truncated
from .spectrum import Spectrum, as_spectrum

Array = NDArray[np.float64]
_QUICK = 512  # values whose law is drawn in passing, for a line of print


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SubspaceAngles(Result):
    """How far to trust the singular vectors of a decomposition.

    Attributes
    ----------
    values : array of shape (l,)
        Singular values of A on the basis, the l - k that are not returned among them; never above the
        true ones.
    rank : int
        Number k of vectors that were returned.
    outside : float
        At least ``||A - Q Q^H A||`` for the basis Q.
    outside_norm : {"fro", "spectral"}
    residual : array of shape (k,)
        At least ``||A V_j - U_j S_j||`` of the leading j.
    adjoint_residual : float
        At least ``||A^H U - V S||``.
    projected : bool
        Whether ``U diag(s) Vh`` is the projection of A on a basis. Otherwise `outside` is the error of
        the approximation.
    failure_probability : float
        Of the bound `outside`; 0 where it is exact.
    tail_norm : float
        ``||A - Q Q^H A||_F``, or its estimate.
    size : int
        Smaller dimension of A.
    power_iterations : int or None
        Of the subspace iteration; None for other methods, whose law is not drawn from.
    dtype : numpy.dtype
        Precision that A was decomposed in.
    seed : int
    flipped : bool
        Whether left and right are exchanged, as after transposition.
    """

    values: Array
    rank: int
    outside: float
    outside_norm: str
    residual: Array
    adjoint_residual: float
    projected: bool
    failure_probability: float
    tail_norm: float
    size: int
    power_iterations: int | None
    dtype: np.dtype[Any]
    seed: int
    flipped: bool = False

    stays_on_host: ClassVar[bool] = True  # small arrays that only numpy works on

    @classmethod
    def of_projection(
        cls,
        values: NDArray[Any],
        rank: int,
        outside: ErrorEstimate,
        tail_norm: float,
        size: int,
        power_iterations: int | None,
        dtype: np.dtype[Any],
        seed: int,
        residual: Array | None = None,
    ) -> SubspaceAngles:
        """After ``U diag(s) Vh = Q Q^H A``; `residual` where ``A V - U S`` was computed."""
        given = np.asarray(values, np.float64)
        rounding = _rounding(given, dtype)
        bound = outside.upper + rounding
        seen = np.full(rank, bound) if residual is None else np.minimum(residual + rounding, bound)
        return cls(
            values=given,
            rank=rank,
            outside=bound,
            outside_norm=outside.norm,
            residual=seen,
            adjoint_residual=rounding,
            projected=True,
            failure_probability=outside.failure_probability,
            tail_norm=tail_norm,
            size=size,
            power_iterations=power_iterations,
            dtype=dtype,
            seed=seed,
        )

    @classmethod
    def of_approximation(
        cls, s: NDArray[Any], error: ErrorEstimate, shape: tuple[int, int], seed: int
    ) -> SubspaceAngles:
        """After any approximation ``U diag(s) Vh`` with orthonormal factors and a known error."""
        values, dtype = np.asarray(s, np.float64), np.asarray(s).dtype
        bound = error.upper + _rounding(values, dtype)
        return cls(
            values=values,
            rank=len(values),
            outside=bound,
            outside_norm=error.norm,
            residual=np.full(len(values), bound),
            adjoint_residual=bound,
            projected=False,
            failure_probability=error.failure_probability,
            tail_norm=error.value,
            size=min(shape),
            power_iterations=None,
            dtype=dtype,
            seed=seed,
        )

    def transposed(self) -> SubspaceAngles:
        """The angles of the transposed decomposition."""
        return dataclasses.replace(self, flipped=not self.flipped)

    def _turned(self, sides: dict[str, Any]) -> dict[str, Any]:
        """Left and right of the caller's matrix, from those of the one that was decomposed."""
        return {"left": sides["right"], "right": sides["left"]} if self.flipped else sides

    @property
    def _rounding(self) -> float:
        return _rounding(self.values, self.dtype)

    @functools.cached_property
    def leading_bound(self) -> dict[str, Array]:
        """Bounds of the largest sine between the leading j computed and true vectors, j = 1 ... k.

        "left" and "right"; NaN where no gap is shown after j.
        """
        k = self.rank
        after = np.append(self.values, 0.0)[1 : k + 1]
        following = np.hypot(after, self.outside) if self.projected else after + self.outside
        return self._turned(
            leading_bounds(
                self.values[:k], following, self.residual, self.adjoint_residual, self.outside
            )
        )

    @functools.cached_property
    def bound(self) -> CanonicalAngles:
        """Bounds of the k canonical angles between the returned and the true subspaces."""
        sides = {
            name: np.fmin(nested(sines), self._residual_bound)
            for name, sines in self.leading_bound.items()
        }
        return CanonicalAngles(
            left=sides["left"],
            right=sides["right"],
            kind="bound",
            rigorous=True,
            method="leading, residual",
            failure_probability=self.failure_probability,
            norm=self.outside_norm,
        )

    @functools.cached_property
    def _residual_bound(self) -> Array:
        """From ``sigma_j(A - U_k U_k^H A)``, which holds ``s_{k+1}`` beside what the basis leaves."""
        k = self.rank
        if not self.projected or k == 0:
            return np.ones(k)
        outside = np.full(k, self.outside)
        if self.outside_norm == "fro":
            outside /= np.sqrt(np.arange(1, k + 1))
        after = float(np.append(self.values, 0.0)[k])
        lower = np.maximum(self.values[:k] - self._rounding, 0.0)
        return residual_bounds(np.hypot(outside, after + self._rounding), lower)

    @functools.cached_property
    def _draws(self) -> list[Any]:
        assert self.power_iterations is not None
        generator = np.random.default_rng([self.seed, 4])
        samples = 3 if len(self.values) <= 128 else 1
        return [
            sample_truncated(
                self._spectrum,
                len(self.values),
                self.power_iterations,
                generator,
                self.dtype.kind == "c",
            )
            for _ in range(samples)
        ]

    @functools.cached_property
    def _spectrum(self) -> Spectrum:
        return as_spectrum(
            self.values, self.rank, size=self.size, tail="energy", residual=self.tail_norm
        )

    @property
    def _drawn(self) -> bool:
        """Whether the law of the method is known and there is something beyond the basis."""
        known = self.power_iterations is not None and self.rank > 0
        return known and len(self.values) < self.size and bool(self.values[self.rank - 1] > 0)

    @functools.cached_property
    def leading_estimate(self) -> dict[str, Array]:
        """Estimates of the same sines, where `leading_bound` has bounds."""
        if self._drawn:
            return self._turned(
                {
                    side: np.mean([draw.leading(side) for draw in self._draws], axis=0)
                    for side in ("left", "right")
                }
            )
        # The residual is taken to be as large as the last singular value that was seen.
        k = self.rank
        outside = min(self.outside, float(self.values[-1])) if k else 0.0
        following = np.append(self.values, 0.0)[1 : k + 1]
        residual = np.minimum(self.residual, outside + self._rounding)
        adjoint = min(self.adjoint_residual, outside + self._rounding)
        found = leading_bounds(self.values[:k], following, residual, adjoint, outside)
        return self._turned({side: np.where(np.isnan(x), 1.0, x) for side, x in found.items()})

    @functools.cached_property
    def estimate(self) -> CanonicalAngles:
        """Estimates of the k canonical angles between the returned and the true subspaces."""
        samples: dict[str, Any] = {"left": None, "right": None}
        if self._drawn:
            samples = self._turned(
                {side: np.array([draw.sines(side) for draw in self._draws]) for side in samples}
            )
            means = {side: drawn.mean(axis=0) for side, drawn in samples.items()}
            method, mode, note = "Monte Carlo of the Gaussian law", "energy", self._spectrum.note
            rank = self._spectrum.effective_tail_rank(4 * int(self.power_iterations or 0) + 4)
        else:
            means = {side: nested(x) for side, x in self.leading_estimate.items()}
            method, mode, note, rank = "residual", "", "", float("nan")
        eps = float(np.finfo(self.dtype).eps)
        return CanonicalAngles(
            left=np.minimum(np.maximum(means["left"], eps), self.bound.left),
            right=np.minimum(np.maximum(means["right"], eps), self.bound.right),
            kind="estimate",
            rigorous=False,
            method=method,
            failure_probability=float("nan"),
            note=note,
            tail=mode,
            tail_rank=rank,
            left_samples=samples["left"],
            right_samples=samples["right"],
        )

    @property
    def quickly_estimated(self) -> bool:
        """Whether the estimate is there, or made in less than about a tenth of a second."""
        return "leading_estimate" in vars(self) or not self._drawn or len(self.values) <= _QUICK

    @property
    def left(self) -> Array:
        """Estimated sines of the left subspace, ascending."""
        return np.asarray(self.estimate.left)

    @property
    def right(self) -> Array:
        """Estimated sines of the right subspace, ascending."""
        return np.asarray(self.estimate.right)

    def trusted(self, max_sine: float = 0.1, *, rigorous: bool = False) -> int:
        """Largest j such that the leading j left and right vectors span the true subspaces so closely.

        Parameters
        ----------
        max_sine : float
            Largest sine of the angles between the computed and the true subspaces.
        rigorous : bool
            Count what the bounds show, not what the estimates say.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            If `max_sine` is not between 0 and 1.
        """
        if not 0 <= max_sine <= 1:
            raise ValueError(f"max_sine={max_sine} must lie between 0 and 1")
        sides = self.leading_bound if rigorous else self.leading_estimate
        worst = np.maximum(sides["left"], sides["right"])
        if not rigorous:
            bounds = np.maximum(self.leading_bound["left"], self.leading_bound["right"])
            worst = np.fmin(worst, bounds)
        good = np.flatnonzero(worst <= max_sine)
        return int(good[-1]) + 1 if good.size else 0

    def __repr__(self) -> str:
        return (
            f"<SubspaceAngles: the leading {self.trusted()} of {self.rank} within a sine of 0.1, "
            f"{self.trusted(rigorous=True)} of them for sure>"
        )


def _rounding(values: Array, dtype: np.dtype[Any]) -> float:
    """How much of the residuals rounding may hide."""
    eps = float(np.finfo(dtype).eps)
    return 10 * eps * float(np.sqrt(max(1, len(values))) * values.max(initial=0.0))
