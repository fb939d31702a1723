"""Balanced samples with given inclusion probabilities, by the cube method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _native

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
_SETTLED = 1e-11


class CubeSample:
    """One sample of units that arrive in pieces; of fixed size, or of fixed sum of `costs`.

    Inclusion probabilities are exact, and the Horvitz-Thompson estimates ``sum_S x_i / pi_i`` of the column
    sums as near to them as rounding to whole units allows (Deville and Tille, 2004). With `groups`, numbers
    from 0, that holds within every group. Besides N numbers it keeps, for every group, a matrix of the
    balanced columns squared.
    """

    def __init__(
        self,
        pi: Array,
        columns: int,
        generator: np.random.Generator,
        costs: Array | None = None,
        groups: Indices | None = None,
    ) -> None:
        self.state = np.array(pi, np.float64)
        self.state[self.state <= _SETTLED] = 0.0
        self.state[self.state >= 1 - _SETTLED] = 1.0
        self._scale = float(self.state.mean())
        self._generator = generator
        self._costs = None if costs is None else costs / costs.mean()
        self._groups = groups
        inside = (self.state > 0) & (self.state < 1)
        sizes = [np.count_nonzero(inside)] if groups is None else np.bincount(groups[inside])
        # More columns than units in a group cannot be balanced.
        self._columns = [min(columns, int(size)) for size in sizes]
        self._flights = [_native.module().CubeFlight(c + 1) for c in self._columns]

    def enter(self, units: Indices, balance: Array, poll: Callable[[], None] | None = None) -> None:
        """Take units, each of them once, with a row of what is balanced, the first columns best."""
        inside = (self.state[units] > 0) & (self.state[units] < 1)
        order = self._generator.permutation(np.flatnonzero(inside))
        group = np.zeros(len(order), np.int64)
        if self._groups is not None:
            group = self._groups[units[order]]
        for g in np.unique(group):
            self._enter(g, units, order[group == g], balance, poll)

    def _enter(self, group: int, units: Indices, order: Indices, balance: Array, poll: Any) -> None:
        entering, columns = units[order], self._columns[group]
        rows = np.empty((len(order), columns + 1))
        rows[:, 0] = 1.0 if self._costs is None else self._costs[entering]
        scale = (self._scale / self.state[entering])[:, None]
        np.multiply(balance[order, :columns], scale, out=rows[:, 1:])
        uniforms = self._generator.random(len(order))
        self._flights[group].enter(rows, entering, uniforms, self.state, poll)

    def land(self) -> Indices:
        """Settle the last units; returns the sample, ascending."""
        for flight in self._flights:
            flight.land(self._generator.random(flight.landing_uniforms), self.state)
        return np.flatnonzero(self.state == 1)


def cube(
    pi: Array,
    balance: Array,
    generator: np.random.Generator,
    poll: Callable[[], None] | None = None,
    costs: Array | None = None,
) -> Indices:
    """Sample balanced on the columns of `balance`, which may have any scale or be zero."""
    size = np.linalg.norm(balance, axis=0)
    scaled = np.ascontiguousarray(balance[:, size > 0] / size[size > 0] * np.sqrt(len(pi)))
    sample = CubeSample(pi, scaled.shape[1], generator, costs)
    sample.enter(np.arange(len(pi)), scaled, poll)
    return sample.land()
