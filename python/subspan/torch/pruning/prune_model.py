"""Pruning a transformer in one call."""

from __future__ import annotations

import copy
import math
import time
from typing import Any

import numpy as np
import torch

from ..._progress import Progress
from ..._rng import seed_word
from ...pruning import PrunedUnits, allocate_budget, second_moment_scores
from .architecture import (
    Family,
    block_prefix,
    blocks_of,
    family_of,
    inner_activation,
    input_groups,
)
from .calibration import Batch, as_batches
from .collect import Measurement, Split, collect
from .edits import Edits
from .feed_forward import apply_heads, apply_units, mask_block, prune_heads_of, prune_units_of
from .linear import to_numpy, weight_of
from .report import LayerReport, PruningReport
from .request import Request, as_blocks
from .stream import BlockInputs, listening


def prune_model(
    model: Any,
    calibration: Any,
    *,
    sparsity: float,
    method: str = "goa",
    structured: bool = True,
    reconstruct: bool = True,
    heads: float = 0.0,
    sequential: bool = False,
    blocks: Any = None,
    budget: str = "uniform",
    multiple_of: int = 1,
    damping: float | str = "auto",
    bias: bool | str = "auto",
    pattern: str = "row",
    batch_size: int = 4,
    inplace: bool = False,
    rng: Any = None,
    progress: Any = None,
) -> PruningReport:
    """Make a transformer smaller, without retraining.

    Parameters
    ----------
    model : transformers model
        Of the Llama, Mistral, GPT-2, OPT, ViT or BERT family, with or without a head.
    calibration : tensor or array, or iterable of batches
        Token ids (rows, length), images (rows, channels, height, width), or dictionaries of model inputs;
        padding by their ``attention_mask`` does not count. Every fifth row is held out: damping is chosen
        and errors are reported there.
    sparsity : float
        Share of the inner units of the feed-forward modules to remove; of the weights to zero if not
        structured.
    method : str
        Structured, as in :func:`subspan.pruning.select_units`: "goa", "obs" (the least error), "weighted_id",
        "second_moment", "flap", ... Else "magnitude", "wanda", "sparsegpt" or "obs".
    structured : bool
        Remove units, which makes layers smaller, or zero single weights, which does not.
    reconstruct : bool
        Refit the matrices that read the units by least squares; "flap" repairs by its bias alone.
    heads : float
        Share of the attention heads to remove, in whole groups of heads that share keys and values.
    sequential : bool
        Prune front to back, every block seeing what the pruned ones before it give; else all statistics
        are of the dense model.
    blocks : iterable of int, optional
        Blocks to prune; all by default.
    budget : {"uniform", "global", "standardized"}
        How units to remove are divided over blocks, see :func:`subspan.pruning.allocate_budget`; but for
        "uniform", widths differ and the model is saved by :func:`save_pruned`.
    multiple_of : int
        Widths are multiples of this.
    damping : float or "auto"
        See :func:`subspan.pruning.reconstruct`.
    bias : bool or "auto"
        Whether the refitted matrices have a bias; "auto": if they had one.
    pattern : {"row", "unstructured"} or "N:M"
        Of masks.
    batch_size : int
        Rows that run together.
    inplace : bool
        Change the model itself, once everything has succeeded; else a copy.
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional

    Returns
    -------
    PruningReport
        ``report.model`` is the pruned model, in evaluation mode if the given one was; ``print(report)`` the
        table.

    Raises
    ------
    UnknownArchitecture
        If the family is not known or layers are quantised.
    IllegalHeadCount
        If the family cannot have so few heads.
    ValueError, NotEnoughSamples, SingularMoments
        If an argument is out of range, or the calibration does not determine the fit. The model is then as
        before.

    Notes
    -----
    Memory beside the model: the states between two blocks for all calibration tokens, and the moments of one
    block. Two passes of the calibration through the model. With another budget than "uniform" one more.

    Examples
    --------
    >>> import torch
    >>> from transformers import LlamaConfig, LlamaForCausalLM  # doctest: +SKIP
    >>> model = LlamaForCausalLM(LlamaConfig(...)).eval()  # doctest: +SKIP
    >>> report = prune_model(model, ids, sparsity=0.25, method="obs")  # doctest: +SKIP
    >>> report.model.save_pretrained("smaller")  # doctest: +SKIP
    """
    start = time.perf_counter()
    family = family_of(model)
    request = Request(
        sparsity=float(sparsity), heads=float(heads), method=method, structured=structured,
        reconstruct=reconstruct, sequential=sequential, rule=budget, multiple_of=multiple_of,
        damping=damping, pattern=pattern, bias=bias, seed=seed_word(rng),
        blocks=as_blocks(blocks, len(blocks_of(model, family))),
    )  # fmt: skip
    request.check(model, family)
    embeddings = model.get_input_embeddings()
    vocabulary = getattr(embeddings, "num_embeddings", None)
    batches = as_batches(calibration, batch_size, vocabulary)
    work = model if inplace else copy.deepcopy(model)
    before = parameters_of(work)
    was_training = work.training
    run = _Run(work, family, request, batches, Progress(progress, len(blocks_of(work, family))))
    with Edits() as edits:
        work.eval()
        try:
            run.prune(edits)
        finally:
            work.train(was_training)
        _configure(work, family, request, edits)
    return PruningReport(
        model=work,
        layers=tuple(run.reports),
        parameters_before=before,
        parameters_after=parameters_of(work),
        kept=run.kept,
        settings={
            "sparsity": sparsity, "heads": heads, "method": method, "structured": structured,
            "reconstruct": reconstruct, "sequential": sequential, "budget": budget,
            "damping": damping, "pattern": pattern, "rows": sum(len(b.held_out) for b in batches),
        },
        seconds=time.perf_counter() - start,
        seed=request.seed,
    )  # fmt: skip


