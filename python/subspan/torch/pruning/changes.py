"""The changes of one block: feed-forward units, heads, and single weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ... import pruning as arrays
from .architecture import Family, input_groups
from .collect import Split
from .edits import Edits
from .head_plan import HeadPlan
from .linear import bias_of, to_numpy, weight_of, with_rows, with_weights
from .report import LayerReport
from .request import Request


def repair_mode(layer: torch.nn.Module, request: Request) -> str:
    """How the second matrix makes up for lost units."""
    with_bias = layer.bias is not None if request.bias == "auto" else bool(request.bias)
    if not request.reconstruct:
        return "bias" if request.method == "flap" and with_bias else "none"
    if request.method == "flap" and with_bias:
        return "bias"  # what the method is
    return "ls+bias" if with_bias else "ls"


def prune_units_of(
    block: torch.nn.Module,
    family: Family,
    found: dict[str, Split],
    k: int,
    activation: str,
    request: Request,
) -> arrays.PrunedUnits:
    """Choose feed-forward units of a block and refit its second matrix; the block is not changed."""
    layer = block.get_submodule(family.level2)
    bias = bias_of(layer)
    inputs = found[family.level1[0]].fit if family.level1[0] in found else None
    first = [to_numpy(weight_of(block.get_submodule(n))) for n in family.level1]
    return arrays.prune_units(
        to_numpy(weight_of(layer)),
        found[family.level2].fit,
        k,
        bias=None if bias is None else to_numpy(bias),
        method=request.method,
        mode=repair_mode(layer, request),
        damping=request.damping,
        held_out=found[family.level2].test,
        level1=first,
        input_moments=inputs,
        activation=activation,
        rng=request.seed,
    )


def apply_units(
    block: torch.nn.Module, family: Family, pruned: arrays.PrunedUnits, edits: Edits
) -> torch.nn.Module:
    """Make the layers of a block smaller; the new second one is returned."""
    layer = block.get_submodule(family.level2)
    bias = None if pruned.bias is None else torch.as_tensor(pruned.bias)
    new = with_weights(layer, torch.as_tensor(pruned.W), bias)
    for name in family.level1:
        old = block.get_submodule(name)
        smaller = with_rows(old, pruned.keep)
        if bias is not None and layer.bias is None and old.bias is None:
            # The configuration has one entry for the biases of all three.
            smaller = with_weights(smaller, weight_of(smaller), torch.zeros(len(pruned.keep)))
        edits.replace(block, name, smaller)
    edits.replace(block, family.level2, new)
    return new


def prune_heads_of(
    block: torch.nn.Module,
    family: Family,
    found: dict[str, Split],
    plan: HeadPlan,
    request: Request,
) -> arrays.PrunedUnits:
    """Choose heads and refit the output projection; the block is not changed."""
    layer = block.get_submodule(family.output)
    bias = bias_of(layer)
    method = request.method if request.method not in ("goa", "goa_code") else "second_moment"
    return arrays.prune_units(
        to_numpy(weight_of(layer)),
        found[family.output].fit,
        plan.kept_units,
        bias=None if bias is None else to_numpy(bias),
        method=method,
        mode="ls" if request.reconstruct else "none",
        damping=request.damping,
        held_out=found[family.output].test,
        groups=plan.units,
        balance=plan.balance,
        rng=request.seed,
    )


def apply_heads(
    block: torch.nn.Module,
    family: Family,
    pruned: arrays.PrunedUnits,
    plan: HeadPlan,
    edits: Edits,
) -> torch.nn.Module:
    """Cut heads out of the projections of a block; the new one that reads them is returned."""
    shared = plan.key_rows(pruned.keep)
    for name, rows in zip(family.qkv, (pruned.keep, shared, shared), strict=True):
        edits.replace(block, name, with_rows(block.get_submodule(name), rows))
    layer = block.get_submodule(family.output)
    bias = None if pruned.bias is None else torch.as_tensor(pruned.bias)
    new = with_weights(layer, torch.as_tensor(pruned.W), bias)
    edits.replace(block, family.output, new)
    owner: Any = block.get_submodule(family.output.rpartition(".")[0])
    sizes = {"num_attention_heads": plan.kept, "num_key_value_groups": plan.kept // plan.kept_kv}
    for name, value in sizes.items():
        if hasattr(owner, name):
            edits.set(owner, name, value)
    return new


def mask_block(
    block: torch.nn.Module,
    family: Family,
    found: dict[str, Split],
    prefix: str,
    request: Request,
    edits: Edits,
) -> list[LayerReport]:
    """Zero single weights of all linear layers of a block."""
    reports = []
    for names in input_groups(family):
        split = found[names[0]]
        for name in names:
            layer = block.get_submodule(name)
            masked = _mask(to_numpy(weight_of(layer)), split, request)
            new = with_weights(layer, torch.as_tensor(masked.W), bias_of(layer))
            edits.replace(block, name, new)
            p = masked.predicted
            assert p is not None
            reports.append(
                LayerReport(
                    name=f"{prefix}.{name}",
                    before=masked.W.size,
                    after=int(np.count_nonzero(masked.W)),
                    predicted=p.relative,
                    held_out=p.held_out,
                    dropped=p.dropped,
                    dropped_held_out=p.dropped_held_out,
                    measured=None,
                    damping=None,
                )
            )
    return reports


def mask_matched(
    block: torch.nn.Module, name: str, split: Split, prefix: str, request: Request, edits: Edits
) -> LayerReport:
    """Zero single weights of what fits a layer's targets best: one step of I-OBS.

    The fit is the Newton step on their squared error, which is quadratic; SparseGPT is the projection.
    """
    layer = block.get_submodule(name)
    W, b = to_numpy(weight_of(layer)), bias_of(layer)
    bias = None if b is None else to_numpy(b)
    best = arrays.match_outputs(W, split.fit, bias=bias, held_out=split.test)
    damping = 1e-2 if request.damping == "auto" else float(request.damping)
    share = request.sparsity if ":" not in request.pattern else None
    masked = arrays.sparsegpt(best.W, split.fit, share, pattern=request.pattern, damping=damping)

    def predicted(weights: NDArray[np.float64]) -> arrays.PredictedError:
        """The error of these weights as they are."""
        return arrays.match_outputs(
            weights, split.fit, bias=best.bias, damping=np.inf, held_out=split.test
        ).predicted

    after, dropped = predicted(masked.W), predicted(np.where(masked.mask, W, 0.0))
    new_bias = None if best.bias is None else torch.as_tensor(best.bias)
    edits.replace(block, name, with_weights(layer, torch.as_tensor(masked.W), new_bias))
    return LayerReport(
        name=f"{prefix}.{name}",
        before=W.size,
        after=int(np.count_nonzero(masked.W)),
        predicted=after.relative,
        held_out=after.held_out,
        dropped=dropped.relative,
        dropped_held_out=dropped.held_out,
        measured=None,
        damping=best.damping if np.isfinite(best.damping) else None,
    )


def _mask(W: NDArray[np.float64], split: Split, request: Request) -> arrays.MaskedWeights:
    options: dict[str, Any] = {"pattern": request.pattern, "held_out": split.test}
    sparsity = request.sparsity if ":" not in request.pattern else None
    if request.method == "magnitude":
        return arrays.magnitude(W, sparsity, moments=split.fit, **options)
    if request.method == "wanda":
        return arrays.wanda(W, split.fit, sparsity, **options)
    if request.damping != "auto":
        options["damping"] = request.damping
    run = arrays.sparsegpt if request.method == "sparsegpt" else arrays.obs
    return run(W, split.fit, sparsity, **options)
