"""What the two models cannot express of the target: the bias that the risks stand on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import as_tolerance
from ..result import Result

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Bias(Result):
    """Squared distances of the target f* to what the models can express.

    Attributes
    ----------
    weak, strong : float
        ``||f* - P_w f*||^2`` and ``||f* - P_s f*||^2``, P the projection on the span of the features.
    student : float
        ``||f* - P_s P_w f*||^2``: what is left after the best teacher and the best student of it.
    leak : float
        ``||(I - P_s) P_w f*||^2``: the part of the best teacher that the student sees as noise.
    exact : bool
        False where `student` and `leak` are upper bounds from `weak` and `strong` alone.

    Examples
    --------
    >>> from subspan.w2s import Bias
    >>> Bias.at_most(0.04, 0.01).student, Bias.of_projections([1, 1], [[1], [0]], [[0], [1]]).weak
    (0.05, 1.0)
    """

    weak: float = 0.0
    strong: float = 0.0
    student: float = 0.0
    leak: float = 0.0
    exact: bool = True

    @classmethod
    def at_most(cls, weak: float, strong: float) -> Bias:
        """Bound the two mixed terms by the triangle inequality."""
        return cls(
            weak, strong, weak + strong, (weak**0.5 + strong**0.5) ** 2, exact=weak == strong == 0
        )

    @classmethod
    def of_projections(cls, target: Any, weak: Any, strong: Any) -> Bias:
        """Bias of the target ``b^T z``, z white, for features that span the columns of two matrices.

        Parameters
        ----------
        target : array, shape (r,)
        weak, strong : array, shape (r, d)
            Any basis, orthonormal or not.

        Returns
        -------
        Bias
        """
        b = np.asarray(target, np.float64)
        Qw, Qs = (np.linalg.qr(np.asarray(V, np.float64))[0] for V in (weak, strong))
        taught = Qw @ (Qw.T @ b)
        learnt = Qs @ (Qs.T @ taught)
        residuals = (b - taught, b - Qs @ (Qs.T @ b), b - learnt, taught - learnt)
        weak_, strong_, student, leak = (float(np.sum(x**2)) for x in residuals)
        return cls(weak_, strong_, student, leak)


def as_bias(bias: Any) -> Bias:
    """From None, a Bias, two numbers (weak, strong) or all four."""
    if bias is None:
        return Bias()
    if isinstance(bias, Bias):
        return bias
    if not isinstance(bias, (Sequence, np.ndarray)) or len(bias) not in (2, 4):
        raise TypeError(f"bias={bias!r} must be None, a Bias, or (weak, strong[, student, leak])")
    numbers = [as_tolerance(x, "bias") for x in bias]
    if len(numbers) == 2:
        return Bias.at_most(*numbers)
    weak, strong, student, leak = numbers
    return Bias(weak, strong, student, leak)
