"""How much faster and smaller a pruned model is, measured."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import Any

import numpy as np
import torch

from .architecture import blocks_of, family_of
from .calibration import as_batches, inputs_on
from .linear import weight_of
from .request import as_blocks


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


def unit_seconds(model: Any, data: Any, *, blocks: Any = None, repeats: int = 3) -> list[float]:
    """Time what one unit of each feed-forward module takes of a forward pass.

    What a unit costs may differ from block to block: where widths do, where some layers are in another
    precision or on another device. For `unit_costs` of :func:`prune_model`.

    Parameters
    ----------
    model : transformers model
    data, repeats
        As in :func:`compare_speed`.
    blocks : iterable of int, optional
        All by default.

    Returns
    -------
    list of float
        Of each block: seconds in the layers that make the units and in the one that reads them, the least of
        the repeats, per unit.

    Raises
    ------
    UnknownArchitecture
        If the family is not known.
    ValueError
        If an argument is out of range or there is no data.
    """
    family, inputs = family_of(model), _one_batch(data, repeats)
    every = blocks_of(model, family)
    chosen = as_blocks(blocks, len(every))
    clocks = [
        _Clock([every[n].get_submodule(name) for name in (*family.level1, family.level2)])
        for n in chosen
    ]
    least = np.full(len(chosen), np.inf)
    with contextlib.ExitStack() as stack:
        for clock in clocks:
            stack.enter_context(clock)
        for number in range(repeats + 1):
            _pass(model, inputs)
            taken = [clock.read() for clock in clocks]
            if number:
                least = np.minimum(least, taken)
    layers = [every[n].get_submodule(family.level2) for n in chosen]
    widths = [weight_of(layer).shape[1] for layer in layers]
    return [float(s / m) for s, m in zip(least, widths, strict=True)]


class _Clock:
    """Counts the seconds that some layers take, while it is entered."""

    def __init__(self, layers: list[torch.nn.Module]) -> None:
        self.layers, self.seconds, self.since = layers, 0.0, 0.0

    def __enter__(self) -> _Clock:
        self.hooks = [layer.register_forward_pre_hook(self._start) for layer in self.layers]
        self.hooks += [layer.register_forward_hook(self._stop) for layer in self.layers]
        return self

    def __exit__(self, *problem: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def read(self) -> float:
        """Seconds since the last reading."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds

    def _start(self, layer: torch.nn.Module, *_: Any) -> None:
        _wait_for(layer)
        self.since = time.perf_counter()

    def _stop(self, layer: torch.nn.Module, *_: Any) -> None:
        _wait_for(layer)
        self.seconds += time.perf_counter() - self.since


def _wait_for(model: torch.nn.Module) -> None:
    device = next(model.parameters()).device
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _one_batch(data: Any, repeats: int) -> dict[str, Any]:
    if repeats < 1:
        raise ValueError(f"repeats={repeats} must be at least 1")
    rows = len(next(iter(data.values()))) if isinstance(data, dict) else len(data)
    return as_batches(data, max(rows, 1), None)[0].inputs


def _pass(model: Any, inputs: dict[str, Any]) -> float:
    moved = inputs_on(model, inputs)
    start = time.perf_counter()
    with torch.no_grad():
        model(**moved)
    _wait_for(model)
    return time.perf_counter() - start


def _bytes(model: Any) -> int:
    return sum(p.numel() * p.element_size() for p in model.parameters())
