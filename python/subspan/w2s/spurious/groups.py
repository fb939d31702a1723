"""Group features: their law at a minority fraction, and what the two models see of them."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._array import as_tolerance

Array = NDArray[np.float64]
LAWS = ("mean_shift", "mixture")
_NODES = 5000  # of the quadrature, at most


@dataclasses.dataclass(frozen=True, eq=False)
class GroupModel:
    """Group features ``xi`` in p dimensions, and the directions that teacher and student see.

    The label is linear in core features z; teacher and student see ``z (x) w`` and ``z (x) psi`` with
    ``w = (1, T^T xi)``, ``psi = (1, S^T xi)``, so that group features can only mislead.

    Parameters
    ----------
    mean : array, shape (p,)
        Mean of xi in the minority group; zero in the majority.
    teacher, student : array, shape (p, a) and (p, b)
        Orthonormal columns T and S.
    spread : float
        Standard deviation of xi in a group.
    law : {"mean_shift", "mixture"}
        With minority fraction eta, ``xi ~ N(eta mean, spread^2 I)``, for which the published formulas hold,
        or a member of the minority with probability eta.

    Raises
    ------
    ValueError
        If shapes do not agree, columns are not orthonormal or `spread` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s.spurious import GroupModel
    >>> model = GroupModel([1.0, 0.5], np.eye(2), np.eye(2)[:, :1])
    >>> model.teacher_moment(0.5)[0].tolist()
    [1.0, 0.5, 0.25]
    """

    mean: Any
    teacher: Any
    student: Any
    spread: float = 1.0
    law: str = "mean_shift"

    def __post_init__(self) -> None:
        mean = np.asarray(self.mean, np.float64)
        if mean.ndim != 1 or not np.isfinite(mean).all():
            raise ValueError(f"mean must be a vector of finite numbers, got shape {mean.shape}")
        object.__setattr__(self, "mean", mean)
        for name in ("teacher", "student"):
            V = np.asarray(getattr(self, name), np.float64)
            if V.ndim != 2 or len(V) != len(mean):
                raise ValueError(f"{name} has shape {V.shape}; expected {len(mean)} rows")
            if not np.allclose(V.T @ V, np.eye(V.shape[1]), atol=1e-8):
                raise ValueError(f"the columns of {name} are not orthonormal")
            object.__setattr__(self, name, V)
        if not as_tolerance(self.spread, "spread") > 0:
            raise ValueError(f"spread={self.spread} must be positive")
        if self.law not in LAWS:
            raise ValueError(f"law={self.law!r} must be one of {LAWS}")

    def moment(self, eta: float) -> Array:
        """``E[x x^T]`` of ``x = (1, xi)`` at minority fraction eta, shape (1 + p, 1 + p)."""
        first = eta * self.mean
        share = eta**2 if self.law == "mean_shift" else eta
        second = self.spread**2 * np.eye(len(first)) + share * np.outer(self.mean, self.mean)
        return np.block([[np.ones((1, 1)), first[None]], [first[:, None], second]])

    @functools.cached_property
    def sees(self) -> tuple[Array, Array]:
        """Matrices that take ``(1, xi)`` to w and to psi."""
        found = []
        for V in (self.teacher, self.student):
            E = np.zeros((V.shape[1] + 1, len(V) + 1))
            E[0, 0], E[1:, 1:] = 1.0, V.T
            found.append(E)
        return found[0], found[1]

    def teacher_moment(self, eta: float) -> Array:
        """``W = E[w w^T]`` at minority fraction eta, shape (1 + a, 1 + a)."""
        T, _ = self.sees
        return np.asarray(T @ self.moment(eta) @ T.T)

    def student_moment(self, eta: float) -> Array:
        """``Psi = E[psi psi^T]`` at minority fraction eta, shape (1 + b, 1 + b)."""
        _, S = self.sees
        return np.asarray(S @ self.moment(eta) @ S.T)

    def cross_moment(self, eta: float) -> Array:
        """``C = E[w psi^T]`` at minority fraction eta, shape (1 + a, 1 + b)."""
        T, S = self.sees
        return np.asarray(T @ self.moment(eta) @ S.T)

    def sample(self, eta: float, size: int, rng: np.random.Generator) -> Array:
        """Draw rows ``(1, xi)``.

        Parameters
        ----------
        eta : float
            Minority fraction.
        size : int
        rng : numpy.random.Generator

        Returns
        -------
        array, shape (size, 1 + p)
        """
        if self.law == "mean_shift":
            weight = np.full(size, eta)
        else:
            weight = (rng.random(size) < eta).astype(np.float64)
        xi = weight[:, None] * self.mean + self.spread * rng.standard_normal((size, len(self.mean)))
        return np.column_stack([np.ones(size), xi])

    def points(self, eta: float, V: Array) -> tuple[Array, Array]:
        """Nodes and weights for expectations of functions of ``V^T xi``, V with orthonormal columns.

        A node is ``(1, E[xi | V^T xi])``: products of such a function with xi are integrated as well. A
        product rule of Gauss and Hermite; with more than six directions 50 000 pseudo-random points.
        """
        a = V.shape[1]
        if a > 6:
            rng = np.random.default_rng(0)
            seen, weight = rng.standard_normal((50_000, a)), np.full(50_000, 1 / 50_000)
        else:
            node, w = np.polynomial.hermite_e.hermegauss(min(40, int(_NODES ** (1 / max(a, 1)))))
            seen = np.stack(np.meshgrid(*[node] * a, indexing="ij"), axis=-1).reshape(-1, a)
            weight = functools.reduce(np.multiply.outer, [w] * a, np.ones(1)).ravel()
            weight /= weight.sum()
        groups = [(eta, 1.0)] if self.law == "mean_shift" else [(0.0, 1 - eta), (1.0, eta)]
        x = np.concatenate([self.spread * seen @ V.T + shift * self.mean for shift, _ in groups])
        weights = np.concatenate([weight * part for _, part in groups])
        return np.column_stack([np.ones(len(x)), x]), weights
