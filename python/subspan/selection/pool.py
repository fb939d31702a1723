"""What a method of selection sees: rows, what may be spent on them, and its options."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .budget import Array, Budget, Indices
from .rows import Rows


@dataclasses.dataclass(frozen=True)
class Pool:
    """Candidates among all rows, for one call of one method."""

    rows: Rows
    budget: Budget
    generator: np.random.Generator
    ridge: float = 0.0
    rank: int | None = None
    scores: Array | None = None  # (N,)
    target: NDArray[Any] | None = None  # (n_target, d)

    def __len__(self) -> int:
        return len(self.rows)

    def dense(self) -> Array:
        """All rows in double precision."""
        return self.rows.dense().astype(np.float64)

    def unexplained(self) -> tuple[Indices, NDArray[Any]]:
        """Candidates, and their rows without the part in the span of rows that are chosen already."""
        free = np.flatnonzero(self.budget.free)
        if len(self.budget.before) == 0:
            G = self.rows.dense()
            return free, G if len(free) == len(G) else G[free]
        G = self.dense()
        _, values, Vt = np.linalg.svd(G[self.budget.before], full_matrices=False)
        V = Vt[values > len(G) * self.rows.eps * values[0]]
        G = G[free]
        for _ in range(2):  # twice, for what rounding leaves of large rows
            G -= (G @ V.T) @ V
        return free, G

    def draw(self, weights: Array) -> Indices:
        """Rows by successive draws in proportion to weights; those of weight zero last, at random.

        Waiting times ``E_i / w_i`` with E_i exponential come in the order of such draws.
        """
        waits = self.generator.exponential(size=(2, len(weights)))
        with np.errstate(divide="ignore"):
            first = np.where(weights > 0, waits[0] / weights, np.inf)
        return self.budget.take_in_order(np.lexsort((waits[1], first)))
