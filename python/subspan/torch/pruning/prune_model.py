"""Pruning a transformer in one call."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import torch

from ..._progress import Progress
from ..._rng import seed_word
from .architecture import Family, blocks_of, family_of, linear_names
from .calibration import Batch, as_batches
from .edits import Edits
from .linear import weight_of
from .report import PruningReport
from .request import Request, as_blocks
from .run import Run
from .sensitivity import measure_budget
from .statistics import ModelStatistics, collect_statistics


def prune_model(
    model: Any,
    calibration: Any,
    *,
    sparsity: float,
    method: str = "goa",
    structured: bool = True,
    reconstruct: bool | str = True,
    heads: float = 0.0,
    sequential: bool = False,
    blocks: Any = None,
    budget: str | Sequence[int] = "uniform",
    unit_costs: Sequence[float] | None = None,
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
    calibration : tensor or array, iterable of batches, or ModelStatistics
        Token ids (rows, length), images (rows, channels, height, width), or dictionaries of model inputs;
        padding by their ``attention_mask`` does not count. Every fifth row is held out: damping is chosen
        and errors are reported there. What :func:`collect_statistics` found in such data may stand
        for it, unless `sequential`.
    sparsity : float
        Share of the inner units of the feed-forward modules to remove; of the weights to zero if not
        structured.
    method : str
        Structured, as in :func:`subspan.pruning.select_units`: "goa", "obs" (the least error), "weighted_id",
        "second_moment", "flap", ... Else "magnitude", "wanda", "sparsegpt", "obs", or "iobs": block by
        block, layers are fitted to what best restores the dense states, and SparseGPT prunes the fit.
    structured : bool
        Remove units, which makes layers smaller, or zero single weights, which does not.
    reconstruct : bool or "two_step"
        Refit the matrices that read the units by least squares; "flap" repairs by its bias alone. "two_step",
        with sequential=True, also refits both levels of every module to the dense outputs before its
        units are chosen (GOA).
    heads : float
        Share of the attention heads to remove. Where heads share keys and values, as many leave every
        group if that is possible, else whole groups leave.
    sequential : bool
        Prune front to back, every block seeing what the pruned ones before it give and fitted to what the
        dense one gave, and where a layer adds to the states also to what these lack by then; "iobs" always
        does. Else all statistics are of the dense model.
    blocks : iterable of int, optional
        Blocks to prune; all by default.
    budget : {"uniform", "global", "standardized", "measured"} or sequence of int
        How units to remove are divided over blocks: "measured" by what each block does to the outputs, see
        :func:`measure_budget`; the others by shares of the module's output, see
        :func:`subspan.pruning.allocate_budget`, which in language models can mislead by far. Or the units
        that each block keeps. But for "uniform", widths differ and the model is saved by
        :func:`save_pruned`.
    unit_costs : sequence of float, optional
        What one unit of each block costs: parameters, operations or seconds (:func:`unit_seconds`); alike by
        default. `sparsity` is then the share of the cost that the budget removes.
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
    Memory beside the model and the smaller one: the states between two blocks for all calibration tokens, and
    the moments of one block. Two passes of the calibration through the model, four if sequential. With
    another budget than "uniform" one more.

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
        reconstruct=reconstruct, sequential=sequential, multiple_of=multiple_of,
        rule=budget if isinstance(budget, str) else tuple(int(k) for k in budget),
        unit_costs=None if unit_costs is None else tuple(float(c) for c in unit_costs),
        damping=damping, pattern=pattern, bias=bias, seed=seed_word(rng),
        blocks=as_blocks(blocks, len(blocks_of(model, family))),
    )  # fmt: skip
    request.check(model, family)
    embeddings = model.get_input_embeddings()
    vocabulary = getattr(embeddings, "num_embeddings", None)
    given: list[Batch] | ModelStatistics
    if isinstance(calibration, ModelStatistics):
        if sequential:
            raise ValueError(
                "sequential=True needs calibration data; statistics are of the dense model"
            )
        calibration.require_of(model, request.blocks)
        given, rows = calibration, calibration.rows
    else:
        given = as_batches(calibration, batch_size, vocabulary)
        rows = sum(len(b.held_out) for b in given)
    if request.rule == "measured":
        request = _measured(request, model, calibration, given, batch_size)
    work = model if inplace else _working_copy(model, family, request)
    before = parameters_of(work)
    was_training = work.training
    run = Run(work, family, request, given, Progress(progress, len(blocks_of(work, family))))
    try:
        with Edits() as edits:
            work.eval()
            run.prune(edits)
            _configure(work, family, request, edits)
    finally:
        work.train(was_training)
    return PruningReport(
        model=work,
        layers=tuple(run.reports),
        parameters_before=before,
        parameters_after=parameters_of(work),
        kept=run.kept,
        settings={
            "sparsity": sparsity, "heads": heads, "method": method, "structured": structured,
            "reconstruct": reconstruct, "sequential": sequential,
            "budget": request.rule if isinstance(request.rule, str) else list(request.rule),
            "unit_costs": None if unit_costs is None else list(unit_costs),
            "damping": damping, "pattern": pattern, "rows": rows,
        },
        seconds=time.perf_counter() - start,
        seed=request.seed,
    )  # fmt: skip


def _working_copy(model: Any, family: Family, request: Request) -> Any:
    """A copy of all but the parameters that only layers to be replaced have: shared until then."""
    whole = request.heads or not request.structured
    names = linear_names(family) if whole else (*family.level1, family.level2)
    blocks = blocks_of(model, family)
    layers = {blocks[n].get_submodule(name) for n in request.blocks for name in names}
    others = (part for part in model.modules() if part not in layers)
    stay = {id(p) for part in others for p in part.parameters(recurse=False)}
    replaced = (p for layer in layers for p in layer.parameters() if id(p) not in stay)
    return copy.deepcopy(model, {id(p): p for p in replaced})


def _measured(
    request: Request, model: Any, calibration: Any, given: Any, batch_size: int
) -> Request:
    """The request with the widths that measuring gives."""
    if isinstance(given, ModelStatistics):
        raise ValueError(
            "budget='measured' needs calibration data; see measure_budget for statistics"
        )
    statistics = collect_statistics(
        model, calibration, blocks=request.blocks, batch_size=batch_size
    )
    widths = measure_budget(
        model, calibration, statistics, request.sparsity, blocks=request.blocks,
        unit_costs=request.unit_costs, multiple_of=request.multiple_of, batch_size=batch_size,
    )  # fmt: skip
    return dataclasses.replace(request, rule=tuple(widths), unit_costs=None)


def parameters_of(model: torch.nn.Module) -> int:
    """Parameters that are not zero, tied ones once."""
    return sum(int(torch.count_nonzero(p)) for p in model.parameters())


def _configure(model: Any, family: Family, request: Request, edits: Edits) -> None:
    """Say the new sizes in the configuration, where it has words for them."""
    config = copy.deepcopy(model.config)
    edits.set(model, "config", config)
    _forget_file_format(model, edits)
    if not request.structured:
        return
    blocks = blocks_of(model, family)
    layers = [block.get_submodule(family.level2) for block in blocks]
    widths = [int(weight_of(layer).shape[1]) for layer in layers]
    setattr(config, family.width, max(widths))
    if len(set(widths)) > 1:
        config.subspan_widths = widths
    if family.bias_entry and any(layer.bias is not None for layer in layers):
        setattr(config, family.bias_entry, True)
    if request.heads:
        plan = request.head_plan(model, family)
        config.head_dim = plan.head_dim
        config.num_attention_heads = plan.kept
        if getattr(config, "num_key_value_heads", None):
            config.num_key_value_heads = plan.kept_kv


def _forget_file_format(model: Any, edits: Edits) -> None:
    """Let a model read from a GGUF file be saved: its layers are plain, as `family_of` has seen."""
    quantization = getattr(model.config, "quantization_config", None)
    if quantization is None:
        return
    del model.config.quantization_config
    edits.set(model, "hf_quantizer", None)
