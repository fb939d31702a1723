"""Risks of random feature ridge regression on labels, and on the predictions of such a model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ..._array import as_tolerance
from .fixed_point import FixedPoint, RandomFeatures, fixed_point

Array = NDArray[np.float64]


def teacher_risk(spectrum: Any, b2: Any, model: RandomFeatures, noise_var: float) -> float:
    """Excess risk of random feature ridge regression on noisy labels.

    Parameters
    ----------
    spectrum : array, shape (K,)
        Eigenvalues of the features.
    b2 : array, shape (K,)
        Squared coefficients of the target in the eigenbasis.
    model : RandomFeatures
    noise_var : float

    Returns
    -------
    float

    Notes
    -----
    Deterministic equivalent, exact in the limit of many samples and features; O(K) beside the fixed point.

    References
    ----------
    Defilippis, Loureiro, Misiakiewicz, arXiv 2405.15699.

    Examples
    --------
    >>> from subspan.w2s.rfrr import RandomFeatures, power_law, teacher_risk
    >>> spectrum, b2 = power_law(800, 1.5, 0.5)
    >>> round(teacher_risk(spectrum, b2, RandomFeatures(200, 300, 1e-3), 0.1), 5)
    0.27019
    """
    return fixed_point(spectrum, model).risk(
        _squares(b2, spectrum), as_tolerance(noise_var, "noise_var")
    )


def _squares(b2: Any, spectrum: Any) -> Array:
    squares = np.asarray(b2, np.float64)
    if squares.shape != np.shape(spectrum):
        raise ValueError(
            f"b2 has shape {squares.shape}; expected that of spectrum, {np.shape(spectrum)}"
        )
    if not (np.isfinite(squares).all() and (squares >= 0).all()):
        raise ValueError("b2 must be finite and not negative")
    return squares


def student_risk(
    spectrum: Any,
    b2: Any,
    teacher: RandomFeatures,
    student: RandomFeatures,
    noise_var: float,
    *,
    pseudo_noise: float = 0.0,
    student_spectrum: Any = None,
) -> float:
    """Excess risk of a student trained on a teacher's predictions of fresh inputs.

    Parameters
    ----------
    spectrum, b2 : array, shape (K,)
        Eigenvalues of the features and squared coefficients of the target.
    teacher, student : RandomFeatures
        Independent random features.
    noise_var : float
        Variance of the labels that the teacher sees.
    pseudo_noise : float
        Variance of noise added to the pseudo-labels.
    student_spectrum : array, shape (K,), optional
        If the student's differs, in the same eigenbasis.

    Returns
    -------
    float

    Notes
    -----
    The student is a teacher whose target is the teacher's estimate: averages of its bias form, diagonal in
    the eigenbasis, over that estimate are the teacher's risk in other metrics.

    Examples
    --------
    >>> from subspan.w2s.rfrr import RandomFeatures, power_law, student_risk
    >>> spectrum, b2 = power_law(800, 1.5, 0.5)
    >>> teacher, student = RandomFeatures(200, 300, 1e-3), RandomFeatures(400, 400, 1.0)
    >>> round(student_risk(spectrum, b2, teacher, student, 0.1), 5)
    0.07479
    """
    squares = _squares(b2, spectrum)
    if student_spectrum is not None:
        _squares(student_spectrum, spectrum)
    taught = fixed_point(spectrum, teacher)
    learning = fixed_point(spectrum if student_spectrum is None else student_spectrum, student)
    noises = as_tolerance(noise_var, "noise_var"), as_tolerance(pseudo_noise, "pseudo_noise")
    return combine(taught, learning, squares, *noises)


def combine(
    taught: FixedPoint, learning: FixedPoint, b2: Array, noise_var: float, pseudo_noise: float
) -> float:
    """The student's risk from the two fixed points."""
    lost, unlearnt = taught.shrinkage, learning.shrinkage
    form = learning.bias_form()
    # E[(theta_T - b)^T K_S theta_T] and E[theta_T^T B_S theta_T]
    mixed = taught.risk(b2, noise_var, unlearnt) - float(np.sum(lost * unlearnt * b2))
    missed = taught.risk(b2, noise_var, form) + float(np.sum((1 - 2 * lost) * form * b2))
    amplified = (missed + learning.overfitting * pseudo_noise) / (1 - learning.overfitting)
    return taught.risk(b2, noise_var) - 2 * mixed + amplified


def optimal_student_ridge(
    spectrum: Any,
    b2: Any,
    teacher: RandomFeatures,
    samples: int,
    features: float,
    noise_var: float,
    *,
    student_spectrum: Any = None,
) -> tuple[float, float]:
    """Return the ridge at which the student is best, and its risk there.

    Parameters
    ----------
    spectrum, b2, teacher, noise_var, student_spectrum
        As for :func:`student_risk`.
    samples, features : int
        Of the student.

    Returns
    -------
    (ridge, risk) : tuple of float

    Notes
    -----
    A grid of 41 values over 14 decades, then golden sections: about 70 fixed points.

    Examples
    --------
    >>> from subspan.w2s.rfrr import RandomFeatures, optimal_student_ridge, power_law, student_risk
    >>> spectrum, b2 = power_law(400, 1.5, 0.5)
    >>> teacher = RandomFeatures(100, 150, 1e-3)
    >>> ridge, risk = optimal_student_ridge(spectrum, b2, teacher, 200, 200, 0.1)
    >>> risk <= student_risk(spectrum, b2, teacher, RandomFeatures(200, 200, 1.0), 0.1)
    True
    """
    squares = _squares(b2, spectrum)
    taught = fixed_point(spectrum, teacher)
    own = np.asarray(spectrum if student_spectrum is None else student_spectrum, np.float64)

    def risk(power: float) -> float:
        model = RandomFeatures(samples, features, 10.0**power)
        return combine(taught, fixed_point(own, model), squares, noise_var, 0.0)

    scale = np.log10(samples * float(own.max()))
    grid = scale + np.linspace(-13, 1, 41)
    at = int(np.argmin([risk(power) for power in grid]))
    around = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    found = minimize_scalar(risk, bounds=around, method="bounded", options={"xatol": 1e-4})
    best = min([float(found.x), float(grid[at])], key=risk)
    return 10.0**best, risk(best)
