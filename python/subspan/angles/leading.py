"""Perturbation bounds of leading singular subspaces, from singular values and residuals.

For orthonormal U_j, V_j and a diagonal S_j with ``A V_j = U_j S_j + R`` and ``A^H U_j = V_j S_j + T``, let
X and Y be the parts of U_j and V_j outside the true leading subspaces, and s at least sigma_{j+1}. Then
``X S_j^2 - Sigma_2^2 X = -(R' S_j + Sigma_2 T')``, R' and T' being parts of R and T, and likewise for Y,
so that for ``s < s_j``

    ``||X|| <= (||R|| s_j + s ||T||) / (s_j^2 - s^2)``,   ``||Y|| <= (||T|| s_j + s ||R||) / (s_j^2 - s^2)``.

The columns of ``E = A - U U^H A`` are orthogonal to those of ``U U^H A``, so that
``sigma_{j+1}^2 <= sigma_{j+1}(U^H A)^2 + ||E||^2``. After a projection on a basis, T is 0 up to rounding;
``A^H A V_j = V_j S_j^2 + T S_j + E^H R + A^H U T^H V_j`` then gives

    ``||Y|| <= (||T|| (s_j + sigma_1) + ||E|| ||R||) / (s_j^2 - s^2)``,  quadratic in the residual.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def leading_bounds(
    values: Array, following: Array, right: Array, left: float, outside: float
) -> dict[str, Array]:
    """Bounds of the largest sine between the leading j computed and true singular vectors, j = 1 ... k.

    Parameters
    ----------
    values : array of shape (k,)
        Computed singular values, descending.
    following : array of shape (k,)
        At least the true singular value j + 1.
    right : array of shape (k,)
        At least ``||A V_j - U_j S_j||``.
    left : float
        At least ``||A^H U - V S||``.
    outside : float
        At least ``||A - U U^H A||``.

    Returns
    -------
    dict
        "left" and "right"; NaN where the gap is not shown to be open, that is s < s_j.
    """
    scale = values.max(initial=0.0) + outside
    if scale > 0:  # squares stay within the range
        values, following, right = values / scale, following / scale, right / scale
        left, outside = left / scale, outside / scale
    gap = (values - following) * (values + following)
    with np.errstate(divide="ignore", invalid="ignore"):
        X = (right * values + following * left) / gap
        Y = np.minimum(left * values + following * right, left * (values + 1) + outside * right)
        Y = Y / gap
    return {
        "left": np.where(gap > 0, np.minimum(X, 1.0), np.nan),
        "right": np.where(gap > 0, np.minimum(Y, 1.0), np.nan),
    }


def nested(sines: Array) -> Array:
    """Bounds of the k canonical angles from those of the largest angle of each leading part.

    The i-th angle of the k-dimensional subspaces is never above the largest one of the j-dimensional
    parts, j >= i, that they contain.
    """
    best = np.fmin.accumulate(sines[::-1])[::-1]
    return np.asarray(best)


def residual_bounds(singular_values_of_E: Array, values: Array) -> Array:
    """``sin theta_i <= min_j sigma_j(E) / sigma_{i+j-1}``, j <= k - i + 1, values at most the true ones.

    ``(I - U U^H) U_k = E V_k Sigma_k^{-1}``, and ``sigma_{a+b-1}(XY) <= sigma_a(X) sigma_b(Y)``.
    """
    k = len(values)
    i, j = np.ogrid[:k, :k]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = singular_values_of_E[j] / values[np.minimum(i + j, k - 1)]
    ratios = np.where((i + j < k) & ~np.isnan(ratios), ratios, 1.0)
    return np.asarray(np.minimum(ratios.min(axis=1, initial=1.0), 1.0))


def triangle(A: NDArray[Any]) -> NDArray[Any]:
    """R of the QR factorization of A."""
    return np.asarray(np.linalg.qr(A, mode="r"))


def singular_values(tall: NDArray[Any]) -> Array:
    """Singular values of a tall matrix, through its R."""
    return np.asarray(np.linalg.svd(triangle(tall), compute_uv=False), np.float64)


def leading_norms(tall: NDArray[Any]) -> Array:
    """At least the spectral norms of the leading j columns, j = 1 ..., the last one sharp.

    From the Gram matrix, scaled: the largest eigenvalue is right to relative rounding.
    """
    k = tall.shape[1]
    largest = float(np.abs(tall).max(initial=0.0))
    if largest == 0:
        return np.zeros(k)
    scaled = tall / largest
    gram = scaled.conj().T @ scaled
    columns = np.sqrt(np.cumsum(np.diagonal(gram).real.astype(np.float64)))
    whole = np.sqrt(float(np.linalg.eigvalsh(gram)[-1]))
    return np.asarray(largest * np.minimum(columns, whole * (1 + 1e-6)))


def spectral_norm(tall: NDArray[Any]) -> float:
    """Largest singular value of a tall matrix, 0 for one without entries."""
    return float(leading_norms(tall)[-1]) if tall.size else 0.0
