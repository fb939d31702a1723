"""The passes of one pruning through the blocks of a model."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch

from ..._progress import Progress
from ...pruning import PrunedUnits, allocate_budget, second_moment_scores
from .architecture import (
    Family,
    block_prefix,
    blocks_of,
    inner_activation,
    input_groups,
    pre_norm,
)
from .calibration import Batch
from .changes import (
    apply_heads,
    apply_units,
    mask_block,
    mask_matched,
    prune_heads_of,
    prune_units_of,
)
from .collect import Measurement, Split, collect
from .edits import Edits
from .head_plan import HeadPlan
from .linear import to_numpy, weight_of
from .report import LayerReport
from .request import Request
from .sequential import Pair, matched, refit_level1
from .statistics import ModelStatistics
from .stream import BlockInputs, listening


class Run:
    """One pruning: block by block, with what has been found."""

    def __init__(
        self,
        model: Any,
        family: Family,
        request: Request,
        calibration: list[Batch] | ModelStatistics,
        work: Progress,
    ) -> None:
        self.model, self.family, self.request = model, family, request
        self.statistics = calibration if isinstance(calibration, ModelStatistics) else None
        self.batches = calibration if isinstance(calibration, list) else []
        self.work = work
        self.blocks = blocks_of(model, family)
        self.prefix = block_prefix(model, family)
        self.activation = inner_activation(model)
        self.reports: list[LayerReport] = []
        self.kept: dict[str, list[int]] = {}

    def prune(self, edits: Edits) -> None:
        """Prune all blocks, front to back."""
        widths = self.widths()
        if self.statistics is not None:
            self._from_statistics(self.statistics, widths, edits)
            return
        inputs = BlockInputs(self.model, self.blocks[0], self.batches)
        dense = inputs.copy() if self.request.follows_dense else None
        for number, block in enumerate(self.blocks):
            with self.work.stage(f"block {number}"):
                if number not in self.request.blocks:
                    inputs.advance(block)
                    if dense is not None:
                        dense.advance(block)
                elif dense is not None:
                    pair = Pair(
                        inputs, block, dense, _copied_tree(block), self.family.level2,
                        pre_norm(self.model, self.family),
                    )  # fmt: skip
                    if self.request.structured:
                        self._in_sequence(pair, number, widths[number], edits)
                    else:
                        self._masks_in_sequence(pair, number, edits)
                elif self.request.structured:
                    self._units(inputs, number, block, widths[number], edits)
                else:
                    self._masks(inputs, number, block, edits)

    def widths(self) -> dict[int, int]:
        """Units that every block keeps."""
        chosen, rule = self.request.blocks, self.request.rule
        if not isinstance(rule, str):
            return dict(zip(chosen, rule, strict=True))
        sizes = [self._width(n) for n in chosen]
        if not self.request.structured or rule == "uniform":
            losses = [np.zeros(m) for m in sizes]
            rule = "uniform"
        else:
            losses = self._losses()
        kept = allocate_budget(
            losses, self.request.sparsity, rule=rule, unit_costs=self.request.unit_costs,
            multiple_of=self.request.multiple_of,
        )  # fmt: skip
        return dict(zip(chosen, kept, strict=True))

    def _width(self, number: int) -> int:
        return int(weight_of(self.blocks[number].get_submodule(self.family.level2)).shape[1])

    def _losses(self) -> list[Any]:
        """Share of a module's output that dropping each unit costs, from one more pass."""
        if self.statistics is not None:
            moments = {n: self.statistics.blocks[n] for n in self.request.blocks}
        else:
            inputs = BlockInputs(self.model, self.blocks[0], self.batches)
            moments = {}
            for number, block in enumerate(self.blocks):
                moments[number] = collect(
                    inputs, block, [self.family.level2], gram="diag", advance=True
                )
        losses = []
        for number in self.request.blocks:
            W = to_numpy(weight_of(self.blocks[number].get_submodule(self.family.level2)))
            scores = second_moment_scores(W, moments[number][self.family.level2].fit)
            losses.append(scores / max(float(scores.sum()), np.finfo(float).tiny))
        return losses

    def _units(
        self, inputs: BlockInputs, number: int, block: torch.nn.Module, k: int, edits: Edits
    ) -> None:
        family, request = self.family, self.request
        names = [family.level2]
        if request.method in ("goa", "goa_code"):
            names.append(family.level1[0])
        if request.heads:
            names.append(family.output)
        found = collect(inputs, block, names)
        parts = self._parts(block, found, k)
        # Dense throughout: measure while the dense block makes the inputs of the next.
        dense = _copied_tree(block)
        measured = []
        for name, part in parts:
            old = block.get_submodule(name)
            new = self._apply(block, name, part, edits)
            measured.append((name, old, part, Measurement(inputs, old, new, part.keep)))
        with listening(dense, {name: m.see for name, _, _, m in measured}):
            inputs.advance(dense)
        for name, old, part, m in measured:
            self._add(number, name, old, part, m.share)

    def _parts(
        self, block: torch.nn.Module, found: dict[str, Split], k: int
    ) -> list[tuple[str, PrunedUnits]]:
        """What stays of the feed-forward module, and of the heads if some are to go."""
        family, request = self.family, self.request
        units = prune_units_of(block, family, found, k, self.activation, request)
        parts: list[tuple[str, PrunedUnits]] = [(family.level2, units)]
        if request.heads:
            parts.append((family.output, self._chosen_heads(block, found)))
        return parts

    def _from_statistics(
        self, statistics: ModelStatistics, widths: dict[int, int], edits: Edits
    ) -> None:
        """Prune all blocks by moments that have been collected before."""
        for number in self.request.blocks:
            block, found = self.blocks[number], statistics.blocks[number]
            with self.work.stage(f"block {number}"):
                if not self.request.structured:
                    prefix = f"{self.prefix}.{number}"
                    self.reports += mask_block(
                        block, self.family, found, prefix, self.request, edits
                    )
                    continue
                for name, part in self._parts(block, found, widths[number]):
                    old = block.get_submodule(name)
                    self._apply(block, name, part, edits)
                    self._add(number, name, old, part, None)

    def _apply(
        self, block: torch.nn.Module, name: str, part: PrunedUnits, edits: Edits
    ) -> torch.nn.Module:
        if name == self.family.level2:
            return apply_units(block, self.family, part, edits)
        return apply_heads(block, self.family, part, self._head_plan(), edits)

    def _in_sequence(self, pair: Pair, number: int, k: int, edits: Edits) -> None:
        """Prune a block that sees what the pruned ones give, towards what the dense ones gave."""
        family, request = self.family, self.request
        two_step = request.reconstruct == "two_step"
        for name in (family.output, family.level2) if request.heads else (family.level2,):
            block = pair.block
            if two_step:
                refit_level1(pair, family.qkv if name == family.output else family.level1, edits)
            extra = [family.level1[0]] if request.method in ("goa", "goa_code") else []
            found = collect(pair.inputs, block, [name, *extra])
            if two_step:
                refit_level1(pair, (name,), edits)
            old = block.get_submodule(name)
            if name == family.output:
                part = self._chosen_heads(block, found)
            else:
                part = prune_units_of(block, family, found, k, self.activation, request)
            if request.reconstruct and request.method != "flap":
                part = matched(pair, name, part, request)
            self._apply(block, name, part, edits)
            self._add(number, name, old, part, None)
        pair.advance()

    def _chosen_heads(self, block: torch.nn.Module, found: dict[str, Split]) -> PrunedUnits:
        return prune_heads_of(block, self.family, found, self._head_plan(), self.request)

    def _head_plan(self) -> HeadPlan:
        return self.request.head_plan(self.model, self.family)

    def _masks_in_sequence(self, pair: Pair, number: int, edits: Edits) -> None:
        """Zero weights group by group, each of what best restores what the dense block gave."""
        family = self.family
        for names in input_groups(family):
            adds = pair.pre_norm and names in ((family.output,), (family.level2,))
            found = pair.targets(names, restore_states=adds)
            prefix = f"{self.prefix}.{number}"
            self.reports += [
                mask_matched(pair.block, name, found[name], prefix, self.request, edits)
                for name in names
            ]
        pair.advance()

    def _masks(
        self, inputs: BlockInputs, number: int, block: torch.nn.Module, edits: Edits
    ) -> None:
        found = collect(inputs, block, [names[0] for names in input_groups(self.family)])
        if not self.request.sequential:
            inputs.advance(block)
        prefix = f"{self.prefix}.{number}"
        self.reports += mask_block(block, self.family, found, prefix, self.request, edits)
        if self.request.sequential:
            inputs.advance(block)

    def _add(
        self, number: int, name: str, old: torch.nn.Module, part: PrunedUnits, share: float | None
    ) -> None:
        full = f"{self.prefix}.{number}.{name}"
        p, damping = part.predicted, part.reconstruction.damping
        self.kept[full] = [int(j) for j in part.keep]
        self.reports.append(
            LayerReport(
                name=full,
                before=int(weight_of(old).shape[1]),
                after=len(part.keep),
                predicted=p.relative,
                held_out=p.held_out,
                dropped=p.dropped,
                dropped_held_out=p.dropped_held_out,
                measured=share,
                damping=damping if math.isfinite(damping) else None,
            )
        )


def _copied_tree(module: torch.nn.Module) -> torch.nn.Module:
    """The same layers in containers of their own: replacing one in the original leaves it here."""
    twin = copy.copy(module)
    twin._modules = {
        name: child if child is None or not child._modules else _copied_tree(child)
        for name, child in module._modules.items()
    }
    return twin
