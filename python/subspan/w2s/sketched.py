"""How close the leading directions of sketched features are to those of the features themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..angles import CanonicalAngles
from .correlation import whiten

Array = NDArray[np.float64]


def sketch_angles(moment: Array, d: int, eps: float) -> CanonicalAngles:
    """Angles between the leading d directions of sketched and of whole features, from the sketch alone.

    A sketch ``X S^T`` is the basis of a randomized SVD of X without power iterations, and its leading left
    singular vectors stand for those of X. Its two halves are independent sketches, whose subspaces differ
    from the true one by independent errors of the size ``1/sqrt(columns)``. To first order their difference
    is therefore twice as large as the error of all columns together, whatever the spectrum is:
    ``tan(error) = tan(difference)/2``, index by index.

    Parameters
    ----------
    moment : array, shape (l, l)
        Second moment of the sketched features.
    d : int
    eps : float
        Relative rounding of `moment`.

    Returns
    -------
    CanonicalAngles
        An estimate, of the left singular vectors, which are what canonical correlations are made of. 1
        where half of the sketch has no direction left. Rounding hides sines under the root of `eps`.

    Notes
    -----
    Three decompositions of matrices of order ``l/2``; no pass over the features. Where nothing of a direction
    is found by either half, at equal singular values, the estimate can be a third too small.
    """
    half = len(moment) // 2
    first, second = (
        whiten(moment[part, part], lambda _: d, eps).map
        for part in (slice(half), slice(half, None))
    )
    M = first.T @ moment[:half, half:] @ second
    cosines = np.clip(np.linalg.svd(M, compute_uv=False), 0.0, 1.0)
    sines = np.ones(d)
    apart = np.sqrt((1 - cosines) * (1 + cosines))
    sines[: len(cosines)] = apart / np.hypot(apart, 2 * cosines)  # sine of arctan(tan/2)
    return CanonicalAngles(
        left=np.sort(sines), right=None, kind="estimate", rigorous=False, method="halves of the sketch",
        failure_probability=float("nan"),
    )  # fmt: skip


def described(angles: Any, limit: float = 0.1) -> str:
    """In words: how many directions are as good as the features' own, and how bad the others."""
    sines = angles.left
    return (
        f"{int(np.sum(sines <= limit))} of {len(sines)} within a sine of {limit:g}, "
        f"median {np.median(sines):.2g}, largest {sines[-1]:.2g}"
    )
