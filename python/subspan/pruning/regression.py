"""Sparse linear and logistic regression by iterative pruning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import as_tolerance
from .._rng import seed_word
from .inputs import Array, real_array, wide_matrix
from .iobs import SparseSolution, iht, iobs

LOSSES = ("linear", "logistic")
SCALINGS = ("consistent", "paper_code")


def sparse_regression(
    X: Any,
    y: Any,
    k: int,
    *,
    loss: str = "linear",
    method: str = "iobs",
    mode: str = "topk_obs",
    damping: float = 0.0,
    batch: int | None = None,
    scaling: str = "consistent",
    start: Any = None,
    iterations: int | None = None,
    tolerance: float = 1e-10,
    callback: Callable[[Array], Any] | None = None,
    rng: Any = None,
) -> SparseSolution:
    """Fit a regression with at most k coefficients.

    Parameters
    ----------
    X : array, shape (n, d)
    y : array, shape (n,)
        Numbers, or classes 0 and 1 for the logistic loss.
    k : int
    loss : {"linear", "logistic"}
        ``|X w - y|^2 / n``, or the mean log loss.
    method : {"iobs", "iht"}
        Newton steps or gradient steps, the latter of length 1 / L, L the largest eigenvalue of the Hessian
        (for the logistic loss, its bound).
    mode : str
        Of :func:`iobs`.
    damping : float
        Added to the Hessian, in units of the mean of its diagonal. Needed if n < d.
    batch : int, optional
        Stochastic steps: gradient and Hessian of this many rows, drawn anew in every step.
    scaling : {"consistent", "paper_code"}
        "paper_code" reproduces published curves of the linear problem: the gradient of the mean, but the
        Hessian of the sum without its factor 2, which shortens every step by 2 / n (for either method).
    start : array, shape (d,), optional
        Zero by default.
    iterations : int, optional
        100 for "iobs" and 1000 for "iht" by default.
    tolerance : float
    callback : callable, optional
    rng : int, numpy.random.Generator, SeedSequence or None
        Of the batches.

    Returns
    -------
    SparseSolution

    Raises
    ------
    ValueError
        If an argument is out of range.
    SingularMoments
        If the Hessian is singular, as for n < d without damping.

    Notes
    -----
    For the logistic loss steps are halved until the loss does not rise. A noiseless linear problem with
    n >= d takes one step, and one to see that.

    References
    ----------
    Wu et al., arXiv 2408.17163; Blumensath and Davies, *Iterative hard thresholding* (2009).

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import sparse_regression
    >>> X = np.random.default_rng(0).standard_normal((50, 20))
    >>> w = np.eye(20)[3] - 2 * np.eye(20)[7]
    >>> r = sparse_regression(X, X @ w, 2)
    >>> r.support, bool(np.allclose(r.theta, w))
    (array([3, 7]), True)
    """
    for name, value, known in (
        ("loss", loss, LOSSES),
        ("method", method, ("iobs", "iht")),
        ("scaling", scaling, SCALINGS),
    ):
        if value not in known:
            raise ValueError(f"{name}={value!r} is not known; expected one of {known}")
    X, y = wide_matrix(X, "X"), real_array(y, "y", 1).astype(np.float64)
    if len(y) != len(X) or len(y) == 0:
        raise ValueError(f"y has shape {y.shape}; expected {(len(X),)}, at least one row")
    if loss == "logistic" and not np.isin(y, (0, 1)).all():
        raise ValueError("y must be 0 or 1 for loss='logistic'")
    problem = _Problem(X, y, loss, as_tolerance(damping, "damping"), batch, seed_word(rng))
    w = np.zeros(X.shape[1]) if start is None else start
    shrink = 2 / len(X) if scaling == "paper_code" else 1.0
    if shrink != 1.0 and loss != "linear":
        raise ValueError("scaling='paper_code' goes with loss='linear'")
    common: dict[str, Any] = {"tolerance": tolerance, "callback": callback}
    if method == "iht":
        step = shrink / problem.largest()
        steps = 1000 if iterations is None else iterations
        return iht(problem.gradient, w, k, step=step, iterations=steps, **common)
    newton = problem.hessian if loss == "logistic" or batch else problem.hessian(np.asarray(w))
    return iobs(
        problem.gradient,
        newton,
        w,
        k,
        mode=mode,
        step=shrink,
        loss=problem.value if loss == "logistic" and not batch else None,
        iterations=100 if iterations is None else iterations,
        **common,
    )


class _Problem:
    """Loss, gradient and damped Hessian of a regression, of all rows or of a batch."""

    def __init__(
        self, X: Array, y: Array, loss: str, damping: float, batch: int | None, seed: int
    ) -> None:
        if batch is not None and not 0 < batch <= len(X):
            raise ValueError(f"batch={batch} must lie between 1 and the {len(X)} rows of X")
        self.whole = self.X, self.y = X, y
        self.logistic, self.damping, self.batch = loss == "logistic", damping, batch
        self.generator = np.random.default_rng(seed)

    def value(self, w: Array) -> float:
        margin = self.whole[0] @ w
        if self.logistic:
            return float((np.logaddexp(0, margin) - self.whole[1] * margin).mean())
        return float(((margin - self.whole[1]) ** 2).mean())

    def gradient(self, w: Array) -> Array:
        if self.batch is not None:
            rows = self.generator.choice(len(self.whole[0]), self.batch, replace=False)
            self.X, self.y = self.whole[0][rows], self.whole[1][rows]
        if self.logistic:
            return np.asarray(self.X.T @ (_expit(self.X @ w) - self.y) / len(self.y))
        return np.asarray(2 * self.X.T @ (self.X @ w - self.y) / len(self.y))

    def hessian(self, w: Array) -> Array:
        """Of the rows that the last gradient was taken of."""
        weights = np.full(len(self.y), 2.0)
        if self.logistic:
            p = _expit(self.X @ w)
            weights = p * (1 - p)
        H = (self.X.T * weights) @ self.X / len(self.y)
        H[np.diag_indices_from(H)] += self.damping * np.diagonal(H).mean()
        return np.asarray(H)

    def largest(self) -> float:
        size = float(np.linalg.norm(self.whole[0], 2)) ** 2 / len(self.whole[0])
        return size / 4 if self.logistic else 2 * size


def _expit(x: Array) -> Array:
    from scipy.special import expit

    return np.asarray(expit(x))
