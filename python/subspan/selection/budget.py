"""What may still be chosen: so many rows, or rows of a total cost, beside rows that are chosen already."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import as_rank

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Budget:
    """A sum of costs that the new rows may reach; without costs, their number.

    `before` holds the rows chosen already: they count towards what the subset covers, cost nothing
    any more and are never returned.
    """

    free: NDArray[np.bool_]  # (N,), rows that may be chosen
    before: Indices
    total: float
    costs: Array | None = None  # (N,)

    @property
    def count(self) -> int:
        """Rows that can be expected: n, or the total over the mean cost."""
        if self.costs is None:
            return int(self.total)
        return max(1, int(self.total / self.costs[self.free].mean()))

    @property
    def size(self) -> int:
        """Rows of the subset that can be expected, with those chosen already."""
        return self.count + len(self.before)

    @property
    def restricted(self) -> bool:
        """Whether uniform weights over all rows are out of reach."""
        return self.costs is not None or not self.free.all()

    def price(self) -> Array:
        """Cost of every row; 1 where none are given."""
        return np.ones(len(self.free)) if self.costs is None else self.costs

    def within(self, members: Indices, total: float) -> Budget:
        """The same over some of the rows, numbered anew."""
        held = np.zeros(len(self.free), bool)
        held[self.before] = True
        return Budget(
            self.free[members],
            np.flatnonzero(held[members]),
            total,
            None if self.costs is None else self.costs[members],
        )

    def take_in_order(self, order: Indices) -> Indices:
        """Rows in the given order as long as they can be paid for; dearer ones are passed over."""
        order = order[self.free[order]]
        if self.costs is None:
            return order[: self.count]
        left, taken = self.total * (1 + 1e-12), []
        for row in order:
            if self.costs[row] <= left:
                left -= self.costs[row]
                taken.append(row)
        return np.array(taken, np.int64)


class Purse:
    """A budget that is spent row by row."""

    def __init__(self, budget: Budget) -> None:
        self.chosen: list[int] = []
        self._costs, self._left = budget.costs, budget.total * (1 + 1e-12)
        self._open = budget.free.copy()

    def best(self, gains: Array) -> int | None:
        """Return the affordable row of the largest gain; None where nothing can be paid for."""
        if self._costs is not None:
            self._open &= self._costs <= self._left
        if not self._open.any() or (self._costs is None and self._left < 1):
            return None
        return int(np.argmax(np.where(self._open, gains, -np.inf)))

    def best_for_its_cost(self, gains: Array) -> int | None:
        """Return the affordable row of the largest non-negative gain per unit of cost."""
        return self.best(gains if self._costs is None else gains / self._costs)

    def take(self, row: int) -> None:
        """Pay for a row."""
        self.chosen.append(row)
        self._open[row] = False
        self._left -= 1.0 if self._costs is None else float(self._costs[row])

    def rows(self) -> Indices:
        """Rows in the order in which they were taken."""
        return np.array(self.chosen, np.int64)


def as_budget(
    n: Any,
    rows: int,
    *,
    candidates: Any = None,
    already_selected: Any = None,
    costs: Any = None,
    budget: Any = None,
) -> Budget:
    """Check what is to be spent on which rows."""
    free = np.ones(rows, bool)
    if candidates is not None:
        free[:] = False
        free[as_rows(candidates, rows, "candidates")] = True
    before = np.zeros(0, np.int64)
    if already_selected is not None and len(np.asarray(already_selected)):
        before = np.sort(as_rows(already_selected, rows, "already_selected"))
        free[before] = False
    left = int(free.sum())
    if costs is None:
        if budget is not None:
            raise ValueError("budget needs costs, one per row of X; without them give n")
        count = as_rank(n, 2**62, "n")
        if not 1 <= count <= left:
            raise ValueError(f"n={count} must lie between 1 and the {left} candidates")
        return Budget(free, before, float(count))
    price = np.asarray(costs, np.float64)
    if price.shape != (rows,):
        raise ValueError(f"costs has shape {price.shape}; expected ({rows},)")
    if not np.isfinite(price).all() or (price <= 0).any():
        raise ValueError("costs must be finite and positive")
    if budget is None or n is not None:
        raise ValueError(f"with costs give budget= and n=None; got n={n}, budget={budget}")
    total = float(budget)
    if left == 0 or not price[free].min() <= total < np.inf:
        raise ValueError(f"budget={budget} must be finite and pay for at least one candidate")
    return Budget(free, before, min(total, float(price[free].sum())), price)


def as_rows(given: Any, rows: int, name: str) -> Indices:
    """Distinct row numbers from a list of them, or from a mask."""
    chosen = np.asarray(given)
    if chosen.dtype == bool:
        if chosen.shape != (rows,):
            raise ValueError(f"{name} is a mask of shape {chosen.shape}; expected ({rows},)")
        return np.flatnonzero(chosen)
    if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
        raise ValueError(f"{name} must be a list of integers, got {chosen.dtype} of {chosen.shape}")
    chosen = chosen.astype(np.int64)
    if chosen.size == 0:
        raise ValueError(f"{name} is empty; at least one row is needed")
    if chosen.min() < 0 or chosen.max() >= rows:
        raise ValueError(f"{name} must lie between 0 and {rows - 1}")
    if len(np.unique(chosen)) < len(chosen):
        raise ValueError(f"{name} has repeated rows")
    return chosen


SHARES = ("proportional", "equal")


def as_groups(labels: Any, rows: int) -> tuple[NDArray[Any], Indices]:
    """Distinct labels, and the number of each row's among them."""
    given = np.asarray(labels)
    if given.shape != (rows,):
        raise ValueError(f"labels has shape {given.shape}; expected ({rows},)")
    names, group = np.unique(given, return_inverse=True)
    return names, group.astype(np.int64)


def divide(budget: Budget, group: Indices, per_group: str) -> list[tuple[Indices, Budget]]:
    """Split a budget among groups; a group gets no more than its candidates can take.

    "proportional" to what all candidates of a group cost together, or "equal". Without costs shares are
    whole numbers, the largest remainders rounded up.
    """
    if per_group not in SHARES:
        raise ValueError(f"per_group={per_group!r} is not known; expected one of {SHARES} or None")
    price = np.where(budget.free, budget.price(), 0.0)
    most = np.bincount(group, weights=price).astype(np.float64)
    wanted = most if per_group == "proportional" else np.where(most > 0, 1.0, 0.0)
    share = _fill(wanted, most, budget.total)
    if budget.costs is None:
        whole = np.floor(share + 1e-9)
        rest = round(budget.total - whole.sum())
        order = np.argsort(-np.where(whole < most, share - whole, -1.0), kind="stable")
        whole[order[:rest]] += 1
        share = whole
    parts = []
    for j in range(len(most)):
        if share[j] > 0:
            members = np.flatnonzero(group == j)
            parts.append((members, budget.within(members, float(share[j]))))
    return parts


def _fill(wanted: Array, most: Array, total: float) -> Array:
    """Shares in proportion to `wanted` of sum `total`, none above `most`."""
    share = np.zeros(len(most))
    open_ = most > 0
    while open_.any():
        scale = (total - share[~open_].sum()) / wanted[open_].sum()
        over = open_ & (wanted * scale >= most)
        if not over.any():
            share[open_] = wanted[open_] * scale
            break
        share[over] = most[over]
        open_ &= ~over
    return share
