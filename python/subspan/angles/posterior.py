"""How close computed singular subspaces are to the true ones, from the matrix and the result."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import error as _error
from .._array import as_array, as_rank, to_host
from .._rng import seed_word
from .canonical import CanonicalAngles
from .leading import (
    leading_bounds,
    leading_norms,
    nested,
    residual_bounds,
    singular_values,
    spectral_norm,
)
from .prior import SIDES
from .spectrum import as_spectrum

METHODS = ("best", "residual", "gap", "leading")
NORMS = ("fro", "spectral", "full")
_PROBES, _POWER_STEPS = 8, 4

Array = NDArray[np.float64]


def posterior_bounds(
    A: Any,
    U: Any,
    s: Any,
    Vh: Any,
    *,
    rank: int | None = None,
    side: str = "both",
    subspace: str = "basis",
    method: str = "best",
    norm: str = "fro",
    spectrum: Any = None,
    rng: Any = None,
) -> CanonicalAngles:
    """Bounds of the angles between computed and true singular subspaces, whatever computed them.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (m, n)
    U, s, Vh : arrays, shapes (m, l), (l,), (l, n)
        Computed triplets, s descending; U and Vh^H with orthonormal columns.
    rank : int, optional
        Number k <= l of wanted singular vectors; all l by default.
    side : {"both", "left", "right"}
    subspace : {"basis", "truncated"}
        "basis": angles to all l computed vectors. "truncated": to the leading k of them.
    method : {"best", "residual", "gap", "leading"}
        "residual": Theorem 2 of the paper in its sharper form, the least of ``sigma_j(E) /
        sigma_{i+j-1}``. "gap": Theorem 3, which needs ``sigma_k`` above ``s_{k+1}`` and above the norm of
        what the basis leaves of A. "leading": from the gap after each leading part, for "truncated" only.
        "best": the smallest at each index.
    norm : {"fro", "spectral", "full"}
        What is known of ``E = A - U U^H A``: its Frobenius norm; an upper bound of its spectral norm,
        which costs 8 products with 8 vectors and may fail; or all its singular values, by LAPACK, for a
        matrix in memory.
    spectrum : array, optional
        True singular values; by default those of ``U^H A`` and ``A V``, which are never above them, so
        that the bounds stay bounds.
    rng : int, numpy.random.Generator or None
        For ``norm="spectral"`` and for operators.

    Returns
    -------
    CanonicalAngles
        k sines per side, 1 where nothing is shown, NaN where a condition of "gap" or "leading" fails.

    Raises
    ------
    ValueError
        If shapes do not match, U or Vh are not orthonormal, s does not descend, or an argument is out of
        range.
    TypeError
        If ``norm="full"`` is asked of an operator.

    Notes
    -----
    One product of A and one of its adjoint with l vectors, ``4 m n l`` flops, and ``O((m + n) l^2)``. What
    rounding may add is part of the bounds. Always true but for operators and ``norm="spectral"``, where
    ``failure_probability`` is above 0.

    References
    ----------
    Dong, Martinsson, Nakatsukasa, arXiv 2211.04676, Theorems 2 and 3.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((60, 40)) * 0.7 ** np.arange(40)
    >>> U, s, Vh = subspan.svd(A, 10, rng=0)
    >>> bounds = subspan.angles.posterior_bounds(A, U, s, Vh, rank=5, subspace="truncated")
    >>> true = np.linalg.svd(A)[0][:, :5]
    >>> sines = subspan.angles.canonical_angles(true, U[:, :5]).left
    >>> bool((sines <= bounds.left).all()), bounds.rigorous
    (True, True)
    """
    _check(side, subspace, method, norm)
    seen = _observe(A, U, s, Vh, rank, norm, seed_word(rng))
    k = seen.k
    lower = seen.lower
    if spectrum is not None:
        true = as_spectrum(spectrum, k)
        lower = np.concatenate([true.head, np.repeat(true.tail, true.counts)])[: seen.l]
        lower = np.append(lower, np.zeros(seen.l - len(lower)))
    found, notes = {}, []
    for name in ("left", "right") if side == "both" else (side,):
        parts = {}
        if method in ("best", "residual"):
            parts["residual"] = residual_bounds(seen.outside(name, subspace), lower[:k])
        if method in ("best", "gap"):
            parts["gap"], reason = _gap_bound(seen, lower, name, subspace)
            notes += [reason] if reason else []
        if method in ("best", "leading") and subspace == "truncated":
            parts["leading"] = nested(_leading(seen)[name])
            if np.isnan(parts["leading"]).any():
                notes.append("no gap is shown below some indices")
        # A bound above 1 says as little as 1; NaN, where a condition fails, stays.
        found[name] = np.minimum(np.fmin.reduce(list(parts.values())), 1.0)
    return CanonicalAngles(
        left=found.get("left"),
        right=found.get("right"),
        kind="bound",
        rigorous=True,
        method=method,
        failure_probability=seen.failure_probability,
        norm=norm,
        note="; ".join(dict.fromkeys(notes)),
    )


def posterior_estimates(
    A: Any,
    U: Any,
    s: Any,
    Vh: Any,
    *,
    rank: int | None = None,
    side: str = "both",
    subspace: str = "basis",
    rng: Any = None,
) -> CanonicalAngles:
    """Estimates of the angles between computed and true singular subspaces.

    The formulas of :func:`posterior_bounds` with estimated spectral norms, the computed singular values
    in place of bounds of the true ones, and no room for rounding: closer, and not certain.

    Parameters
    ----------
    A, U, s, Vh, rank, side, subspace
        As in :func:`posterior_bounds`.
    rng : int, numpy.random.Generator or None

    Returns
    -------
    CanonicalAngles
        ``kind="estimate"``.

    Raises
    ------
    ValueError
        As :func:`posterior_bounds`.

    Notes
    -----
    2 products with l vectors and 8 with 8.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> A = np.diag(0.5 ** np.arange(20))
    >>> U, s, Vh = subspan.svd(A, 8, rng=0)
    >>> estimate = subspan.angles.posterior_estimates(A, U, s, Vh, rank=4, rng=0)
    >>> bool(estimate.left[0] < estimate.left[3] < 0.2)
    True
    """
    _check(side, subspace, "best", "spectral")
    seen = _observe(A, U, s, Vh, rank, "spectral", seed_word(rng)).believed()
    found = {}
    for name in ("left", "right") if side == "both" else (side,):
        parts = [residual_bounds(seen.outside(name, subspace), seen.lower[: seen.k])]
        parts.append(_gap_bound(seen, seen.lower, name, subspace)[0])
        if subspace == "truncated":
            parts.append(nested(_leading(seen)[name]))
        found[name] = np.fmin(np.fmin.reduce(parts), 1.0)
    return CanonicalAngles(
        left=found.get("left"),
        right=found.get("right"),
        kind="estimate",
        rigorous=False,
        method="posterior, estimated norms",
        failure_probability=float("nan"),
        norm="spectral",
    )


@dataclasses.dataclass(frozen=True)
class Observed:
    """What A shows of its computed triplets; every norm with room for rounding."""

    k: int
    values: Array  # s
    lower: Array  # at most the true singular values
    projected: Array  # singular values of U^H A
    right: Array  # ||A V_j - U_j S_j||, j = 1 ... l, non-decreasing
    beyond: float  # the same of columns k+1 ... l
    left: float  # ||A^H U - V S||
    outside_left: Array  # of sigma_i(A - U U^H A), i = 1 ... k
    outside_right: Array  # of sigma_i(A - A V V^H)
    consistent: bool  # whether U^H A = S V^H
    failure_probability: float
    spectral: dict[str, float]  # estimates from below, where there are any
    rounding: float

    @property
    def l(self) -> int:  # noqa: E743
        """Number of computed triplets."""
        return len(self.values)

    def outside(self, side: str, subspace: str) -> Array:
        """At least sigma_i of what the (truncated) basis leaves of A."""
        left = side == "left"
        whole = self.outside_left if left else self.outside_right
        if subspace == "basis" or self.k == self.l:
            return whole
        # A - U_k U_k^H A = (A - U U^H A) + U_2 U_2^H A, with orthogonal columns: squares of singular
        # values add up as eigenvalues of Hermitian matrices do.
        dropped = self.values[self.k] + (self.left if left else self.right[-1])
        return np.asarray(np.hypot(whole, dropped))

    def believed(self) -> Observed:
        """The same with estimates in place of bounds."""
        estimates = {
            f"outside_{side}": np.minimum(getattr(self, f"outside_{side}"), value)
            for side, value in self.spectral.items()
        }
        right = np.maximum(self.right - self.rounding, 0.0)
        return dataclasses.replace(self, right=right, rounding=0.0, **estimates)


def _check(side: str, subspace: str, method: str, norm: str) -> None:
    for name, value, known in (
        ("side", side, SIDES),
        ("subspace", subspace, ("basis", "truncated")),
        ("method", method, METHODS),
        ("norm", norm, NORMS),
    ):
        if value not in known:
            raise ValueError(f"{name}={value!r} is not known; expected one of {known}")
    if method == "leading" and subspace != "truncated":
        raise ValueError("method='leading' is for subspace='truncated'")


def _observe(A: Any, U: Any, s: Any, Vh: Any, rank: Any, norm: str, seed: int) -> Observed:
    products = _error.Products(A)
    U, s, Vh = _triplets(products.shape, U, s, Vh)
    l = len(s)  # noqa: E741
    k = l if rank is None else as_rank(rank, l, "rank")
    V = Vh.conj().T
    image, adjoint = products.apply(V) / products.scale, products.apply_adjoint(U) / products.scale
    eps = float(np.finfo(np.result_type(image, U)).eps)
    R, T = image - U * s, adjoint - V * s
    lower = np.maximum(singular_values(adjoint), singular_values(image))
    projected = singular_values(adjoint)
    rounding = 10 * eps * np.sqrt(max(1, l)) * float(lower.max(initial=0.0))
    right = leading_norms(R) + rounding
    outside = _Outside(products, U, V, adjoint, image, norm, seed)
    left = spectral_norm(T) + rounding
    return Observed(
        k=k,
        values=s,
        lower=np.maximum(lower - rounding, 0.0),
        projected=projected,
        right=right,
        beyond=spectral_norm(R[:, k:]) + rounding,
        left=left,
        outside_left=outside.of_left[:k] + rounding,
        outside_right=outside.of_right[:k] + rounding,
        consistent=left <= 1e3 * rounding,
        failure_probability=outside.failure_probability,
        spectral=outside.spectral,
        rounding=rounding,
    )


def _triplets(shape: tuple[int, int], U: Any, s: Any, Vh: Any) -> tuple[Any, Array, Any]:
    U, s, Vh = (np.asarray(as_array(to_host(M, n), n)) for M, n in ((U, "U"), (s, "s"), (Vh, "Vh")))
    if s.ndim != 1 or U.shape != (shape[0], len(s)) or Vh.shape != (len(s), shape[1]):
        raise ValueError(
            f"U, s, Vh have shapes {U.shape}, {s.shape}, {Vh.shape}; expected ({shape[0]}, l), (l,), "
            f"(l, {shape[1]}) for A of shape {shape}"
        )
    if len(s) == 0:
        raise ValueError("U, s, Vh hold no triplet; at least one is needed")
    for name, given in (("U", U), ("s", s), ("Vh", Vh)):
        if not np.isfinite(given).all():
            raise ValueError(f"{name} has entries that are not finite")
    s = s.astype(np.float64)
    if (np.diff(s) > 0).any() or s[-1] < 0:
        raise ValueError("s must descend and not be negative")
    for name, basis in (("U", U), ("Vh^H", Vh.conj().T)):
        eps = float(np.finfo(basis.dtype).eps)
        deviation = np.abs(basis.conj().T @ basis - np.eye(len(s))).max()
        if deviation > 100 * eps * np.sqrt(basis.shape[0]):
            raise ValueError(
                f"{name} is not orthonormal: its Gram matrix is off by {deviation:.2g}"
            )
    return U, s, Vh


class _Outside:
    """Upper bounds of the singular values of ``A - U U^H A`` and ``A - A V V^H``."""

    def __init__(
        self,
        products: _error.Products,
        U: NDArray[Any],
        V: NDArray[Any],
        adjoint: NDArray[Any],
        image: NDArray[Any],
        norm: str,
        seed: int,
    ) -> None:
        self.products, self.norm = products, norm
        self.failure_probability = 0.0
        self.spectral: dict[str, float] = {}
        self.generator = np.random.default_rng(seed)
        scale = products.scale

        def left(X: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(products.apply(X) / scale - U @ (adjoint.conj().T @ X))

        def left_adjoint(X: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(products.apply_adjoint(X - U @ (U.conj().T @ X)) / scale)

        def right(X: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(products.apply(X - V @ (V.conj().T @ X)) / scale)

        def right_adjoint(X: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(products.apply_adjoint(X) / scale - V @ (image.conj().T @ X))

        self.of_left = self._bounds("left", left, left_adjoint, adjoint)
        self.of_right = self._bounds("right", right, right_adjoint, image)

    def _bounds(self, side: str, apply: Any, apply_adjoint: Any, known: NDArray[Any]) -> Array:
        l = known.shape[1]  # noqa: E741
        if self.norm == "full":
            return self._all(apply, l)
        fro = self._frobenius(apply, known)
        found = fro / np.sqrt(np.arange(1, l + 1))
        if self.norm == "spectral":
            found = np.minimum(found, self._power(side, apply, apply_adjoint))
        return np.asarray(found)

    def _all(self, apply: Any, count: int) -> Array:
        source = self.products.source
        if source is None or source.kind in ("operator", "blocks"):
            raise TypeError("norm='full' needs A in memory; choose 'fro' or 'spectral'")
        E = apply(np.eye(self.products.shape[1]))
        values = np.linalg.svd(E, compute_uv=False)
        return np.append(values, np.zeros(count))[:count]

    def _frobenius(self, apply: Any, known: NDArray[Any]) -> float:
        """``||E||_F^2 = ||A||_F^2 - ||U^H A||_F^2``, or from probes where that has no digits."""
        entries, bound = self.products.entries, np.inf
        if entries is not None:
            reference = entries / self.products.scale
            rest = max(reference**2 - float(np.linalg.norm(known.astype(_wide(known)))) ** 2, 0.0)
            eps = float(np.finfo(known.dtype).eps)
            rounding = 4 * eps * float(np.sqrt(known.shape[1])) * reference**2
            bound = float(np.sqrt(rest + rounding))
            if rounding <= rest:
                return bound
        probes = 16
        G = self.generator.standard_normal((self.products.shape[1], probes))
        seen = float(np.linalg.norm(apply(G))) / np.sqrt(probes) * _error.frobenius_factor(probes)
        if seen < bound:
            self.failure_probability = max(self.failure_probability, _error.FAILURE_PROBABILITY)
        return float(min(bound, seen))

    def _power(self, side: str, apply: Any, apply_adjoint: Any) -> float:
        """``||E||^{2q} = ||(E^H E)^q||``, bounded from products with Gaussian vectors."""
        X = self.generator.standard_normal((self.products.shape[1], _PROBES))
        log_scale = 0.0
        for _ in range(_POWER_STEPS):
            before = np.linalg.norm(X, axis=0).max()
            X = apply_adjoint(apply(X))
            size = float(np.linalg.norm(X, axis=0).max())
            if size == 0:
                return 0.0
            X, log_scale, last = X / size, log_scale + np.log(size), size / before
        self.spectral[side] = float(np.sqrt(last))
        self.failure_probability = max(self.failure_probability, _error.FAILURE_PROBABILITY)
        factor = np.log(_error.spectral_factor(_PROBES))
        return float(np.exp((log_scale + factor) / (2 * _POWER_STEPS)))


def _wide(array: NDArray[Any]) -> Any:
    return np.result_type(array, np.float64)


def _leading(seen: Observed) -> dict[str, Array]:
    """Bounds for the leading j triplets, j = 1 ... k."""
    k, outside = seen.k, float(seen.outside_left[0])
    after = np.append(seen.projected, 0.0)[1 : k + 1]
    following = np.hypot(after, outside)
    return leading_bounds(seen.values[:k], following, seen.right[:k], seen.left, outside)


def _gap_bound(seen: Observed, lower: Array, side: str, subspace: str) -> tuple[Array, str]:
    """Theorem 3: ``f_i ||E_3|| / Gamma`` and, truncated, the factors of ``E_32``."""
    k, nothing = seen.k, np.full(seen.k, np.nan)
    E_3, E_33, E_32 = float(seen.right[-1]), float(seen.outside_right[0]), seen.beyond
    sigma, after = float(lower[k - 1]), float(seen.values[k]) if k < seen.l else 0.0
    if not seen.consistent:
        return nothing, "U^H A differs from diag(s) Vh: no gap-dependent bound"
    if not sigma > E_33:
        return nothing, f"no gap: sigma_k = {sigma:.3g} is not above ||A - A V V^H|| <= {E_33:.3g}"
    if not sigma > after:
        return nothing, f"no gap: sigma_k = {sigma:.3g} is not above s_(k+1) = {after:.3g}"
    f = sigma / lower[:k]
    outer = (sigma - E_33) * (sigma + E_33)
    basis = E_3 * (sigma if side == "left" else E_33) / outer
    if subspace == "basis" or k == seen.l:
        return f * basis, ""
    inner = (sigma - after) * (sigma + after)
    if side == "left":
        return f * basis * np.hypot(1.0, E_32 * after / inner), ""
    return f * E_3 * sigma / outer * np.hypot(E_33 / sigma, E_32 * sigma / inner), ""
