"""Perplexity with its length, stride and start token stated."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import torch


@dataclasses.dataclass(frozen=True)
class Perplexity:
    """Exponential of the mean negative log-likelihood; converts to float.

    Attributes
    ----------
    value : float
    nll : float
        Mean over the predicted tokens, in nats.
    tokens : int
        Predicted tokens.
    length : int
        Tokens a window holds at most, the start token included.
    stride : int
        Tokens from one window to the next.
    bos : int or None
        Token put before every window.
    """

    value: float
    nll: float
    tokens: int
    length: int
    stride: int
    bos: int | None

    def __float__(self) -> float:
        return self.value


def perplexity(
    model: Any,
    tokens: Any,
    *,
    length: int | None = None,
    stride: int | None = None,
    bos: int | None = None,
    batch_size: int = 4,
) -> Perplexity:
    """Measure how well a causal language model predicts a text.

    Numbers of different `length` are not comparable.

    Parameters
    ----------
    model : transformers model with a language modelling head
        Evaluated as it is; call ``model.eval()`` before.
    tokens : array or tensor of int, shape (n,) or (rows, n)
        One text, which is cut into windows, or one window per row.
    length : int, optional
        Of a window; 2048 or what the model can, if that is less.
    stride : int, optional
        From one window to the next, `length` by default. No token is predicted twice. With a smaller one
        every token after the first window is predicted from at least ``length - stride`` others.
    bos : int, optional
        Token to put before every window; none by default. It is never predicted.
    batch_size : int

    Returns
    -------
    Perplexity

    Raises
    ------
    ValueError
        If there are fewer than two tokens, one is outside the vocabulary, or an argument is out of range.

    Notes
    -----
    The first token of a window is not predicted unless there is a `bos`.
    """
    ids = torch.as_tensor(tokens)
    if ids.ndim not in (1, 2) or ids.is_floating_point():
        raise ValueError(
            f"tokens have shape {tuple(ids.shape)}, {ids.dtype}; expected 1-d or 2-d ints"
        )
    _check_vocabulary(model, ids)
    limit = getattr(model.config, "max_position_embeddings", None) or 2048
    extra = 0 if bos is None else 1
    length = min(2048, limit) if length is None else length
    if ids.ndim == 2:
        length = max(length, ids.shape[1] + extra)
    if not 1 + extra <= length <= limit:
        raise ValueError(f"length={length} must lie between {1 + extra} and the model's {limit}")
    room = length - extra
    stride = room if stride is None else stride
    if not 1 <= stride <= room:
        raise ValueError(f"stride={stride} must lie between 1 and {room}")
    windows = _windows(ids, room, stride)
    total, count = 0.0, 0
    for group in _same_length(windows, batch_size):
        batch = torch.stack([window for window, _ in group])
        if bos is not None:
            batch = torch.cat([batch.new_full((len(batch), 1), bos), batch], 1)
        nll = _losses(model, batch)
        for row, (window, known) in zip(nll, group, strict=True):
            # Row i of the losses is that of token i + 1 of the batch; `known` tokens were predicted before.
            first = max(known - 1 + extra, 0) if known or extra else 0
            new = row[first:] if len(window) + extra > 1 else row[:0]
            total, count = total + float(new.sum()), count + len(new)
    if count == 0:
        raise ValueError("tokens hold nothing to predict: at least two are needed")
    mean = total / count
    value = math.exp(mean) if mean < 700 else math.inf
    return Perplexity(value, mean, count, length, stride, bos)


def _check_vocabulary(model: Any, ids: torch.Tensor) -> None:
    vocabulary = model.get_input_embeddings().num_embeddings
    if ids.numel() and not (int(ids.min()) >= 0 and int(ids.max()) < vocabulary):
        raise ValueError(
            f"tokens must lie in [0, {vocabulary}), the vocabulary of the model; they were made by another "
            "tokenizer"
        )


def _windows(ids: torch.Tensor, room: int, stride: int) -> list[tuple[torch.Tensor, int]]:
    """Windows, and how many of their first tokens earlier windows have predicted."""
    if ids.ndim == 2:
        return [(row, 0) for row in ids]
    found = []
    end = 0
    for start in range(0, len(ids), stride):
        window = ids[start : start + room]
        found.append((window, end - start if start else 0))
        end = start + len(window)
        if end == len(ids):
            break
    return found


def _same_length(
    windows: list[tuple[torch.Tensor, int]], size: int
) -> list[list[tuple[torch.Tensor, int]]]:
    groups: list[list[tuple[torch.Tensor, int]]] = []
    for window in windows:
        last = groups[-1] if groups else []
        if last and len(last) < size and len(last[0][0]) == len(window[0]):
            last.append(window)
        else:
            groups.append([window])
    return groups


def _losses(model: Any, batch: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of every token but the first, shape (rows, length - 1)."""
    device = next(model.parameters()).device
    batch = batch.to(device)
    with torch.no_grad():
        logits = model(batch).logits.float()
    # The last position predicts nothing; a target for it spares a copy of all logits.
    targets = batch.roll(-1, dims=1)
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction="none"
    )
    return losses.view(batch.shape)[:, :-1].double()
