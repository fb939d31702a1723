"""The Hessian of the squared error of a linear layer: second moments of its inputs, made definite."""

from __future__ import annotations

from typing import Any

import numpy as np

from .damping import scale_of
from .inputs import Array, second_moment_of


def damped_hessian(moments: Any, inputs: int, damping: float) -> tuple[Array, Array]:
    """``S + damping * scale * I``, with the identity for inputs that are never on, and which those are."""
    S = second_moment_of(moments, inputs)
    dead = np.diagonal(S) == 0
    H = S.copy()
    H[np.diag_indices(inputs)] += damping * scale_of(S) + dead
    return H, dead
