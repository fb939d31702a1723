"""How much faster and smaller a pruned model is, measured."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import torch

from .calibration import as_batches, inputs_on


@dataclasses.dataclass(frozen=True)
class Speed:
    """Forward passes of two models on the same data.

    Attributes
    ----------
    seconds_before, seconds_after : float
        Least of the repeats.
    bytes_before, bytes_after : int
        Of the parameters, tied ones once.
    """

    seconds_before: float
    seconds_after: float
    bytes_before: int
    bytes_after: int

    @property
    def speedup(self) -> float:
        """Seconds before per second after."""
        return self.seconds_before / self.seconds_after


def compare_speed(before: Any, after: Any, data: Any, *, repeats: int = 5) -> Speed:
    """Time forward passes of two models in turn.

    Parameters
    ----------
    before, after : transformers models
        On the same device.
    data : tensor or dictionary
        One batch, as :func:`prune_model` takes it.
    repeats : int
        Passes of each model after one that is not timed.

    Returns
    -------
    Speed

    Raises
    ------
    ValueError
        If `repeats` is not positive or there is no data.
    """
    inputs = _one_batch(data, repeats)
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(repeats + 1):
        for model, times in zip((before, after), seconds, strict=True):
            taken = _pass(model, inputs)
            if number:
                times.append(taken)
    return Speed(min(seconds[0]), min(seconds[1]), _bytes(before), _bytes(after))


def forward_seconds(model: Any, data: Any, *, repeats: int = 3) -> float:
    """Time a forward pass of one model: the least of some after one that does not count.

    Parameters
    ----------
    model, data, repeats
        As in :func:`compare_speed`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `repeats` is not positive or there is no data.
    """
    inputs = _one_batch(data, repeats)
    return min([_pass(model, inputs) for _ in range(repeats + 1)][1:])


def _one_batch(data: Any, repeats: int) -> dict[str, Any]:
    if repeats < 1:
        raise ValueError(f"repeats={repeats} must be at least 1")
    rows = len(next(iter(data.values()))) if isinstance(data, dict) else len(data)
    return as_batches(data, max(rows, 1), None)[0].inputs


def _pass(model: Any, inputs: dict[str, Any]) -> float:
    moved = inputs_on(model, inputs)
    device = next(model.parameters()).device
    start = time.perf_counter()
    with torch.no_grad():
        model(**moved)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _bytes(model: Any) -> int:
    return sum(p.numel() * p.element_size() for p in model.parameters())
