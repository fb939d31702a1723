"""Expected excess risks of the four estimators, exactly and to first order.

All are ridgeless least squares; "whitened coordinates" are those in which the features have unit
covariance. Notation of arXiv 2502.05075: d_w, d_s intrinsic dimensions, d_sw the correlation dimension
``||V_s^T V_w||_F^2``, n labels, N pseudo-labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bias import Bias

Array = NDArray[np.float64]
Four = tuple[Array, Array, Array, Array]  # weak, W2S, strong baseline, strong ceiling


def inverse_dof(samples: Any, d: Any) -> Array:
    """``1/(n - d - 1)``, the mean of the inverse Wishart matrix.

    Infinite at ``d <= n <= d + 1``, the peak of double descent; NaN below, where least squares interpolates
    and its risk depends on the whole spectrum.
    """
    free = np.asarray(samples, np.float64) - d - 1
    with np.errstate(divide="ignore"):
        return np.where(free > 0, 1 / np.abs(free), np.where(free >= -1, np.inf, np.nan))


def exact(d_s: Any, d_w: Any, d_sw: Any, n: Any, N: Any, noise: Any, bias: Bias) -> Four:
    """Return the expectations for Gaussian features, any principal angles, any n and N.

    The error of least squares in whitened coordinates has covariance ``(noise + bias) I/(n - d - 1)``. The
    student sees the projection of the teacher as signal and the rest as independent noise.
    """
    error = (noise + bias.weak) * inverse_dof(n, d_w)  # variance per teacher coordinate
    weak = bias.weak + _times(error, d_w)
    noise_of_teacher = bias.leak + _times(error, d_w - d_sw)
    w2s = bias.student + _times(error, d_sw) + _times(inverse_dof(N, d_s) * d_s, noise_of_teacher)
    wrong = noise + bias.strong
    strong = bias.strong + wrong * d_s * inverse_dof(n, d_s)
    ceiling = bias.strong + wrong * d_s * inverse_dof(np.add(n, N), d_s)
    return weak, w2s, strong, ceiling


def _times(a: Any, b: Any) -> Array:
    """Product in which nothing times an infinite variance is nothing."""
    with np.errstate(invalid="ignore"):
        product = np.multiply(a, b, dtype=np.float64)
    return np.where(np.isnan(product) & ~np.isnan(a) & ~np.isnan(b), 0.0, product)


def asymptotic(d_s: Any, d_w: Any, d_sw: Any, n: Any, N: Any, noise: Any, bias: Bias) -> Four:
    """First-order risks of the paper; that of W2S is its upper bound."""
    n, N = np.asarray(n, np.float64), np.asarray(N, np.float64)
    discrepancy = d_sw + (d_w - d_sw) * d_s / N
    weak = noise * d_w / n + bias.weak
    w2s = noise * discrepancy * inverse_dof(n, d_w) + bias.weak + bias.strong
    strong = noise * d_s / n + bias.strong
    ceiling = noise * d_s / (n + N) + bias.strong
    return weak, w2s, strong, ceiling


def lower_bounds(
    d_s: Any, d_w: Any, d_sw: Any, n: Any, N: Any, noise: Any, bias: Bias
) -> tuple[Array, Array]:
    """Lower bounds of the paper for performance gap recovery and outperforming ratio."""
    n, N = np.asarray(n, np.float64), np.asarray(N, np.float64)
    inherited = n * inverse_dof(n, d_w) * (d_sw + (d_w - d_sw) * d_s / N)
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = (
            _times(n, np.divide(bias.weak + bias.strong, noise)) if bias.weak + bias.strong else 0.0
        )
        return 1 - (inherited + lost) / d_w, d_s / (inherited + lost)
