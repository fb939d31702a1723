"""Scores of samples from a model's outputs, each with the order in which it is used."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rows import proportional

Array = NDArray[np.float64]


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


def largest(scores: Any, n: int, labels: Any = None) -> NDArray[np.int64]:
    """Return the n largest scores; with labels as many of each class as its share, the first of ties.

    Examples
    --------
    >>> from subspan.selection import scores
    >>> scores.largest([0.1, 0.9, 0.5, 0.8], 2, labels=["a", "b", "a", "b"]).tolist()
    [1, 2]
    """
    given = np.asarray(scores, np.float64)
    if given.ndim != 1 or not np.isfinite(given).all():
        raise ValueError("scores must be finite numbers, one per sample")
    if not 1 <= n <= len(given):
        raise ValueError(f"n={n} must lie between 1 and the {len(given)} candidates")
    if labels is None:
        return np.sort(np.argsort(-given, kind="stable")[:n])
    classes = np.asarray(labels)
    if classes.shape != given.shape:
        raise ValueError(f"labels has shape {classes.shape}; expected {given.shape}")
    names, group = np.unique(classes, return_inverse=True)
    quota = proportional(group, n)
    parts = []
    for j in range(len(names)):
        members = np.flatnonzero(group == j)
        parts.append(members[np.argsort(-given[members], kind="stable")[: quota[j]]])
    return np.sort(np.concatenate(parts))


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
