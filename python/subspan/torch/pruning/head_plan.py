"""Which attention heads can go from a model, and what goes with them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...pruning import head_units, legal_head_counts
from .architecture import Family, head_dim_of


class IllegalHeadCount(ValueError):
    """The model cannot have so few heads; the message says which numbers it can."""


@dataclasses.dataclass(frozen=True)
class HeadPlan:
    """How many heads stay, of how many.

    Where keys and values are shared, either the same number of query heads leaves every group, which keeps
    all keys and values, or whole groups leave.
    """

    heads: int
    kv: int
    head_dim: int
    kept: int

    @property
    def by_query(self) -> bool:
        """Whether query heads leave one by one, every group as many."""
        return self.kept % self.kv == 0

    @property
    def kept_kv(self) -> int:
        """Keys and values that stay."""
        return (
            self.kv if self.by_query and self.kv < self.heads else self.kept * self.kv // self.heads
        )

    @property
    def units(self) -> list[NDArray[np.int64]]:
        """Channels of the output projection that go together."""
        return head_units(self.heads, self.heads if self.by_query else self.kv, self.head_dim)

    @property
    def kept_units(self) -> int:
        """How many of the units stay."""
        return self.kept if self.by_query else self.kept_kv

    @property
    def balance(self) -> list[int] | None:
        """Group of every unit, where every group keeps as many."""
        if not self.by_query or self.kv == self.heads:
            return None
        return [h // (self.heads // self.kv) for h in range(self.heads)]

    def key_rows(self, kept_channels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the keys and values that these channels of the output projection need."""
        groups = np.unique(kept_channels // (self.heads // self.kv * self.head_dim))
        return (groups[:, None] * self.head_dim + np.arange(self.head_dim)).ravel()


def head_plan(model: Any, family: Family, share: float, everywhere: bool) -> HeadPlan:
    """The plan that removes a share of the heads.

    Raises
    ------
    IllegalHeadCount
        If the configuration cannot say so few heads, or not all blocks are pruned.
    """
    config = model.config
    if not family.heads:
        raise IllegalHeadCount(
            f"heads={share}: a {config.model_type} configuration ties the number of heads to the "
            "width; only heads=0 is possible"
        )
    count = int(config.num_attention_heads)
    kv = int(getattr(config, "num_key_value_heads", None) or count)
    legal = legal_head_counts(count, kv, config.hidden_size)
    wanted = count - round(share * count)
    if wanted not in legal or not everywhere:
        shares = ", ".join(f"{1 - h / count:.4g}" for h in legal)
        raise IllegalHeadCount(
            f"heads={share} would leave {wanted} of {count} heads{'' if everywhere else ' in some blocks'}; "
            f"{kv} keys and values are shared, and a width of {config.hidden_size} must be a multiple of "
            f"the number of heads: possible are heads = {shares}, in all blocks"
        )
    return HeadPlan(count, kv, head_dim_of(config), wanted)
