"""Linear heads on features: least squares and softmax regression."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ..svd import svd
from .losses import (
    LOSSES,
    confident_target,
    cross_entropy,
    generalized_cross_entropy,
    product_target,
    softmax,
)

Array = NDArray[np.float64]
Head = Callable[[Any], Array]  # outputs of rows, shape (n, k)


@dataclasses.dataclass(frozen=True, eq=False)
class LinearHead:
    """``x @ coef + intercept``."""

    coef: Array  # (D, k)
    intercept: Array  # (k,)

    def __call__(self, X: Any) -> Array:
        """Outputs of rows, shape (n, k)."""
        return np.asarray(np.asarray(X, np.float64) @ self.coef + self.intercept)


def leading_directions(X: Any, energy: float, rank: int | None, center: bool) -> Array:
    """Orthonormal basis of the directions that hold a part `energy` of the trace, or of the first `rank`."""
    from .dimension import kept

    X = np.asarray(X, np.float64)
    X = X - X.mean(axis=0) if center else X
    if rank is not None:
        return np.asarray(svd(X, min(rank, *X.shape), angles=False, rng=0).Vh.T)
    values, vectors = np.linalg.eigh(X.T @ X)
    d = kept(np.maximum(values[::-1], 0), 1 - energy)
    return np.asarray(vectors[:, ::-1][:, :d])


def least_squares(X: Any, y: Any, ridge: float = 0.0, *, intercept: bool = True) -> LinearHead:
    """Fit ``min ||X b - y||^2 + ridge ||b||^2`` through the singular value decomposition of X.

    With ridge 0 the solution of least norm; directions that are rounding are left out. The intercept is not
    penalised.
    """
    X, y = np.asarray(X, np.float64), np.asarray(y, np.float64)
    y = y.reshape(len(y), -1)
    means = (
        (X.mean(axis=0), y.mean(axis=0))
        if intercept
        else (np.zeros(X.shape[1]), np.zeros(y.shape[1]))
    )
    r = svd(X - means[0], min(X.shape), method="full", angles=False)
    used = r.s > max(X.shape) * np.finfo(np.float64).eps * r.s[:1].max(initial=0.0)
    s = r.s[used]
    coef = r.Vh[used].T @ ((s / (s**2 + ridge))[:, None] * (r.U[:, used].T @ (y - means[1])))
    return LinearHead(np.asarray(coef), means[1] - means[0] @ coef)


def regression_head(
    head: Any, X: Any, y: Any, ridge: float, *, intercept: bool, seed: int = 0
) -> Head:
    """Least squares by the given head; None stands for the closed form."""
    if head is None:
        return least_squares(X, y, ridge, intercept=intercept)
    found: Head = head.fit(X, y, loss="square", ridge=ridge, intercept=intercept, seed=seed)
    return found


def classification_head(head: Any, X: Any, soft: Any, *, seed: int = 0, **options: Any) -> Head:
    """Classification by the given head; None stands for softmax regression by L-BFGS."""
    if head is None:
        return softmax_regression(X, soft, **options)
    found: Head = head.fit(X, soft, seed=seed, **options)
    return found


def check_head(head: Any) -> None:
    """Refuse what cannot be fitted."""
    if head is not None and not callable(getattr(head, "fit", None)):
        raise TypeError(f"head={head!r} must be None or a TorchHead")


def softmax_regression(
    X: Any,
    soft: Any,
    *,
    loss: str = "xent",
    ridge: float = 1e-3,
    q: float = 0.7,
    weight: float = 0.5,
    rounds: int = 5,
    max_iter: int = 200,
) -> LinearHead:
    """Fit softmax regression to soft labels by L-BFGS.

    Parameters
    ----------
    X : array, shape (n, D)
    soft : array, shape (n, k)
        Probabilities of the classes; one-hot for hard labels.
    loss : {"xent", "kl", "logconf", "product", "gce"}
        "kl" has the same minimiser as "xent". "logconf" and "product" aim at targets made of the model's
        own predictions, which are renewed `rounds` times while their weight rises to `weight`.
    ridge : float
        ``ridge/2 ||coef||^2`` is added to the mean loss.
    q : float
        Of "gce", in (0, 1].
    weight : float
        Of the model's own predictions in "logconf" and "product".
    rounds : int
    max_iter : int

    Returns
    -------
    LinearHead
        Of logits.

    Raises
    ------
    ValueError
        If `loss` is unknown or `q` is out of range.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss={loss!r} must be one of {LOSSES}")
    if not 0 < q <= 1:
        raise ValueError(f"q={q} must lie in (0, 1]")
    X, y = np.asarray(X, np.float64), np.asarray(soft, np.float64)
    D, k = X.shape[1], y.shape[1]
    zero = LinearHead(np.zeros((D, k)), np.zeros(k))

    def descend(head: LinearHead, targets: Array) -> LinearHead:
        def objective(flat: Array) -> tuple[float, Array]:
            coef, bias = flat[: D * k].reshape(D, k), flat[D * k :]
            logits = X @ coef + bias
            if loss == "gce":
                value, slope = generalized_cross_entropy(logits, targets, q)
            else:
                value, slope = cross_entropy(logits, targets)
            gradient = np.concatenate([(X.T @ slope + ridge * coef).ravel(), slope.sum(axis=0)])
            return value + ridge / 2 * float(np.sum(coef**2)), gradient

        begin = np.concatenate([head.coef.ravel(), head.intercept])
        found = minimize(
            objective, begin, jac=True, method="L-BFGS-B", options={"maxiter": max_iter}
        ).x
        return LinearHead(found[: D * k].reshape(D, k), found[D * k :])

    if loss not in ("logconf", "product"):
        return descend(zero, y)
    head = descend(zero, y)  # predictions of an untrained model are no target
    for step in range(1, rounds + 1):
        share = weight * step / rounds
        p = softmax(head(X))
        if loss == "logconf":
            head = descend(head, confident_target(p, y, share))
        else:
            head = descend(head, product_target(p, y, share, 1 - share))
    return head
