"""Canonical angles: the result that all of `subspan.angles` returns, and angles of given bases."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import as_array, to_host
from ..result import Result

_SINE_OF_45_DEGREES = np.sqrt(0.5)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CanonicalAngles(Result):
    """Sines of the canonical angles between true and computed singular subspaces.

    Attributes
    ----------
    left, right : array of shape (k,), or None
        Sines for the left and the right singular subspace, ascending: the i-th is the largest angle that
        some i-dimensional part of the true subspace makes with the computed one. NaN where a condition
        fails, `note` says which; None for the side that was not asked for.
    kind : {"exact", "bound", "estimate"}
    rigorous : bool
        Whether the bound is a theorem for these data; never so for an estimate.
    method : str
        The formula.
    failure_probability : float
        Of a bound, for each index; 0 for one that always holds, NaN for an estimate.
    norm : str
        In which norm the residual entered: "fro", "spectral", "full" (all its singular values); "" where
        none did.
    note : str
        Conditions that fail, and what was assumed of the spectrum.
    tail : str
        How the singular values beyond the given ones were modelled: "user", "pad" or "energy".
    tail_rank : float
        Effective rank ``(sum w)^2 / sum w^2`` of the tail, w the powers of its singular values that the
        formula sums; NaN where none does.
    left_samples, right_samples : array of shape (samples, k), or None
        Each draw of a Monte Carlo estimate; `left` and `right` are their means.
    left_cosines, right_cosines : array of shape (k,), or None
        Where they are known to full relative accuracy.
    """

    left: Any
    right: Any
    kind: str
    rigorous: bool
    method: str
    failure_probability: float = 0.0
    norm: str = ""
    note: str = ""
    tail: str = ""
    tail_rank: float = float("nan")
    left_samples: Any = None
    right_samples: Any = None
    left_cosines: Any = None
    right_cosines: Any = None

    @property
    def rank(self) -> int:
        """Number of angles."""
        return int(next(side.shape[0] for side in (self.left, self.right) if side is not None))

    @property
    def worst(self) -> NDArray[np.float64]:
        """The larger sine of the two sides, index by index."""
        sides = [np.asarray(side) for side in (self.left, self.right) if side is not None]
        return np.asarray(np.maximum.reduce(sides))

    def radians(self, side: str = "left") -> NDArray[np.float64]:
        """Angles of one side, accurate near a right angle where the cosines are known."""
        if side not in ("left", "right"):
            raise ValueError(f"side={side!r} is not known; expected 'left' or 'right'")
        sines, cosines = getattr(self, side), getattr(self, f"{side}_cosines")
        if sines is None:
            raise ValueError(f"side={side!r} was not computed")
        return np.asarray(np.arcsin(sines) if cosines is None else np.arctan2(sines, cosines))

    def __repr__(self) -> str:
        sides = [
            f"{name} {_range(sines)}"
            for name, sines in (("left", self.left), ("right", self.right))
            if sines is not None
        ]
        sure = "rigorous " if self.rigorous else ""
        return f"<CanonicalAngles: sines {', '.join(sides)}, {sure}{self.kind} ({self.method})>"


def _range(sines: Any) -> str:
    values = np.asarray(sines)
    values = values[~np.isnan(values)]
    return f"{values.min():.2g} ... {values.max():.2g}" if values.size else "none"


def canonical_angles(X: Any, Y: Any) -> CanonicalAngles:
    """Canonical (principal) angles between two subspaces, accurate for tiny and near-right angles.

    Parameters
    ----------
    X, Y : array, shapes (m, p) and (m, q), or two results with singular vectors
        Bases of the subspaces, orthonormal or not; dependent columns count once. Two results of
        :func:`subspan.svd`, or other objects with ``U`` and ``Vh``, are compared on both sides.

    Returns
    -------
    CanonicalAngles
        ``min(p, q)`` sines in `left`, ascending, and the cosines in `left_cosines`; `right` too for two
        results. ``kind="exact"``.

    Raises
    ------
    ValueError
        If the numbers of rows differ, or an entry is not finite.
    TypeError
        If an argument is not an array of numbers.

    Notes
    -----
    ``6 m (p^2 + q^2)`` flops. Cosines are the singular values of ``Y^H X``, sines those of
    ``X - Y Y^H X``; whichever is below ``sqrt(1/2)`` is as accurate as the bases, the other follows from
    it (Bjorck and Golub, Math. Comp. 27, 1973). Computed in double precision.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> tilted = np.array([[1.0], [1e-12]])
    >>> bool(np.isclose(subspan.angles.canonical_angles(tilted, np.eye(2)[:, :1]).left[0], 1e-12))
    True
    """
    right: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    if all(hasattr(result, "U") and hasattr(result, "Vh") for result in (X, Y)):
        left = _sines_cosines(_basis(X.U, "X.U"), _basis(Y.U, "Y.U"), "X.U", "Y.U")
        right = _sines_cosines(
            _basis(_adjoint(X.Vh, "X.Vh"), "X.Vh"),
            _basis(_adjoint(Y.Vh, "Y.Vh"), "Y.Vh"),
            "the rows of X.Vh",
            "the rows of Y.Vh",
        )
    else:
        left = _sines_cosines(_basis(X, "X"), _basis(Y, "Y"), "X", "Y")
        right = None
    return CanonicalAngles(
        left=left[0],
        right=None if right is None else right[0],
        kind="exact",
        rigorous=True,
        method="sines and cosines",
        left_cosines=left[1],
        right_cosines=None if right is None else right[1],
    )


def _adjoint(A: Any, name: str) -> NDArray[Any]:
    return np.asarray(as_array(to_host(A, name), name).conj().T)


def _basis(A: Any, name: str) -> NDArray[Any]:
    """Orthonormal basis of the columns, in double precision."""
    given = as_array(to_host(A, name), name)
    if given.ndim == 1:
        given = given[:, None]
    if given.ndim != 2:
        raise ValueError(f"{name} must be 2-d, got shape {given.shape}")
    given = given.astype(np.result_type(given.dtype, np.float64))
    if not np.isfinite(given).all():
        raise ValueError(f"{name} has entries that are not finite")
    lengths = np.abs(given).max(axis=0, initial=0.0)
    given = given[:, lengths > 0] / lengths[lengths > 0]
    if given.shape[1] > given.shape[0]:
        return _independent(given)
    Q, R = np.linalg.qr(given)
    diagonal = np.abs(np.diagonal(R))
    eps = np.finfo(np.float64).eps
    if diagonal.min(initial=np.inf) <= 100 * eps * max(given.shape) * diagonal.max(initial=0.0):
        return _independent(given)
    return np.asarray(Q)


def _independent(given: NDArray[Any]) -> NDArray[Any]:
    from scipy.linalg import orth

    return np.asarray(orth(given)) if given.size else np.zeros((given.shape[0], 0), given.dtype)


def _sines_cosines(
    X: NDArray[Any], Y: NDArray[Any], name_X: str, name_Y: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if X.shape[0] != Y.shape[0]:
        raise ValueError(
            f"{name_X} lies in dimension {X.shape[0]} and {name_Y} in {Y.shape[0]}; expected the same"
        )
    if X.shape[1] > Y.shape[1]:
        X, Y = Y, X
    if X.shape[1] == 0:
        return np.zeros(0), np.zeros(0)
    inner = Y.conj().T @ X
    outside = X - Y @ inner
    outside -= Y @ (Y.conj().T @ outside)
    cosines = np.minimum(np.linalg.svd(inner, compute_uv=False), 1.0)  # descending
    sines = np.linalg.svd(outside, compute_uv=False)[::-1]  # ascending
    if len(sines) < len(cosines):  # fewer rows than columns
        sines = np.append(np.zeros(len(cosines) - len(sines)), sines)
    near = sines <= _SINE_OF_45_DEGREES
    return (
        np.where(near, sines, np.sqrt((1 - cosines) * (1 + cosines))),
        np.where(near, np.sqrt((1 - np.minimum(sines, 1)) * (1 + np.minimum(sines, 1))), cosines),
    )
