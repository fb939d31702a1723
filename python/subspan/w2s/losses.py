"""Losses that train a student on a teacher's soft labels, and the targets that they aim at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LOSSES = ("xent", "kl", "logconf", "product", "gce")


def softmax(logits: Any) -> Array:
    """Probabilities of each row."""
    z = np.asarray(logits, np.float64)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def entropy(probabilities: Any) -> Array:
    """Entropy of each row, in nats."""
    p = np.asarray(probabilities, np.float64)
    return np.asarray(-np.sum(p * np.log(np.where(p > 0, p, 1)), axis=1))


def cross_entropy(logits: Array, targets: Array) -> tuple[float, Array]:
    """Mean of ``-sum_k t_k log p_k``, and its gradient in the logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    total = np.exp(shifted).sum(axis=1, keepdims=True)
    value = -np.sum(targets * (shifted - np.log(total))) / len(logits)
    gradient = (np.exp(shifted) / total * targets.sum(axis=1, keepdims=True) - targets) / len(
        logits
    )
    return float(value), gradient


def generalized_cross_entropy(logits: Array, targets: Array, q: float) -> tuple[float, Array]:
    """Mean of ``sum_k t_k (1 - p_k^q)/q``, and its gradient: cross-entropy for q -> 0, absolute error at 1.

    Zhang and Sabuncu, NeurIPS 2018: samples that the model contradicts pull less.
    """
    p = softmax(logits)
    log_p = np.log(np.maximum(p, np.finfo(np.float64).tiny))
    value = -np.sum(targets * np.expm1(q * log_p)) / (q * len(p))
    pull = targets * np.exp(q * log_p)  # -p dL/dp
    gradient = (p * pull.sum(axis=1, keepdims=True) - pull) / len(p)
    return float(value), gradient


def balanced_predictions(probabilities: Array, balance: Array) -> Array:
    """One-hot predictions whose classes are about as frequent as `balance`.

    Each probability is compared with the quantile that reproduces the frequency of its class; for two
    classes that is a threshold on the first.
    """
    p = np.asarray(probabilities, np.float64)
    levels = [np.quantile(p[:, k], 1 - share) for k, share in enumerate(np.clip(balance, 0, 1))]
    chosen = np.argmax(p - levels, axis=1)
    return np.asarray(np.eye(p.shape[1])[chosen])


def confident_target(probabilities: Array, soft: Array, weight: float) -> Array:
    """Target of the auxiliary confidence loss: ``(1 - c) y + c h``, h the student's own hard predictions.

    Burns et al., arXiv 2312.09390, with as many h of each class as the teacher gives, for any number of
    classes.
    """
    return (1 - weight) * soft + weight * balanced_predictions(probabilities, soft.mean(axis=0))


def product_target(probabilities: Array, soft: Array, own: float, teacher: float) -> Array:
    """Target proportional to ``p^own y^teacher``."""
    tiny = np.finfo(np.float64).tiny
    logits = own * np.log(np.maximum(probabilities, tiny)) + teacher * np.log(
        np.maximum(soft, tiny)
    )
    return softmax(logits)
