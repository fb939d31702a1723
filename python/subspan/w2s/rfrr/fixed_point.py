"""The deterministic equivalent of one random feature model: its effective ridge and what follows."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ..._array import as_tolerance

Array = NDArray[np.float64]
_BLOCK = 2**16  # modes at a time: temporaries stay in cache


@dataclasses.dataclass(frozen=True)
class RandomFeatures:
    """A random feature ridge regression: samples, random features, ridge.

    Parameters
    ----------
    samples : int
    features : int or float
        ``math.inf`` for kernel ridge regression.
    ridge : float
        The objective is ``||y - Z a||^2 + ridge ||a||^2``, features scaled by ``1/sqrt(features)``; 0 for
        the minimum norm solution.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from subspan.w2s.rfrr import RandomFeatures
    >>> RandomFeatures(samples=200, features=300, ridge=1e-3).features
    300
    """

    samples: float
    features: float
    ridge: float = 0.0

    def __post_init__(self) -> None:
        for name in ("samples", "features"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name}={getattr(self, name)!r} must be at least 1")
        if not np.isfinite(self.samples):
            raise ValueError(f"samples={self.samples!r} must be finite")
        as_tolerance(self.ridge, "ridge")


@dataclasses.dataclass(frozen=True, eq=False)
class FixedPoint:
    """Effective ridge of a model on a spectrum.

    Attributes
    ----------
    spectrum : array, shape (K,)
    model : RandomFeatures
    nu : float
        Effective ridge: mode k is shrunk by ``nu/(spectrum_k + nu)``.

    Examples
    --------
    >>> from subspan.w2s.rfrr import RandomFeatures, fixed_point, power_law
    >>> spectrum, b2 = power_law(800, 1.5, 0.5)
    >>> found = fixed_point(spectrum, RandomFeatures(200, 300, 1e-3))
    >>> round(found.risk(b2, noise_var=0.1), 5)
    0.27019
    """

    spectrum: Array
    model: RandomFeatures
    nu: float

    @functools.cached_property
    def shrinkage(self) -> Array:
        """``K = nu/(Sigma + nu)``: the mean of the estimate is ``(1 - K) b``."""
        return self.nu / (self.spectrum + self.nu) if self.nu else (self.spectrum == 0) * 1.0

    @functools.cached_property
    def kept(self) -> Array:
        """``1 - K``."""
        return 1 - self.shrinkage if self.nu == 0 else self.spectrum / (self.spectrum + self.nu)

    def feature_noise(self, D: Any = 1.0) -> float:
        """``nu X(D)``, ``X(D) = sum D Sigma/(Sigma + nu)^2/(p - sum Sigma^2/(Sigma + nu)^2)``.

        Zero with infinitely many features.
        """
        p = self.model.features
        if np.isinf(p) or self.nu == 0:
            return 0.0
        return float(np.sum(D * self.shrinkage * self.kept) / (p - np.sum(self.kept**2)))

    def bias(self, b2: Array, D: Any = 1.0) -> float:
        """Squared bias of the target with squared coefficients b2, in the diagonal metric D."""
        return float(
            np.sum(D * self.shrinkage**2 * b2)
            + self.feature_noise(D) * np.sum(self.shrinkage * self.kept * b2)
        )

    def bias_form(self) -> Array:
        """The diagonal B with ``bias(b2) = sum B b2``."""
        return self.shrinkage**2 + self.feature_noise() * self.shrinkage * self.kept

    def variance(self, D: Any = 1.0) -> float:
        """Samples times the variance per unit of noise, in the metric D."""
        return float(
            np.sum(D * self.kept**2) + self.feature_noise(D) * np.sum(self.shrinkage * self.kept)
        )

    @functools.cached_property
    def overfitting(self) -> float:
        """``Upsilon``, in [0, 1): all errors are amplified by ``1/(1 - Upsilon)``."""
        return self.variance() / self.model.samples

    def risk(self, b2: Array, noise_var: float, D: Any = 1.0) -> float:
        """Mean of the squared error of the coefficients.

        Parameters
        ----------
        b2 : array, shape (K,)
            Squared coefficients of the target.
        noise_var : float
        D : float or array, shape (K,)
            Diagonal metric; the spectrum itself for the prediction error of features that are not white.

        Returns
        -------
        float
        """
        noise = (noise_var + self.bias(b2)) / (1 - self.overfitting)
        return self.bias(b2, D) + noise / self.model.samples * self.variance(D)


def fixed_point(spectrum: Any, model: RandomFeatures) -> FixedPoint:
    """Solve for the effective ridge of a random feature model.

    Parameters
    ----------
    spectrum : array, shape (K,)
        Eigenvalues of the features, not negative.
    model : RandomFeatures

    Returns
    -------
    FixedPoint

    Raises
    ------
    ValueError
        If the spectrum is empty, negative or not finite.

    Notes
    -----
    nu > 0 solves ``(n - t)(1 - t/p) nu = ridge`` with ``t = sum Sigma/(Sigma + nu) < min(n, p)``. The left
    side, zero where t is not below both, increases with nu: the root is bracketed and found by Brent's
    method on ``log nu``, at O(K) a step and about thirty steps. Without ridge ``t = min(n, p)``, or nu = 0
    if there are no more modes than that.

    Examples
    --------
    >>> from subspan.w2s.rfrr import RandomFeatures, fixed_point, power_law
    >>> spectrum, _ = power_law(1000, 1.5, 0.5)
    >>> e = fixed_point(spectrum, RandomFeatures(200, 300, 0.1))
    >>> 0 < e.nu < 1
    True
    """
    values = np.asarray(spectrum, np.float64)
    if (
        values.ndim != 1
        or not len(values)
        or not (np.isfinite(values).all() and (values >= 0).all())
    ):
        raise ValueError("spectrum must be a vector of finite numbers that are not negative")
    n, p, ridge = model.samples, model.features, float(model.ridge)
    top = float(values.max())
    least = min(n, p)
    if top == 0:
        return FixedPoint(values, model, ridge / n)

    def degrees(nu: float) -> float:
        parts = range(0, len(values), _BLOCK)
        return float(
            sum(np.sum(part / (part + nu)) for part in (values[i : i + _BLOCK] for i in parts))
        )

    def excess(u: float) -> float:
        nu = float(np.exp(u))
        t = degrees(nu)
        if ridge == 0:
            return least - t
        return max(n - t, 0.0) * max(1 - t / p, 0.0) * nu / ridge - 1

    if ridge == 0 and np.count_nonzero(values) <= least:
        return FixedPoint(values, model, 0.0)
    low = np.log(ridge / n) if ridge else np.log(top) - 60.0
    high = np.log(float(values.sum()) / least + ridge / n)  # t <= trace/nu
    while ridge == 0 and excess(low) > 0:
        low -= 60.0
    while excess(high) <= 0:
        high += 1.0
    root = low if low >= high else brentq(excess, low, high, xtol=1e-13, rtol=1e-14, maxiter=500)
    return FixedPoint(values, model, float(np.exp(root)))
