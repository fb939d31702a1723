"""Moments of the inputs of a block's linear layers, fitted and held-out rows apart."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...pruning import Moments
from .linear import rows_to_numpy, weight_of
from .stream import BlockInputs, listening


@dataclasses.dataclass
class Split:
    """Moments of the rows to fit, and of those that are held out."""

    fit: Moments
    held_out: Moments

    @property
    def test(self) -> Moments | None:
        """The held-out rows; None if there are none."""
        return self.held_out if self.held_out.n else None


def collect(
    inputs: BlockInputs,
    block: torch.nn.Module,
    names: Iterable[str],
    *,
    gram: str = "full",
    advance: bool = False,
) -> dict[str, Split]:
    """One pass of all batches through a block, whose outputs become the inputs if `advance`."""
    widths = {name: int(weight_of(block.get_submodule(name)).shape[1]) for name in names}
    found = {n: Split(Moments(w, gram=gram), Moments(w, gram=gram)) for n, w in widths.items()}

    def add(name: str, rows: torch.Tensor) -> None:
        fit, test = inputs.current.split(len(rows))
        data = rows_to_numpy(rows)
        found[name].fit.update(data[fit])
        found[name].held_out.update(data[test])

    with listening(block, {name: functools.partial(add, name) for name in widths}):
        if advance:
            inputs.advance(block)
        else:
            for _ in inputs.run(block):
                pass
    return found


class Measurement:
    """Share of a linear layer's output, without bias, that a narrower one in its place changes."""

    def __init__(self, inputs: BlockInputs, layer: Any, new: Any, kept: NDArray[np.int64]) -> None:
        self.inputs, self.layer, self.new = inputs, layer, new
        self.kept = torch.as_tensor(kept, device=layer.weight.device)
        self.lost = self.whole = 0.0

    def see(self, rows: torch.Tensor) -> None:
        """Compare on the held-out ones of these inputs."""
        rows = rows[torch.as_tensor(self.inputs.current.split(len(rows))[1], device=rows.device)]
        if len(rows):
            before = self.layer.forward(rows)  # not through the hooks, of which this is one
            self.lost += float(((before - self.new(rows[:, self.kept])).double() ** 2).sum())
            bias = 0.0 if self.layer.bias is None else self.layer.bias
            self.whole += float(((before - bias).double() ** 2).sum())

    @property
    def share(self) -> float | None:
        """None if nothing was held out."""
        return self.lost / self.whole if self.whole > 0 else None
