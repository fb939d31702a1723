"""Losses of weak-to-strong training for PyTorch models, and the retraining on confident samples.

The mathematics is that of :mod:`subspan.w2s.losses`; targets made of own predictions are detached.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch

from ..w2s.losses import LOSSES


def weak_to_strong_loss(
    logits: torch.Tensor,
    soft: torch.Tensor,
    *,
    loss: str = "xent",
    weight: float = 0.5,
    q: float = 0.7,
    progress: float = 1.0,
    warmup: float = 0.1,
) -> torch.Tensor:
    """Mean loss of a batch against a teacher's soft labels.

    Parameters
    ----------
    logits, soft : tensor, shape (batch, classes)
        The student's outputs and the teacher's probabilities.
    loss : {"xent", "kl", "logconf", "product", "gce"}
    weight : float
        Largest weight of the student's own predictions, in "logconf" and "product".
    q : float
        Of "gce", in (0, 1].
    progress, warmup : float
        The weight rises linearly until the part `progress` of training reaches `warmup`.

    Returns
    -------
    tensor, scalar

    Raises
    ------
    ValueError
        If `loss` is unknown or shapes differ.

    Examples
    --------
    >>> import torch
    >>> from subspan.torch import weak_to_strong_loss
    >>> logits, soft = torch.zeros(3, 2), torch.tensor([[1.0, 0.0]] * 3)
    >>> round(weak_to_strong_loss(logits, soft).item(), 4)
    0.6931
    """
    if loss not in LOSSES:
        raise ValueError(f"loss={loss!r} must be one of {LOSSES}")
    if logits.shape != soft.shape or logits.ndim != 2:
        raise ValueError(
            f"logits and soft have shapes {tuple(logits.shape)} and {tuple(soft.shape)}"
        )
    log_p = torch.log_softmax(logits, dim=1)
    if loss == "gce":
        return -(soft * torch.expm1(q * log_p)).sum(dim=1).mean() / q
    share = weight * min(1.0, progress / warmup) if warmup > 0 else weight
    target = soft
    if loss == "logconf":
        target = (1 - share) * soft + share * _balanced(log_p.detach().exp(), soft.mean(dim=0))
    elif loss == "product":
        tiny = torch.finfo(soft.dtype).tiny
        target = torch.softmax(
            share * log_p.detach() + (1 - share) * soft.clamp_min(tiny).log(), dim=1
        )
    value = -(target * log_p).sum(dim=1).mean()
    if loss == "kl":
        value = value + torch.special.xlogy(soft, soft).sum(dim=1).mean()
    return value


def _balanced(p: torch.Tensor, balance: torch.Tensor) -> torch.Tensor:
    """One-hot predictions with about these frequencies, see ``balanced_predictions``."""
    levels = [torch.quantile(p[:, k], (1 - share).clamp(0, 1)) for k, share in enumerate(balance)]
    chosen = (p - torch.stack(levels)).argmax(dim=1)
    return torch.nn.functional.one_hot(chosen, p.shape[1]).to(p.dtype)


def most_confident(logits: torch.Tensor, fraction: float) -> torch.Tensor:
    """Ascending indices of the part of the rows with the lowest predictive entropy.

    Examples
    --------
    >>> import torch
    >>> from subspan.torch import most_confident
    >>> most_confident(torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 4.0], [1.0, 0.0]]), 0.5).tolist()
    [1, 2]
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction={fraction} must lie in (0, 1]")
    log_p = torch.log_softmax(logits.detach(), dim=1)
    entropy = -(log_p.exp() * log_p).sum(dim=1)
    count = max(1, round(fraction * len(logits)))
    return torch.sort(torch.argsort(entropy, stable=True)[:count]).values


def retrain_on_confident(
    model: torch.nn.Module,
    inputs: torch.Tensor,
    soft: torch.Tensor,
    train: Callable[
        [torch.nn.Module, torch.Tensor, torch.Tensor, Callable[..., torch.Tensor]], Any
    ],
    *,
    fraction: float = 0.5,
    q: float = 0.7,
) -> tuple[torch.nn.Module, torch.nn.Module, torch.Tensor]:
    """Enhanced weak-to-strong training of any model: once on all, once on what it is sure of.

    Parameters
    ----------
    model : torch.nn.Module
        The student before training; it is not changed.
    inputs : tensor, shape (N, ...)
    soft : tensor, shape (N, classes)
        The teacher's probabilities.
    train : callable
        ``train(model, inputs, soft, loss)`` trains a model in place with ``loss(logits, soft)``.
    fraction : float
    q : float

    Returns
    -------
    (enhanced, vanilla, indices)
        Both students start from `model`; `indices` are the rows of the second.

    References
    ----------
    arXiv 2509.24005; see :class:`subspan.w2s.spurious.EnhancedW2S`.
    """
    vanilla = copy.deepcopy(model)
    train(vanilla, inputs, soft, weak_to_strong_loss)
    vanilla.eval()
    with torch.no_grad():
        chosen = most_confident(vanilla(inputs), fraction)
    enhanced = copy.deepcopy(model)
    train(
        enhanced,
        inputs[chosen],
        soft[chosen],
        lambda logits, target: weak_to_strong_loss(logits, target, loss="gce", q=q),
    )
    return enhanced, vanilla, chosen