def parameters_of(model: torch.nn.Module) -> int:
    """Parameters that are not zero, tied ones once."""
    return sum(int(torch.count_nonzero(p)) for p in model.parameters())


class _Run:
    """One pruning: block by block, with what has been found."""

    def __init__(
        self, model: Any, family: Family, request: Request, batches: list[Batch], work: Progress
    ) -> None:
        self.model, self.family, self.request = model, family, request
        self.batches, self.work = batches, work
        self.blocks = blocks_of(model, family)
        self.prefix = block_prefix(model, family)
        self.activation = inner_activation(model)
        self.reports: list[LayerReport] = []
        self.kept: dict[str, list[int]] = {}

    def prune(self, edits: Edits) -> None:
        widths = self.widths()
        inputs = BlockInputs(self.model, self.blocks[0], self.batches)
        for number, block in enumerate(self.blocks):
            with self.work.stage(f"block {number}"):
                if number not in self.request.blocks:
                    inputs.advance(block)
                elif self.request.structured:
                    self._units(inputs, number, block, widths.get(number, 0), edits)
                else:
                    self._masks(inputs, number, block, edits)

    def widths(self) -> dict[int, int]:
        """Units that every block keeps."""
        chosen, rule = self.request.blocks, self.request.rule
        sizes = [self._width(n) for n in chosen]
        if not self.request.structured or rule == "uniform":
            losses = [np.zeros(m) for m in sizes]
            rule = "uniform"
        else:
            losses = self._losses()
        kept = allocate_budget(
            losses, self.request.sparsity, rule=rule, multiple_of=self.request.multiple_of
        )
        return dict(zip(chosen, kept, strict=True))

    def _width(self, number: int) -> int:
        return int(weight_of(self.blocks[number].get_submodule(self.family.level2)).shape[1])

    def _losses(self) -> list[Any]:
        """Share of a module's output that dropping each unit costs, from one more pass."""
        inputs = BlockInputs(self.model, self.blocks[0], self.batches)
        losses = []
        for number, block in enumerate(self.blocks):
            if number in self.request.blocks:
                found = collect(inputs, block, [self.family.level2], gram="diag")
                W = to_numpy(weight_of(block.get_submodule(self.family.level2)))
                scores = second_moment_scores(W, found[self.family.level2].fit)
                losses.append(scores / max(float(scores.sum()), np.finfo(float).tiny))
            inputs.advance(block)
        return losses

    def _units(
        self, inputs: BlockInputs, number: int, block: torch.nn.Module, k: int, edits: Edits
    ) -> None:
        family, request = self.family, self.request
        if request.sequential and request.heads:
            # The feed-forward module then sees what the smaller attention gives.
            self._heads(inputs, number, block, edits)
        names = [family.level2]
        if request.method in ("goa", "goa_code"):
            names.append(family.level1[0])
        if request.heads and not request.sequential:
            names.append(family.output)
        found = collect(inputs, block, names)
        pruned = prune_units_of(block, family, found, k, self.activation, request)
        layer = block.get_submodule(family.level2)
        if request.sequential:
            apply_units(block, family, pruned, edits)
            inputs.advance(block)
            self._add(number, family.level2, layer, pruned, None)
            return
        # Dense throughout: measure while the dense block makes the inputs of the next.
        parts: list[tuple[str, PrunedUnits]] = [(family.level2, pruned)]
        if request.heads:
            parts.append((family.output, self._chosen_heads(block, found)))
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

    def _apply(
        self, block: torch.nn.Module, name: str, part: PrunedUnits, edits: Edits
    ) -> torch.nn.Module:
        if name == self.family.level2:
            return apply_units(block, self.family, part, edits)[1]
        shape = self.request.head_groups(self.model, self.family)
        return apply_heads(block, self.family, part, shape, self._head_dim(), edits)[1]

    def _heads(
        self, inputs: BlockInputs, number: int, block: torch.nn.Module, edits: Edits
    ) -> None:
        found = collect(inputs, block, [self.family.output])
        part = self._chosen_heads(block, found)
        old = block.get_submodule(self.family.output)
        self._apply(block, self.family.output, part, edits)
        self._add(number, self.family.output, old, part, None)

    def _chosen_heads(self, block: torch.nn.Module, found: dict[str, Split]) -> PrunedUnits:
        shape = self.request.head_groups(self.model, self.family)
        return prune_heads_of(block, self.family, found, shape, self._head_dim(), self.request)

    def _head_dim(self) -> int:
        config = self.model.config
        given = getattr(config, "head_dim", None)
        return int(given or config.hidden_size // config.num_attention_heads)

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
                full,
                int(weight_of(old).shape[1]),
                len(part.keep),
                p.relative,
                p.held_out,
                p.dropped,
                share,
                damping if math.isfinite(damping) else None,
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


def _configure(model: Any, family: Family, request: Request, edits: Edits) -> None:
    """Say the new sizes in the configuration, where it has words for them."""
    if not request.structured:
        return
    config = copy.deepcopy(model.config)
    blocks = blocks_of(model, family)
    layers = [block.get_submodule(family.level2) for block in blocks]
    widths = [int(weight_of(layer).shape[1]) for layer in layers]
    setattr(config, family.width, max(widths))
    if len(set(widths)) > 1:
        config.subspan_widths = widths
    if family.bias_entry and any(layer.bias is not None for layer in layers):
        setattr(config, family.bias_entry, True)
    if request.heads:
        _, kept, per_group = request.head_groups(model, family)
        config.head_dim = getattr(config, "head_dim", None) or (
            config.hidden_size // config.num_attention_heads
        )
        config.num_attention_heads = kept * per_group
        if getattr(config, "num_key_value_heads", None):
            config.num_key_value_heads = kept
    edits.set(model, "config", config)
