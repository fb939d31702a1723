"""How much the risks of one training run scatter around their expectation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bias import Bias

Array = NDArray[np.float64]


def draw_risks(
    d_s: float,
    d_w: float,
    d_sw: Array,
    n: Any,
    N: Any,
    noise: Any,
    bias: Bias,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array, Array]:
    """Draw excess risks of single runs; `d_sw` has one entry per run, in front of the shape of n and N.

    So may noise and bias.

    The error of least squares on n Gaussian rows, in whitened coordinates, is ``g sqrt(noise/c)`` with g
    standard normal and c chi-squared with ``n - d + 1`` degrees of freedom. With the teacher's error split
    into the part that the student shares and the rest, that law is exact for canonical correlations 0 and
    1, and has the exact means for others. Baseline and ceiling are drawn on labels of their own.
    """
    shape = np.broadcast_shapes(np.shape(d_sw), np.shape(n), np.shape(N))

    def chi2(df: Any) -> Array:
        return 2 * rng.gamma(np.broadcast_to(np.maximum(df, 0), shape) / 2)

    def least_squares(df: float, samples: Any, variance: Any) -> Array:
        """Square of an error with that many coordinates, the variance of the noise being given."""
        return np.asarray(variance * chi2(df) / chi2(np.add(samples, 1.0) - df))

    scale = (noise + bias.weak) / chi2(np.add(n, 1.0) - d_w)
    shared = scale * chi2(d_sw)
    # The teacher's own part: its mean lies along one axis, the error around it is isotropic.
    alone = np.asarray(d_w - d_sw)
    along = np.sqrt(scale) * rng.standard_normal(shape) * (alone > 0)
    rest = scale * chi2(alone - 1)
    weak = bias.weak + shared + along**2 + rest
    seen_as_noise = (np.sqrt(bias.leak) + along) ** 2 + rest
    variance = seen_as_noise / chi2(np.add(N, 1.0) - d_s)
    axis = np.sqrt(variance) * rng.standard_normal(shape) * (d_s > 0)
    mean_square = (
        np.maximum(bias.student - bias.strong, 0.0) + shared
    )  # of the student, inside its span
    w2s = bias.strong + (np.sqrt(mean_square) + axis) ** 2 + variance * chi2(d_s - 1)
    wrong = noise + bias.strong
    strong = bias.strong + least_squares(d_s, n, wrong)
    ceiling = bias.strong + least_squares(d_s, np.add(n, N), wrong)
    return weak, w2s, strong, ceiling
