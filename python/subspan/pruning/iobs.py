"""Iterative Optimal Brain Surgeon: Newton steps and projections onto few coordinates."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import numpy as np

from .._array import as_rank, as_tolerance
from ..result import Result
from .damping import factor, inverse_lower, solve
from .inputs import Array, Indices, others, real_array, smallest_first
from .obs import removals
from .projection import project

MODES = ("topk", "topk_obs", "diag", "greedy", "exact")
_EXACT = 20  # coordinates: C(20, 10) subsets are about as many as one wants to look at
Matrices: TypeAlias = Array | Callable[[Array], Array]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SparseSolution(Result):
    """A vector with few entries; unpacks into ``theta, support``.

    Attributes
    ----------
    theta : array of float64, shape (d,)
    support : array of int64, shape (k,)
        Coordinates that may differ from zero, ascending.
    converged : bool
        Whether the values stopped changing.
    iterations : int
    history : tuple of dict
        One entry per step: change, step, and the loss if there is one.
    """

    theta: Any
    support: Any
    converged: bool
    iterations: int
    history: tuple[dict[str, Any], ...]

    _unpacks: ClassVar[tuple[str, ...]] = ("theta", "support")

    def __repr__(self) -> str:
        state = "converged" if self.converged else "not converged"
        return f"<SparseSolution: {len(self.support)} of {len(self.theta)}, {state} in {self.iterations}>"


def iobs(
    gradient: Callable[[Array], Any],
    hessian: Any,
    start: Any,
    k: int,
    *,
    mode: str = "topk_obs",
    loss: Callable[[Array], float] | None = None,
    step: float = 1.0,
    damping: float = 0.0,
    iterations: int = 50,
    tolerance: float = 1e-10,
    callback: Callable[[Array], Any] | None = None,
) -> SparseSolution:
    """Minimise a smooth function over vectors with at most k entries (I-OBS).

    Every step goes to the minimiser p of the quadratic model, ``theta - H^-1 g``, and back to k coordinates.

    Parameters
    ----------
    gradient : callable
        theta -> array of shape (d,), in all coordinates, those that are zero now included.
    hessian : array of shape (d, d), or callable
        Constant, and then factored once, or theta -> array.
    start : array, shape (d,)
    k : int
    mode : {"topk", "topk_obs", "diag", "greedy", "exact"}
        "topk": the k largest of p, as they are (Topk-I-OBS). "topk_obs": on these coordinates the
        minimiser of the model. "diag": the k largest ``p_i^2 / (H^-1)_ii``, then the same. "greedy": one
        coordinate at a time leaves (OBC). "exact": all supports are tried, for d up to 20.
    loss : callable, optional
        theta -> float. The step is then halved until the loss is not above that of the last iterate,
        and the best iterate is returned.
    step : float
        Length of the Newton step.
    damping : float
        Added to the diagonal of the Hessian, absolute.
    iterations : int
    tolerance : float
        Stop when theta changes by less, relative to its norm. The support may still change among entries
        that are rounding.
    callback : callable, optional
        Called with every iterate.

    Returns
    -------
    SparseSolution

    Raises
    ------
    ValueError
        If an argument is out of range or a value is not finite.
    SingularMoments
        If the damped Hessian is not positive definite.

    Notes
    -----
    Near a solution with at most k entries and zero gradient the error is squared in every step, with a
    constant that does not depend on the conditioning for "topk". With H a multiple of the identity every
    mode is iterative hard thresholding. ``d^3 / 3`` flops per Hessian.

    References
    ----------
    Wu, Modoranu, Safaryan, Kuznedelev, Alistarh, arXiv 2408.17163.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import iobs
    >>> H, best = np.diag([1.0, 100.0, 1.0]), np.array([3.0, 0.0, 0.1])
    >>> iobs(lambda x: H @ (x - best), H, np.zeros(3), 1).theta
    array([3., 0., 0.])
    """
    if mode not in MODES:
        raise ValueError(f"mode={mode!r} is not known; expected one of {MODES}")
    theta = real_array(start, "start", 1).astype(np.float64)
    k = as_rank(k, len(theta), "k")
    if mode == "exact" and len(theta) > _EXACT:
        raise ValueError(
            f"mode='exact' tries every support: d={len(theta)} must be at most {_EXACT}"
        )
    model = _Model(hessian, len(theta), as_tolerance(damping, "damping"))

    def move(theta: Array, length: float) -> Array:
        g = _finite(gradient(theta), "gradient", theta.shape)
        p = theta - length * model.newton(theta, g)
        return to_support(p, model.H, k, mode)

    rounds = as_rank(iterations, 2**31, "iterations")
    return _iterate(
        move, theta, k, loss, step, rounds, as_tolerance(tolerance, "tolerance"), callback
    )


def iht(
    gradient: Callable[[Array], Any],
    start: Any,
    k: int,
    *,
    step: float,
    loss: Callable[[Array], float] | None = None,
    iterations: int = 1000,
    tolerance: float = 1e-10,
    callback: Callable[[Array], Any] | None = None,
) -> SparseSolution:
    """Iterative hard thresholding, ``theta <- T_k(theta - step grad)``; parameters as in :func:`iobs`.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import iht
    >>> iht(lambda x: x - np.array([3.0, 1.0]), np.zeros(2), 1, step=1.0).theta
    array([3., 0.])
    """
    theta = real_array(start, "start", 1).astype(np.float64)
    k = as_rank(k, len(theta), "k")

    def move(theta: Array, length: float) -> Array:
        g = _finite(gradient(theta), "gradient", theta.shape)
        return _largest(theta - length * g, k)

    rounds = as_rank(iterations, 2**31, "iterations")
    return _iterate(
        move, theta, k, loss, step, rounds, as_tolerance(tolerance, "tolerance"), callback
    )


def _iterate(
    move: Callable[[Array, float], Array],
    theta: Array,
    k: int,
    loss: Callable[[Array], float] | None,
    step: float,
    iterations: int,
    tolerance: float,
    callback: Callable[[Array], Any] | None,
) -> SparseSolution:
    history: list[dict[str, Any]] = []
    converged = False
    feasible = np.count_nonzero(theta) <= k
    value = loss(theta) if loss is not None and feasible else np.inf
    for _ in range(iterations):
        length, new = step, move(theta, step)
        entry: dict[str, Any] = {}
        if loss is not None:
            trial = loss(new)
            while not trial <= value and length > 1e-6 * step:
                length /= 2
                new = move(theta, length)
                trial = loss(new)
            if not trial <= value:
                converged = True  # no step along the model improves the iterate
                break
            entry["loss"], value = trial, trial
        change = float(np.linalg.norm(new - theta))
        theta = new
        history.append({"change": change, "step": length, **entry})
        if callback is not None:
            callback(theta.copy())
        if change <= tolerance * float(np.linalg.norm(theta)):
            converged = True
            break
    if np.count_nonzero(theta) > k:
        theta = _largest(theta, k)
    support = np.flatnonzero(theta).astype(np.int64)
    return SparseSolution(theta, support, converged, len(history), tuple(history))


def to_support(p: Array, H: Array, k: int, mode: str) -> Array:
    """From the minimiser p of a quadratic with Hessian H to one with at most k entries."""
    if mode == "topk":
        return _largest(p, k)
    d = len(p)
    if mode == "exact":
        return _best_subset(p, H, k)
    if mode == "greedy":
        order, _ = removals(p, inverse_lower(factor(H, 0.0)), d - k)
        kept = others(np.sort(order), d)
    elif mode == "diag":
        costs = np.diagonal(inverse_lower(factor(H, 0.0)))
        kept = _top(p**2 / costs, k)
    else:
        kept = _top(np.abs(p), k)
    return _onto(p, H, kept)


def _onto(p: Array, H: Array, kept: Indices) -> Array:
    mask = np.zeros((1, len(p)), bool)
    mask[0, kept] = True
    return np.asarray(project(p[None], H, mask)[0])


def _best_subset(p: Array, H: Array, k: int) -> Array:
    """Least ``(theta - p)^T H (theta - p)`` over all supports of size k."""
    best, least = np.zeros_like(p), np.inf
    for kept in itertools.combinations(range(len(p)), k):
        theta = _onto(p, H, np.array(kept, np.int64))
        cost = float((theta - p) @ H @ (theta - p))
        if cost < least:
            best, least = theta, cost
    return best


def _top(scores: Array, k: int) -> Indices:
    return np.sort(smallest_first(scores)[len(scores) - k :])


def _largest(p: Array, k: int) -> Array:
    """T_k: the k entries of largest magnitude, ties to the lower index."""
    out = np.zeros_like(p)
    kept = _top(np.abs(p), k)
    out[kept] = p[kept]
    return out


class _Model:
    """Newton steps with a Hessian that is factored anew only if it changes."""

    def __init__(self, hessian: Any, d: int, damping: float) -> None:
        self.d, self.damping = d, damping
        self.of_theta = hessian if callable(hessian) else None
        if self.of_theta is None:
            self._set(hessian)

    def _set(self, H: Any) -> None:
        wide = _finite(H, "hessian", (self.d, self.d))
        self.H = (wide + wide.T) / 2
        self.H[np.diag_indices(self.d)] += self.damping
        self.L = factor(self.H, 0.0)

    def newton(self, theta: Array, g: Array) -> Array:
        if self.of_theta is not None:
            self._set(self.of_theta(theta))
        return np.asarray(solve(self.L, g[:, None])[:, 0])


def _finite(value: Any, name: str, shape: tuple[int, ...]) -> Array:
    array = real_array(value, name, len(shape)).astype(np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; expected {shape}")
    return array
