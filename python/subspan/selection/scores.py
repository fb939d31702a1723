"""Scores of samples from a model's outputs, each with the order in which it is used."""

from __future__ import annotations

from typing import Any

import numpy as np

from .budget import Array, Indices, as_budget, as_groups, divide
from .moments import eigenbasis_of, second_moment
from .rows import Rows

__all__ = [
    "el2n",
    "entropy",
    "forgetting",
    "grand",
    "influence",
    "largest",
    "least_confidence",
    "margin",
]


def entropy(probabilities: Any) -> Array:
    """Entropy of the predicted classes: the largest are the least certain.

    Examples
    --------
    >>> from subspan.selection import scores
    >>> scores.entropy([[1.0, 0.0], [0.5, 0.5]]).round(3).tolist()
    [0.0, 0.693]
    """
    p = _distributions(probabilities)
    terms = np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0)
    return np.asarray(0.0 - terms.sum(axis=1))


def margin(probabilities: Any) -> Array:
    """Minus the lead of the first class over the second: the largest are the least certain.

    Examples
    --------
    >>> from subspan.selection import scores
    >>> scores.margin([[0.7, 0.2, 0.1]]).round(3).tolist()
    [-0.5]
    """
    p = np.sort(_distributions(probabilities), axis=1)
    return np.asarray(p[:, -2] - p[:, -1])


def least_confidence(probabilities: Any) -> Array:
    """One minus the largest probability.

    Examples
    --------
    >>> from subspan.selection import scores
    >>> scores.least_confidence([[0.75, 0.25]]).tolist()
    [0.25]
    """
    return np.asarray(1 - _distributions(probabilities).max(axis=1))


def el2n(probabilities: Any, labels: Any) -> Array:
    """``|p - onehot(y)|_2``, averaged over models if `probabilities` has a leading axis of them.

    Examples
    --------
    >>> from subspan.selection import scores
    >>> scores.el2n([[1.0, 0.0], [0.0, 1.0]], [0, 0]).round(3).tolist()
    [0.0, 1.414]
    """
    return np.asarray(np.linalg.norm(_errors(probabilities, labels), axis=-1).mean(axis=0))


def grand(probabilities: Any, labels: Any, features: Any) -> Array:
    """Norm of the gradient of a linear head with bias, ``|p - onehot(y)| sqrt(1 + |h|^2)``.

    Averaged over models if `probabilities` and `features` have a leading axis of them.

    Examples
    --------
    >>> from subspan.selection import scores
    >>> scores.grand([[0.5, 0.5]], [0], [[1.0, 0.0]]).round(3).tolist()
    [1.0]
    """
    errors = np.linalg.norm(_errors(probabilities, labels), axis=-1)
    h = np.asarray(features, np.float64)
    if h.shape[-2] != errors.shape[-1]:
        raise ValueError(f"features has {h.shape[-2]} rows; expected {errors.shape[-1]}")
    return np.asarray((errors * np.sqrt(1 + (h**2).sum(axis=-1))).mean(axis=0))


def forgetting(correct: Any) -> Array:
    """How often a sample that was classified correctly is wrong at the next checkpoint.

    Parameters
    ----------
    correct : array of bool, shape (checkpoints, N)

    Examples
    --------
    >>> from subspan.selection import scores
    >>> scores.forgetting([[1, 0], [0, 0], [1, 1]]).tolist()
    [1.0, 0.0]
    """
    seen = np.asarray(correct).astype(bool)
    if seen.ndim != 2:
        raise ValueError(f"correct has shape {seen.shape}; expected (checkpoints, N)")
    return np.asarray((seen[:-1] & ~seen[1:]).sum(axis=0), np.float64)


def largest(scores: Any, n: int, labels: Any = None) -> Indices:
    """Return the n largest scores; with labels as many of each class as its share, the first of ties.

    ``select(X, n, method="scores", scores=...)`` does the same with costs, candidates and a certificate.

    Examples
    --------
    >>> from subspan.selection import scores
    >>> scores.largest([0.1, 0.9, 0.5, 0.8], 2, labels=["a", "b", "a", "b"]).tolist()
    [1, 2]
    """
    given = as_scores(scores)
    budget = as_budget(n, len(given))
    parts = [(np.arange(len(given)), budget)]
    if labels is not None:
        parts = divide(budget, as_groups(labels, len(given))[1], "proportional")
    taken = [
        members[part.take_in_order(np.argsort(-given[members], kind="stable"))]
        for members, part in parts
    ]
    return np.sort(np.concatenate(taken))


