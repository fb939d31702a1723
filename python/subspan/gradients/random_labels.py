"""Labels drawn once per sample, whatever batch it comes in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from .. import _native

_GAUSSIAN = 0
_OPERAND = 9  # apart from the sketch of the same seed
_DIMENSION = 2**40 - 1


def random_labels(
    seed: int, first: int, count: int, classes: int, positions: int = 1
) -> NDArray[np.int64]:
    """Uniform labels of samples ``first .. first + count - 1``, shape (count, positions).

    Label t of sample i is a function of (seed, i, t): the normal number there, through its
    distribution function.
    """
    native = _native.module()
    S = native.SketchOperator(_GAUSSIAN, positions, _DIMENSION, 1, seed, _OPERAND)
    z = np.empty((positions, count))
    native.sketch_tile(S, 0, first, z)
    uniform = ndtr(z.T * np.sqrt(positions))  # the operator's entries have variance 1 / positions
    labels = (uniform * classes).astype(np.int64)
    return np.asarray(np.minimum(labels, classes - 1))
