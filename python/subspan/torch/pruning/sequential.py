"""Refits to what the dense model gives, from what the pruned one sees."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from ...pruning import Moments, PrunedUnits, match_outputs
from .collect import Split
from .edits import Edits
from .linear import bias_of, rows_to_numpy, to_numpy, weight_of, with_weights
from .request import Request
from .stream import BlockInputs, listening


@dataclasses.dataclass
class Pair:
    """A block as it is being pruned with its inputs, and the dense one with those of the dense model."""

    inputs: BlockInputs
    block: torch.nn.Module
    dense_inputs: BlockInputs
    dense: torch.nn.Module
    last: str  # the layer whose outputs are the last to be added to the states
    pre_norm: bool

    def advance(self) -> None:
        """Go on to the next block."""
        self.inputs.advance(self.block)
        self.dense_inputs.advance(self.dense)

    def targets(self, names: Sequence[str], *, restore_states: bool = False) -> dict[str, Split]:
        """Moments of what enters these layers, one and the same, with what each should give.

        That is what the dense ones gave; to `restore_states`, for layers that add to them, also what these
        lack of the dense ones by then.
        """
        sizes = [weight_of(self.block.get_submodule(name)).shape for name in names]
        ends = list(itertools.accumulate((int(outputs) for outputs, _ in sizes), initial=0))
        together = Split(*(Moments(int(sizes[0][1]), outputs=ends[-1]) for _ in range(2)))
        for number in range(len(self.inputs.states)):
            then = self._heard(self.dense_inputs, number, self.dense, names)
            now = self._heard(self.inputs, number, self.block, names)
            wanted = [
                y + (then.before(name) - now.before(name)) if restore_states else y
                for name, y in then.outputs.items()
            ]
            y = to_numpy(torch.cat(wanted, 1))
            x = rows_to_numpy(now.entering[names[0]])
            fit, test = self.inputs.current.split(len(x))
            together.fit.update(x[fit], y[fit])
            together.held_out.update(x[test], y[test])
        parts = [slice(*pair) for pair in itertools.pairwise(ends)]
        return {
            name: Split(together.fit.of_outputs(part), together.held_out.of_outputs(part))
            for name, part in zip(names, parts, strict=True)
        }

    def _heard(
        self, inputs: BlockInputs, number: int, block: torch.nn.Module, names: Iterable[str]
    ) -> _Heard:
        entering: dict[str, torch.Tensor] = {}
        with listening(block, {name: _keeper(entering, name) for name in names}):
            out = inputs.run_one(number, block)
        with torch.no_grad():
            layers: dict[str, Any] = {name: block.get_submodule(name) for name in names}
            outputs = {name: layer.forward(entering[name]) for name, layer in layers.items()}
        return _Heard(entering, outputs, inputs.states[number], out, self.last)


@dataclasses.dataclass
class _Heard:
    """One pass of a batch through a block: of each layer what enters it and its outputs, flat."""

    entering: dict[str, torch.Tensor]
    outputs: dict[str, torch.Tensor]
    states_in: torch.Tensor
    states_out: torch.Tensor
    last: str

    def before(self, name: str) -> torch.Tensor:
        """The states to which a layer adds: those that leave the block, less what its last layer adds."""
        flat = self.states_in if name != self.last else self.states_out
        flat = flat.reshape(-1, flat.shape[-1])
        return flat - self.outputs[name] if name == self.last else flat


def _keeper(store: dict[str, torch.Tensor], name: str) -> Any:
    def keep(rows: torch.Tensor) -> None:
        store[name] = rows

    return keep


def refit_level1(pair: Pair, names: Sequence[str], edits: Edits) -> None:
    """Refit whole layers to their dense outputs (steps 1 and 2 of GOA's Algorithm 1)."""
    found = pair.targets(names)
    for name, split in found.items():
        layer = pair.block.get_submodule(name)
        bias = bias_of(layer)
        r = match_outputs(
            to_numpy(weight_of(layer)),
            split.fit,
            bias=None if bias is None else to_numpy(bias),
            held_out=split.test,
        )
        new = None if r.bias is None else torch.as_tensor(r.bias)
        edits.replace(pair.block, name, with_weights(layer, torch.as_tensor(r.W), new))


def matched(pair: Pair, name: str, part: PrunedUnits, request: Request) -> PrunedUnits:
    """The same units, with weights that are fitted to the dense outputs."""
    layer = pair.block.get_submodule(name)
    bias = bias_of(layer)
    split = pair.targets([name], restore_states=pair.pre_norm)[name]
    wide = None if bias is None else to_numpy(bias)
    if wide is None and part.bias is not None:
        wide = part.bias * 0
    r = match_outputs(
        to_numpy(weight_of(layer)),
        split.fit,
        keep=part.keep,
        bias=wide,
        damping=request.damping,
        held_out=split.test,
    )
    return dataclasses.replace(part, W=r.W, bias=r.bias, reconstruction=r)
