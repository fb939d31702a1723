"""Scaling laws: power-law spectra, their exponents, and exponents of given spectra."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._array import as_rank

Array = NDArray[np.float64]


def power_law(K: int, alpha: float, r: float) -> tuple[Array, Array]:
    """Spectrum ``k^{-alpha}`` and squared coefficients ``k^{-1 - 2 alpha r}`` of the target, k = 1 ... K.

    Parameters
    ----------
    K : int
    alpha, r : float
        Positive.

    Returns
    -------
    (spectrum, b2) : tuple of arrays, shape (K,)

    Raises
    ------
    ValueError
        If an argument is not positive.

    Examples
    --------
    >>> from subspan.w2s.rfrr import power_law
    >>> [x.tolist() for x in power_law(2, 1.0, 0.5)]
    [[1.0, 0.5], [1.0, 0.25]]
    """
    if not (alpha > 0 and r > 0):
        raise ValueError(f"alpha={alpha} and r={r} must be positive")
    k = np.arange(1.0, as_rank(K, 2**40, "K") + 1)
    return k**-alpha, k ** (-1 - 2 * alpha * r)


def minimax_exponent(alpha: float, r: float) -> float:
    """Best exponent of the excess risk in the number of noisy labels.

    Parameters
    ----------
    alpha, r : float
        Decay of the spectrum ``k^{-alpha}`` and of the target ``k^{-1 - 2 alpha r}``.

    Returns
    -------
    float
        The risk falls like n to minus this.

    Examples
    --------
    >>> from subspan.w2s.rfrr import minimax_exponent
    >>> minimax_exponent(1.5, 0.5)
    0.6
    """
    smooth = 2 * alpha * min(r, 1)
    return smooth / (1 + smooth)


def teacher_exponents(alpha: float, r: float, width: float, ridge: float) -> tuple[float, float]:
    """Exponents of bias and variance of a model with ``n^width`` features and ridge ``n^{1 - ridge}``.

    The excess risk falls like ``n^{-bias} + noise_var n^{-variance}``.

    Parameters
    ----------
    alpha, r : float
        Decay of spectrum and target, as for :func:`power_law`.
    width, ridge : float
        Exponents of the number of features and of the ridge.

    Returns
    -------
    (bias, variance) : tuple of float

    Examples
    --------
    >>> from subspan.w2s.rfrr import teacher_exponents
    >>> [round(x, 3) for x in teacher_exponents(1.5, 0.5, width=1.0, ridge=0.6)]
    [0.6, 0.6]
    """
    s = min(ridge / alpha, width, 1.0)
    own = 2 * alpha * s * min(r, 1)
    features = width + s * (2 * alpha * min(r, 0.5) - 1)
    return min(own, features), 1 - s


def student_ridge(N: float, alpha: float, r: float, scale: float | None = None) -> float:
    """Ridge ``N^{1 - alpha s}`` of a student on N pseudo-labels, by default at the minimax ``s``.

    Parameters
    ----------
    N : float
        Pseudo-labels.
    alpha, r : float
        Decay of spectrum and target, as for :func:`power_law`.
    scale : float, optional
        The exponent s.

    Returns
    -------
    float

    Examples
    --------
    >>> from subspan.w2s.rfrr import student_ridge
    >>> round(student_ridge(10_000, 1.5, 0.5))
    40
    """
    s = 1 / (1 + 2 * alpha * min(r, 1)) if scale is None else scale
    return float(N ** (1 - alpha * s))


def slope(sizes: Any, risks: Any) -> float:
    """Exponent of a power law fitted to risks: the least squares slope of ``log risk`` on ``log size``.

    Parameters
    ----------
    sizes, risks : array, shape (k,)
        Positive, k at least 2.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If shapes differ or there are fewer than two points.

    Examples
    --------
    >>> from subspan.w2s.rfrr import slope
    >>> round(slope([10, 100, 1000], [1.0, 0.1, 0.01]), 6)
    -1.0
    """
    x, y = (np.log(np.asarray(v, np.float64)) for v in (sizes, risks))
    if x.shape != y.shape or x.ndim != 1 or len(x) < 2:
        raise ValueError(
            f"sizes and risks have shapes {x.shape} and {y.shape}; expected equal, at least 2"
        )
    return float(np.polyfit(x, y, 1)[0])


def fit_exponents(
    spectrum: Any, b2: Any = None, *, first: int = 10, last: int | None = None
) -> tuple[float, float]:
    """Exponents alpha and r of a spectrum and a target, fitted to the modes from `first` to `last`.

    Parameters
    ----------
    spectrum : array, shape (K,)
        Descending; from data, the eigenvalues of the second moment of features.
    b2 : array, shape (K,), optional
        Squared coefficients of the target along the eigenvectors. Their tail sums, which scatter less than
        they do, are fitted to ``k^{-2 alpha r}``.
    first, last : int
        Range of modes; by default up to a tenth of K, as the last ones suffer from truncation.

    Returns
    -------
    (alpha, r) : tuple of float
        r is NaN without `b2`.

    Raises
    ------
    ValueError
        If the range holds fewer than five modes or values that are not positive.

    Notes
    -----
    Modes are weighted by 1/k, evenly on a logarithmic axis.

    Examples
    --------
    >>> from subspan.w2s.rfrr import fit_exponents, power_law
    >>> [round(x, 2) for x in fit_exponents(*power_law(100_000, 1.5, 0.5))]
    [1.5, 0.5]
    """
    values = np.asarray(spectrum, np.float64)
    stop = max(len(values) // 10, min(len(values), first + 20)) if last is None else last
    k = np.arange(first, min(stop, len(values)) + 1)
    if first < 1 or len(k) < 5 or not (values[k - 1] > 0).all():
        raise ValueError(
            f"modes {first} to {stop} of {len(values)} must be at least five, with positive eigenvalues"
        )

    def exponent(y: Array) -> float:
        return -float(np.polyfit(np.log(k), np.log(y), 1, w=k**-0.5)[0])

    alpha = exponent(values[k - 1])
    if b2 is None:
        return alpha, float("nan")
    squares = np.asarray(b2, np.float64)
    tails = np.cumsum(squares[::-1])[::-1]
    return alpha, exponent(tails[k - 1]) / (2 * alpha)
