"""What is asked of a pruning, checked against the model before anything is done."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ...pruning.budget import RULES
from ...pruning.select import METHODS as UNIT_METHODS
from .architecture import Family, blocks_of
from .head_plan import HeadPlan, head_plan
from .linear import weight_of

MASK_METHODS = ("magnitude", "wanda", "sparsegpt", "obs", "iobs")
BIASES = ("auto", True, False)


@dataclasses.dataclass(frozen=True)
class Request:
    """The arguments of :func:`prune_model`, resolved for a model."""

    sparsity: float
    heads: float
    method: str
    structured: bool
    reconstruct: bool | str
    sequential: bool
    rule: str | tuple[int, ...]
    unit_costs: tuple[float, ...] | None
    multiple_of: int
    damping: float | str
    pattern: str
    bias: bool | str
    blocks: tuple[int, ...]
    seed: int

    @property
    def follows_dense(self) -> bool:
        """Whether the dense model runs beside the pruned one, to be followed."""
        return self.method == "iobs" or (self.sequential and self.structured)

    def check(self, model: Any, family: Family) -> None:
        """Raise what is wrong with it."""
        known = UNIT_METHODS if self.structured else MASK_METHODS
        if self.method not in known:
            raise ValueError(
                f"method={self.method!r} is not known for structured={self.structured}; expected one "
                f"of {known}"
            )
        for name, share in (("sparsity", self.sparsity), ("heads", self.heads)):
            if not 0 <= share < 1:
                raise ValueError(f"{name}={share} must lie in [0, 1)")
        if self.reconstruct not in (True, False, "two_step"):
            raise ValueError(f"reconstruct={self.reconstruct!r} must be True, False or 'two_step'")
        if self.reconstruct == "two_step" and not (self.sequential and self.structured):
            raise ValueError("reconstruct='two_step' goes with sequential=True, structured=True")
        if self.bias not in BIASES:
            raise ValueError(f"bias={self.bias!r} must be one of {BIASES}")
        if not self.structured and self.heads:
            raise ValueError("heads goes with structured=True")
        self._check_budget(model, family)
        if self.bias is True and family.bias_entry is None and not _has_bias(model, family):
            raise ValueError(
                f"bias=True: a {model.config.model_type} configuration cannot give {family.level2} a bias"
            )
        if self.heads:
            self.head_plan(model, family)

    def _check_budget(self, model: Any, family: Family) -> None:
        if not self.structured and self.rule != "uniform":
            raise ValueError(
                f"budget={self.rule!r} goes with structured=True: masks have no widths"
            )
        if self.unit_costs is not None:
            if not isinstance(self.rule, str) or self.rule == "uniform":
                raise ValueError(
                    f"unit_costs has no part in budget={self.rule!r}; it goes with 'measured', 'global' or "
                    "'standardized'"
                )
            if len(self.unit_costs) != len(self.blocks):
                raise ValueError(
                    f"unit_costs has {len(self.unit_costs)} entries; expected one for each of "
                    f"{len(self.blocks)} blocks to prune"
                )
        if isinstance(self.rule, str):
            if self.rule not in (*RULES, "measured"):
                raise ValueError(
                    f"budget={self.rule!r} is not known; expected one of {(*RULES, 'measured')}, or "
                    "the units that each block keeps"
                )
            if self.sequential and self.rule in RULES[1:]:
                raise ValueError(
                    f"budget={self.rule!r} does not go with sequential=True, which sees blocks one by one"
                )
            return
        layers = [blocks_of(model, family)[n].get_submodule(family.level2) for n in self.blocks]
        widths = [int(weight_of(layer).shape[1]) for layer in layers]
        if len(self.rule) != len(widths):
            raise ValueError(
                f"budget has {len(self.rule)} widths; expected one for each of {len(widths)} blocks to "
                "prune"
            )
        if any(not 1 <= k <= m for k, m in zip(self.rule, widths, strict=True)):
            raise ValueError(f"budget={self.rule} must lie between 1 and the widths {widths}")

    def head_plan(self, model: Any, family: Family) -> HeadPlan:
        """Which heads may go, of a model as it was given."""
        everywhere = len(self.blocks) == len(blocks_of(model, family))
        return head_plan(model, family, self.heads, everywhere)


def as_blocks(blocks: Any, count: int) -> tuple[int, ...]:
    """Indices of the blocks to prune."""
    if blocks is None:
        return tuple(range(count))
    chosen = tuple(int(b) for b in np.unique(np.asarray(list(blocks), int)))
    if chosen and not (chosen[0] >= 0 and chosen[-1] < count):
        raise ValueError(f"blocks={chosen} must lie in [0, {count})")
    return chosen


def _has_bias(model: Any, family: Family) -> bool:
    return blocks_of(model, family)[0].get_submodule(family.level2).bias is not None
