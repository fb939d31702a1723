"""Teacher and student of random features at finite size, with Gaussian eigenfunctions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._array import as_rank
from ..._rng import seed_word
from .fixed_point import RandomFeatures

Array = NDArray[np.float64]


def simulate(
    spectrum: Any,
    b2: Any,
    teacher: RandomFeatures,
    student: RandomFeatures,
    noise_var: float,
    *,
    trials: int = 20,
    rng: Any = None,
) -> Array:
    """Draw excess risks of teacher and student.

    Parameters
    ----------
    spectrum, b2 : array, shape (K,)
    teacher, student : RandomFeatures
        With finitely many features.
    noise_var : float
    trials : int
    rng : int, numpy.random.Generator or None

    Returns
    -------
    array, shape (trials, 2)

    Notes
    -----
    Eigenfunctions and random weights are standard normal, which stands for their universality class.
    ``O(K p (n + p))`` flops per model and trial.

    Examples
    --------
    >>> from subspan.w2s.rfrr import RandomFeatures, power_law, simulate
    >>> model = RandomFeatures(60, 80, 0.1)
    >>> simulate(*power_law(100, 1.5, 0.5), model, model, 0.1, trials=3, rng=0).shape
    (3, 2)
    """
    generator = np.random.default_rng(seed_word(rng))
    root, b = np.sqrt(np.asarray(spectrum, np.float64)), np.sqrt(np.asarray(b2, np.float64))
    found = np.empty((as_rank(trials, 2**31, "trials"), 2))
    for row in found:
        first = _fit(root, teacher, b, noise_var, generator)
        second = _fit(root, student, first, 0.0, generator)
        row[:] = np.sum((first - b) ** 2), np.sum((second - b) ** 2)
    return found


def _fit(
    root: Array, model: RandomFeatures, target: Array, noise: float, generator: np.random.Generator
) -> Array:
    """Coefficients in the eigenbasis of one model, fitted to a target on fresh inputs and features."""
    n, p = int(model.samples), int(model.features)
    psi = generator.standard_normal((n, len(root)))
    F = root[:, None] * generator.standard_normal((len(root), p)) / np.sqrt(p)
    y = psi @ target + np.sqrt(noise) * generator.standard_normal(n)
    Z = psi @ F
    if model.ridge == 0:
        return np.asarray(F @ np.linalg.lstsq(Z, y)[0])
    if p <= n:
        return np.asarray(F @ np.linalg.solve(Z.T @ Z + model.ridge * np.eye(p), Z.T @ y))
    return np.asarray(F @ (Z.T @ np.linalg.solve(Z @ Z.T + model.ridge * np.eye(n), y)))
