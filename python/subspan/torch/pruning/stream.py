"""Running a model block by block, with the inputs of one block in memory and no more."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch

from .architecture import base_of
from .calibration import Batch, inputs_on


class _Reached(Exception):
    """The first block has been reached: what follows it is run block by block."""


class BlockInputs:
    """What enters the current block, for every batch."""

    def __init__(self, model: Any, first: torch.nn.Module, batches: list[Batch]) -> None:
        self.batches, self.current = batches, batches[0]
        self.states: list[torch.Tensor] = []
        self._rest: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

        def keep(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            args_left, named = args, dict(kwargs)
            state = named.pop("hidden_states") if "hidden_states" in named else args[0]
            args_left = () if "hidden_states" in kwargs else args[1:]
            self.states.append(state)
            self._rest.append((args_left, named))
            raise _Reached

        handle = first.register_forward_pre_hook(keep, with_kwargs=True)
        try:
            for batch in batches:
                inputs = inputs_on(model, batch.inputs)
                with torch.no_grad(), contextlib.suppress(_Reached):
                    base_of(model)(**inputs)
        finally:
            handle.remove()

    def copy(self) -> BlockInputs:
        """The same inputs, to be advanced apart."""
        twin = copy.copy(self)
        twin.states = list(self.states)
        return twin

    def run_one(self, number: int, block: torch.nn.Module) -> torch.Tensor:
        """Output of a block for one batch."""
        args, kwargs = self._rest[number]
        self.current = self.batches[number]
        with torch.no_grad():
            out = block(self.states[number], *args, **kwargs)
        return out[0] if isinstance(out, tuple) else out

    def run(self, block: torch.nn.Module) -> Iterator[tuple[int, torch.Tensor]]:
        """Outputs of a block, batch by batch."""
        for number in range(len(self.states)):
            yield number, self.run_one(number, block)

    def advance(self, block: torch.nn.Module) -> None:
        """Make the outputs of a block the inputs of the next."""
        for number, out in self.run(block):
            self.states[number] = out


@contextlib.contextmanager
def listening(
    block: torch.nn.Module, hooks: dict[str, Callable[[torch.Tensor], None]]
) -> Iterator[None]:
    """Call each function with the flattened input of the layer of this name, whenever that runs."""
    handles = []
    try:
        for name, function in hooks.items():
            handles.append(block.get_submodule(name).register_forward_pre_hook(_flat(function)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _flat(function: Callable[[torch.Tensor], None]) -> Callable[[Any, tuple[Any, ...]], None]:
    def hook(_: Any, args: tuple[Any, ...]) -> None:
        function(args[0].detach().reshape(-1, args[0].shape[-1]))

    return hook
