"""How much the outputs of a model change when one block alone is pruned, and widths by that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..._progress import Progress
from ...pruning import PrunedUnits, allocate_budget, reconstruct, select_units
from .architecture import Family, blocks_of, family_of
from .calibration import Batch, as_batches, inputs_on
from .changes import apply_units
from .edits import Edits
from .linear import to_numpy, weight_of
from .request import as_blocks
from .statistics import ModelStatistics

_ROWS = 16  # held-out rows on which outputs are compared, at most
_LEAST = 0.5  # of the asked share of its units every block keeps: prices are measured at that share


def measure_budget(
    model: Any,
    calibration: Any,
    statistics: ModelStatistics,
    sparsity: float,
    *,
    blocks: Any = None,
    unit_costs: Sequence[float] | None = None,
    multiple_of: int = 1,
    batch_size: int = 4,
    progress: Any = None,
) -> list[int]:
    """Divide the units to remove over blocks by what each block does to the outputs of the model.

    Every block is pruned alone to the asked sparsity, by "obs" with least squares, and the divergence of the
    outputs from the dense ones is measured on held-out rows. That fixes the price of a share of its
    module's output; the share as a function of the width is known from the removals. Widths are chosen
    that cost least in all.

    Parameters
    ----------
    model : transformers model
        Put back as it was.
    calibration, batch_size
        As in :func:`prune_model`; sixteen held-out rows at most are used.
    statistics : ModelStatistics
        Of the model.
    sparsity : float
        Share of all units to remove, or of their cost.
    blocks : iterable of int, optional
    unit_costs : sequence of float, optional
        What one unit of each of `blocks` costs, for instance :func:`unit_seconds`; alike by default.
    multiple_of : int
        Widths are multiples of this.
    progress : bool or callable, optional

    Returns
    -------
    list of int
        Units that each of `blocks` keeps, for ``prune_model(..., budget=widths)``.

    Raises
    ------
    ValueError
        If no rows are held out or an argument is out of range.

    Notes
    -----
    A forward pass of the rows per block. The divergence is KL(dense | pruned) of the predicted
    distributions; of models without a head, the squared distance of the last states. Shares of a module's
    output are no measure across blocks: where a few tokens have huge activations, all that matters of
    the output can be a thousandth of its energy.
    """
    family = family_of(model)
    chosen = as_blocks(blocks, len(blocks_of(model, family)))
    statistics.require_of(model, chosen)
    if not 0 <= sparsity < 1:
        raise ValueError(f"sparsity={sparsity} must lie in [0, 1)")
    held = held_out_rows(as_batches(calibration, batch_size, None))
    was_training = model.training
    model.eval()
    try:
        reference = _Reference(model, held)
        work, losses = Progress(progress, len(chosen)), []
        for number in chosen:
            with work.stage(f"block {number}"):
                losses.append(_losses(model, family, number, statistics, sparsity, reference))
    finally:
        model.train(was_training)
    return allocate_budget(
        losses, sparsity, rule="global", unit_costs=unit_costs, min_keep=_least(sparsity),
        multiple_of=multiple_of,
    )  # fmt: skip


def held_out_rows(batches: list[Batch]) -> list[Batch]:
    """Some of the rows that are held out, as batches of their own."""
    found: list[Batch] = []
    left = _ROWS
    for batch in batches:
        rows = np.flatnonzero(batch.held_out)[:left]
        if len(rows):
            inputs = {k: torch.as_tensor(v)[rows] for k, v in batch.inputs.items()}
            used = None if batch.used is None else batch.used[rows]
            found.append(Batch(inputs, np.ones(len(rows), bool), used))
            left -= len(rows)
    if not found:
        raise ValueError("calibration has fewer than five rows: none is held out to measure on")
    return found


def _losses(
    model: Any,
    family: Family,
    number: int,
    statistics: ModelStatistics,
    sparsity: float,
    reference: _Reference,
) -> NDArray[np.float64]:
    """Divergence that each removal from a block adds, in order."""
    block = blocks_of(model, family)[number]
    layer: Any = block.get_submodule(family.level2)
    W, split = to_numpy(weight_of(layer)), statistics.blocks[number][family.level2]
    m = W.shape[1]
    least, asked = int(np.ceil(_least(sparsity) * m)), m - round(sparsity * m)
    path = select_units(W, split.fit, least, method="obs")
    costs = np.maximum(path.scores[path.order], 0.0)
    # What goes first at any width goes first at the asked one.
    keep = np.setdiff1d(np.arange(m), path.order[: max(m - asked, 1)])
    fit = reconstruct(
        W, split.fit, keep, mode="ls" if layer.bias is None else "ls+bias",
        bias=None if layer.bias is None else to_numpy(layer.bias), held_out=split.test,
    )  # fmt: skip
    part = PrunedUnits(keep, fit.W, fit.bias, path, fit)
    with Edits(undo=True) as edits:
        apply_units(block, family, part, edits)
        change = reference.change(model)
    share = float(costs[: m - len(keep)].sum())
    # Units that stay at every width cost more than all others.
    rest = np.full(least, costs.max(initial=0.0))
    price = change / share if share > 0 else 0.0
    return price * np.concatenate([costs, rest])


def _least(sparsity: float) -> float:
    return _LEAST * (1 - sparsity)


class _Reference:
    """What the dense model makes of some rows."""

    def __init__(self, model: Any, rows: list[Batch]) -> None:
        self.rows = rows
        self.dense = [_outputs(model, batch) for batch in rows]

    def change(self, model: Any) -> float:
        """KL(dense | now), summed over tokens; of models without a head, the squared distance."""
        total = 0.0
        for batch, (dense, headed) in zip(self.rows, self.dense, strict=True):
            new, _ = _outputs(model, batch)
            if headed:
                total += float(
                    torch.nn.functional.kl_div(new, dense, reduction="sum", log_target=True)
                )
            else:
                total += float(((new - dense).double() ** 2).sum())
        return max(total, 0.0)


def _outputs(model: Any, batch: Batch) -> tuple[torch.Tensor, bool]:
    """Log-probabilities, or last states of a model without a head, of the tokens that count."""
    with torch.no_grad():
        found = model(**inputs_on(model, batch.inputs))
    headed = hasattr(found, "logits")
    out = found.logits if headed else found.last_hidden_state
    flat: torch.Tensor = out.reshape(-1, out.shape[-1]).float()
    if batch.used is not None and batch.used.size == len(flat):
        flat = flat[torch.as_tensor(batch.used.ravel(), device=flat.device)]
    return (torch.log_softmax(flat, -1) if headed else flat), headed