def as_scores(scores: Any) -> Array:
    """Check one finite number per sample."""
    given = np.asarray(scores, np.float64)
    if given.ndim != 1 or not np.isfinite(given).all():
        raise ValueError("scores must be finite numbers, one per sample")
    return given


def influence(
    gradients: Any,
    target: Any,
    *,
    ridge: float = 0.1,
    normalize: bool = False,
    reduce: str = "mean",
) -> Array:
    """How much training on a row lowers the loss on target samples, to first order.

    ``t^T (Sigma + ridge tr(Sigma) / d)^{-1} g_i`` over the target rows t: scores in the manner of TRAK
    (Park et al., 2023) and, with ``normalize=True`` and a large ridge, of LESS (Xia et al., 2024), which
    takes cosines.

    Parameters
    ----------
    gradients : array, memory map or CSR matrix, shape (N, m)
        (Sketched) gradients of the candidates; read twice, in tiles.
    target : array, shape (n_target, m)
        Gradients of held-out samples, sketched by the same operator.
    ridge : float
        Multiple of the mean eigenvalue of ``Sigma = G^T G / N``; not negative.
    normalize : bool
        Divide candidates and targets by their norms.
    reduce : {"mean", "max"}
        Over the target rows: the mean, or the largest, as when they stand for different tasks.

    Returns
    -------
    array of float64, shape (N,)

    Raises
    ------
    ValueError
        If shapes do not match or an option is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.selection import scores
    >>> scores.influence(np.eye(2), [[1.0, 0.0]], ridge=0.0).tolist()
    [2.0, 0.0]
    """
    rows = Rows(gradients, "gradients")
    T = Rows(target, "target").dense().astype(np.float64)
    if T.shape[1] != rows.shape[1] or len(T) == 0:
        raise ValueError(f"target has shape {T.shape}; expected (n_target, {rows.shape[1]})")
    if reduce not in ("mean", "max"):
        raise ValueError(f"reduce={reduce!r} is not known; expected 'mean' or 'max'")
    if not ridge >= 0:
        raise ValueError(f"ridge={ridge} must not be negative")
    basis = eigenbasis_of(second_moment(rows), rows.eps)
    if basis.rank == 0:
        return np.zeros(len(rows))
    if normalize:
        T = T / np.maximum(np.linalg.norm(T, axis=1, keepdims=True), np.finfo(float).tiny)
    shift = ridge * float(basis.values.sum()) / rows.shape[1]
    solved = (T @ basis.vectors / (basis.values + shift)) @ basis.vectors.T
    if reduce == "mean":
        solved = solved.mean(axis=0, keepdims=True)
    found = np.empty(len(rows))
    for where, tile in rows.tiles():
        products = tile @ solved.T
        if normalize:
            norms = np.linalg.norm(tile, axis=1, keepdims=True)
            products = products / np.maximum(norms, np.finfo(tile.dtype).tiny)
        found[where] = products.max(axis=1)
    return found


def _distributions(probabilities: Any) -> Array:
    p = np.asarray(probabilities, np.float64)
    if p.ndim < 2 or p.shape[-1] < 2:
        raise ValueError(f"probabilities has shape {p.shape}; expected (N, classes)")
    if (
        not np.isfinite(p).all()
        or (p < 0).any()
        or np.abs(p.sum(axis=-1) - 1).max(initial=0) > 1e-3
    ):
        raise ValueError("probabilities must be distributions: non-negative rows of sum 1")
    return p


def _errors(probabilities: Any, labels: Any) -> Array:
    p = _distributions(probabilities)
    p = p[None] if p.ndim == 2 else p
    y = np.asarray(labels)
    if y.shape != (p.shape[1],):
        raise ValueError(f"labels has shape {y.shape}; expected ({p.shape[1]},)")
    if y.dtype.kind not in "iu" or y.min(initial=0) < 0 or y.max(initial=0) >= p.shape[2]:
        raise ValueError(f"labels must be class numbers below {p.shape[2]}")
    return np.asarray(p - np.eye(p.shape[2])[y])
