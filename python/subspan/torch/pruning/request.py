"""What is asked of a pruning, checked against the model before anything is done."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ...pruning import legal_head_counts
from ...pruning.select import METHODS as UNIT_METHODS
from .architecture import Family, blocks_of

MASK_METHODS = ("magnitude", "wanda", "sparsegpt", "obs")
BIASES = ("auto", True, False)


class IllegalHeadCount(ValueError):
    """The model cannot have so few heads; the message says which numbers it can."""


@dataclasses.dataclass(frozen=True)
class Request:
    """The arguments of :func:`prune_model`, resolved for a model."""

    sparsity: float
    heads: float
    method: str
    structured: bool
    reconstruct: bool | str
    sequential: bool
    rule: str
    multiple_of: int
    damping: float | str
    pattern: str
    bias: bool | str
    blocks: tuple[int, ...]
    seed: int

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
        if self.sequential and self.rule != "uniform":
            raise ValueError(
                "rule must be 'uniform' for sequential=True: layers are seen one by one"
            )
        if self.bias is True and family.bias_entry is None and not _has_bias(model, family):
            raise ValueError(
                f"bias=True: a {model.config.model_type} configuration cannot give {family.level2} a bias"
            )
        if self.heads:
            self.head_groups(model, family)

    def head_groups(self, model: Any, family: Family) -> tuple[int, int, int]:
        """Groups of heads that share keys, how many stay, and the heads in each."""
        config = model.config
        if not family.heads:
            raise IllegalHeadCount(
                f"heads={self.heads}: a {config.model_type} configuration ties the number of heads to the "
                "width; only heads=0 is possible"
            )
        count = int(config.num_attention_heads)
        kv = int(getattr(config, "num_key_value_heads", None) or count)
        legal = legal_head_counts(count, kv, config.hidden_size)
        wanted = count - round(self.heads * count)
        if wanted not in legal or len(self.blocks) != len(blocks_of(model, family)):
            shares = ", ".join(f"{1 - h / count:.4g}" for h in legal)
            raise IllegalHeadCount(
                f"heads={self.heads} would leave {wanted} of {count} heads in {len(self.blocks)} blocks; "
                f"{kv} keys and values are shared, and a width of {config.hidden_size} must be a multiple of "
                f"the number of heads: possible are heads = {shares}, in all blocks"
            )
        return kv, wanted // (count // kv), count // kv


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
