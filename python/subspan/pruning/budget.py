"""How many units every layer keeps, within one budget for all."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .inputs import Array, real_array

RULES = ("uniform", "global", "standardized")  # the first looks at no losses


def allocate_budget(
    losses: Sequence[Any],
    sparsity: float,
    *,
    unit_costs: Sequence[float] | None = None,
    rule: str = "global",
    min_keep: float = 0.1,
    multiple_of: int = 1,
) -> list[int]:
    """Divide what is to be removed over layers.

    Parameters
    ----------
    losses : sequence of arrays
        For every layer, the loss of each of its units, comparable between layers: for instance the share of
        the layer's output that dropping the unit costs, or the costs of the removals of "obs" in order.
    sparsity : float
        Share of the total cost to remove.
    unit_costs : sequence of float, optional
        Of one unit of each layer: parameters, operations or measured time; 1 by default.
    rule : {"global", "uniform", "standardized"}
        "uniform": the same share everywhere. "global": the units of least loss per cost, wherever they
        are. "standardized": the units of least loss after the losses of each layer have been given mean 0 and
        variance 1 (FLAP), which need not be comparable then; costs only count towards the total.
    min_keep : float
        Share of its units that every layer keeps at least.
    multiple_of : int
        Numbers kept are multiples of this, or all units.

    Returns
    -------
    list of int
        Units that each layer keeps. No less than the asked cost is removed, unless `min_keep` forbids.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from subspan.pruning import allocate_budget
    >>> allocate_budget([[1, 2, 3, 4], [10, 20, 30, 40]], 0.5, min_keep=0.25)
    [1, 3]
    """
    if rule not in RULES:
        raise ValueError(f"rule={rule!r} is not known; expected one of {RULES}")
    if not 0 <= sparsity <= 1 or not 0 <= min_keep <= 1:
        raise ValueError(f"sparsity={sparsity} and min_keep={min_keep} must lie between 0 and 1")
    if multiple_of < 1:
        raise ValueError(f"multiple_of={multiple_of} must be at least 1")
    layers = [real_array(x, "losses", 1).astype(np.float64) for x in losses]
    costs = np.ones(len(layers)) if unit_costs is None else np.asarray(unit_costs, np.float64)
    if costs.shape != (len(layers),) or not (np.isfinite(costs).all() and (costs > 0).all()):
        raise ValueError(f"unit_costs must be {len(layers)} positive numbers")
    if rule == "uniform":
        return [
            _legal(m - np.ceil(sparsity * m), m, min_keep, multiple_of) for m in map(len, layers)
        ]
    steps = []
    for layer, (loss, cost) in enumerate(zip(layers, costs, strict=True)):
        # A standardized loss may be negative: per cost, it would say the opposite.
        per = float(cost) if rule == "global" else 1.0
        steps += _steps(layer, _prepared(loss, rule), per, min_keep, multiple_of)
    wanted = sparsity * sum(len(x) * c for x, c in zip(layers, costs, strict=True))
    kept = [len(x) for x in layers]
    removed = 0.0
    for _, layer, after in sorted(
        steps, key=lambda step: step[0]
    ):  # stable: in each layer downwards
        if removed >= wanted * (1 - 1e-12):
            break
        removed += (kept[layer] - after) * costs[layer]
        kept[layer] = after
    return kept


def _prepared(loss: Array, rule: str) -> Array:
    if rule == "global" or len(loss) == 0:
        return loss
    spread = float(loss.std())
    return np.asarray((loss - loss.mean()) / (spread if spread > 0 else 1.0))


def _steps(
    layer: int, loss: Array, cost: float, min_keep: float, multiple_of: int
) -> list[tuple[float, int, int]]:
    """(mean loss per cost, layer, units left) of every removal down to the next legal number."""
    loss = np.sort(loss)
    m = len(loss)
    least = _legal(0, m, min_keep, multiple_of)
    counts = [m, *range((m - 1) // multiple_of * multiple_of, least - 1, -multiple_of)]
    steps = []
    for before, after in itertools.pairwise(counts):
        lost = loss[m - before : m - after]
        steps.append((float(lost.mean()) / cost, layer, after))
    return steps


def _legal(k: float, m: int, min_keep: float, multiple_of: int) -> int:
    """The least multiple that is not below k and `min_keep`."""
    least = max(float(k), np.ceil(min_keep * m - 1e-9))
    return int(min(m, np.ceil(least / multiple_of - 1e-9) * multiple_of))
