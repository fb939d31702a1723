"""Refits to what the dense model gives, from what the pruned one sees."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import torch

from ...pruning import Moments, PrunedUnits, match_outputs
from .collect import Split
from .edits import Edits
from .linear import bias_of, to_numpy, weight_of, with_weights
from .request import Request
from .stream import BlockInputs, listening


@dataclasses.dataclass
class Pair:
    """A block as it is being pruned with its inputs, and the dense one with those of the dense model."""

    inputs: BlockInputs
    block: torch.nn.Module
    dense_inputs: BlockInputs
    dense: torch.nn.Module

    def advance(self) -> None:
        """Go on to the next block."""
        self.inputs.advance(self.block)
        self.dense_inputs.advance(self.dense)

    def targets(self, names: Iterable[str]) -> dict[str, Split]:
        """Moments of what enters these layers now, with what the dense ones gave for the same tokens."""
        found: dict[str, Split] = {}
        for name in names:
            outputs, width = weight_of(self.block.get_submodule(name)).shape
            found[name] = Split(*(Moments(width, outputs=outputs) for _ in range(2)))
        now: dict[str, torch.Tensor] = {}
        then: dict[str, torch.Tensor] = {}
        for number in range(len(self.inputs.states)):
            with listening(self.dense, {name: _keeper(then, name) for name in found}):
                self.dense_inputs.run_one(number, self.dense)
            with listening(self.block, {name: _keeper(now, name) for name in found}):
                self.inputs.run_one(number, self.block)
            for name, split in found.items():
                with torch.no_grad():
                    layer: Any = self.dense.get_submodule(name)
                    y = to_numpy(layer.forward(then[name]))
                x = to_numpy(now[name])
                fit, test = self.inputs.current.split(len(x))
                split.fit.update(x[fit], y[fit])
                split.held_out.update(x[test], y[test])
        return found


def _keeper(store: dict[str, torch.Tensor], name: str) -> Any:
    def keep(rows: torch.Tensor) -> None:
        store[name] = rows

    return keep


def refit_level1(pair: Pair, names: Iterable[str], edits: Edits) -> None:
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
    split = pair.targets([name])[name]
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
