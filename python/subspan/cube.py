"""Balanced samples with given inclusion probabilities, by the cube method."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from . import _native


def cube(
    pi: NDArray[np.float64],
    balance: NDArray[np.float64],
    generator: np.random.Generator,
    poll: Callable[[], None] | None = None,
    costs: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """Sample balanced on the columns of `balance`, the first ones best, and of fixed size.

    With `costs` their sum is balanced in place of the size, up to the last unit.

    Inclusion probabilities are exact, and the Horvitz-Thompson estimates ``sum_S x_i / pi_i`` of the column
    sums as near to them as rounding to whole units allows (Deville and Tille, 2004).
    """
    state = np.array(pi, np.float64)
    open_units = np.flatnonzero((state > 1e-11) & (state < 1 - 1e-11))
    state[state <= 1e-11], state[state >= 1 - 1e-11] = 0.0, 1.0
    if len(open_units) == 0:
        return np.flatnonzero(state == 1)
    x = balance[open_units] / state[open_units, None]
    size = np.linalg.norm(x, axis=0)
    x = x[:, size > 0] / size[size > 0]
    first = np.ones(len(open_units)) if costs is None else costs[open_units] / costs.mean()
    rows = np.ascontiguousarray(np.column_stack([first, x]))
    inner = state[open_units]
    order = generator.permutation(len(open_units))
    uniforms = generator.random(len(open_units) + 1)
    _native.module().cube(rows, order, uniforms, inner, poll)
    state[open_units] = inner
    return np.flatnonzero(state == 1)
