"""Risks of teacher and student when the minority fraction differs between their data and the test."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ..._array import as_tolerance
from ...result import Result
from .groups import GroupModel

Array = NDArray[np.float64]
METHODS = ("exact", "fixed_point", "asymptotic")


@dataclasses.dataclass(frozen=True, repr=False)
class SpuriousRisks(Result):
    """Excess risks on the test law; unpacks into ``teacher, student``.

    Attributes
    ----------
    teacher, student : float
    eta_labeled, eta_unlabeled, eta_test : float
        Minority fractions.
    method : str

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s.spurious import GroupModel, predict_risk
    >>> model = GroupModel([1.0, 0.5, 0.8], np.eye(3)[:, :2], np.eye(3)[:, 2:])
    >>> teacher, student = predict_risk(model, 0.1, 0.5, d_z=20, n=2000, N=4000, noise_var=1.0)
    >>> student < teacher
    True
    """

    teacher: float
    student: float
    eta_labeled: float
    eta_unlabeled: float
    eta_test: float
    method: str

    _unpacks: ClassVar[tuple[str, ...]] = ("teacher", "student")

    def __len__(self) -> int:
        return 2

    @property
    def gain(self) -> float:
        """Positive where the student surpasses its teacher."""
        return self.teacher - self.student

    def __repr__(self) -> str:
        return (
            f"<SpuriousRisks: teacher {self.teacher:.3g}, student {self.student:.3g} at minority fractions "
            f"{self.eta_labeled:g}, {self.eta_unlabeled:g} -> {self.eta_test:g}>"
        )


def predict_risk(
    model: GroupModel,
    eta_labeled: float,
    eta_unlabeled: float,
    eta_test: float = 0.5,
    *,
    d_z: int,
    n: int,
    N: int,
    noise_var: float,
    method: str = "exact",
) -> SpuriousRisks:
    """Excess risks of ridgeless teacher and student with group imbalance.

    Parameters
    ----------
    model : GroupModel
    eta_labeled, eta_unlabeled, eta_test : float
        Minority fractions of the n labelled and N pseudo-labelled samples and of the test.
    d_z : int
        Number of core features.
    n, N : int
    noise_var : float
        Variance of the labels.
    method : {"exact", "fixed_point", "asymptotic"}
        "exact" corrects the leading order for ``1/(1 - p_T d_z/n)`` and ``1/(1 - p_S d_z/N)``;
        "fixed_point" also for the dependence of leverage on the groups, which matters where they are far
        apart; "asymptotic" is the leading order in ``d_z/n``.

    Returns
    -------
    SpuriousRisks

    Raises
    ------
    ValueError
        If a fraction is not in [0, 1], or there are not more samples than features.

    Notes
    -----
    With W, Psi, C the second moments of w, psi and both, ``P = C_u Psi_u^{-1}``,
    ``res = W_u - P C_u^T``, gamma = d_z/n, nu = d_z/N::

        ER_T = noise_var gamma k_T tr(W_t W_l^{-1})
        ER_S = noise_var gamma k_T [tr(P Psi_t P^T W_l^{-1}) + nu k_S tr(res W_l^{-1}) tr(Psi_t Psi_u^{-1})]

    For law "mean_shift" the leading order is the published theorem. The fixed point replaces
    ``k_T W_l^{-1}`` by the solution of ``B^{-1} = E[w w^T/(1 + gamma w^T B w)]``, likewise for the student.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s.spurious import GroupModel, predict_risk
    >>> model = GroupModel([1.0, 0.5, 0.8], np.eye(3)[:, :2], np.eye(3)[:, 2:])
    >>> r = predict_risk(model, 0.1, 0.1, d_z=50, n=5000, N=10000, noise_var=1.0)
    >>> r.gain > 0
    True
    """
    etas = [_fraction(x, f"eta_{name}") for x, name in
            ((eta_labeled, "labeled"), (eta_unlabeled, "unlabeled"), (eta_test, "test"))]  # fmt: skip
    if method not in METHODS:
        raise ValueError(f"method={method!r} must be one of {METHODS}")
    noise = as_tolerance(noise_var, "noise_var")
    T, S = model.sees
    gamma, nu = d_z / n, d_z / N
    if len(T) * gamma >= 1 or len(S) * nu >= 1:
        raise ValueError(
            f"n={n} and N={N} must exceed the numbers of features, {len(T) * d_z} and {len(S) * d_z}"
        )
    eta_l, eta_u, eta_t = etas
    W_t, Psi_t = model.teacher_moment(eta_t), model.student_moment(eta_t)
    W_u, Psi_u, C_u = (
        model.teacher_moment(eta_u),
        model.student_moment(eta_u),
        model.cross_moment(eta_u),
    )
    if method == "fixed_point":
        B, _ = _resolvent(model, model.teacher, eta_l, gamma)
        B_s, weighted = _resolvent(model, model.student, eta_u, nu)
        P = T @ weighted @ B_s
    else:
        finite = method == "exact"
        k_T, k_S = (1 / (1 - finite * size) for size in (len(T) * gamma, len(S) * nu))
        B = k_T * _inverse(model.teacher_moment(eta_l))
        B_s = k_S * _inverse(Psi_u)
        P = C_u @ _inverse(Psi_u)
    residual = W_u - P @ C_u.T - C_u @ P.T + P @ Psi_u @ P.T
    teacher = noise * gamma * np.trace(W_t @ B)
    learnt = np.trace(P @ Psi_t @ P.T @ B)
    scattered = nu * np.trace(residual @ B) * np.trace(Psi_t @ B_s)
    student = noise * gamma * (learnt + scattered)
    return SpuriousRisks(float(teacher), float(student), eta_l, eta_u, eta_t, method)


def _fraction(value: Any, name: str) -> float:
    eta = as_tolerance(value, name)
    if eta > 1:
        raise ValueError(f"{name}={value} must lie in [0, 1]")
    return eta


def _inverse(matrix: Any) -> Array:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _resolvent(model: GroupModel, V: Array, eta: float, ratio: float) -> tuple[Array, Array]:
    """Solve ``B^{-1} = E[c v v^T]``, ``c = 1/(1 + ratio v^T B v)``, ``v = (1, V^T xi)``.

    Returns B and ``E[c (1, xi) v^T]``.
    """
    x, weight = model.points(eta, V)
    v = np.column_stack([x[:, :1], x[:, 1:] @ V])
    B = _inverse((v * weight[:, None]).T @ v)
    for _ in range(1000):
        damped = weight / (1 + ratio * np.einsum("ij,ij->i", v @ B, v))
        new = _inverse((v * damped[:, None]).T @ v)
        change = np.abs(new - B).max() / np.abs(new).max()
        B = new
        if change < 1e-13:
            return B, (x * damped[:, None]).T @ v
    raise np.linalg.LinAlgError("the fixed point of the leverage was not reached in 1000 steps")


def best_unlabeled_fraction(
    model: GroupModel,
    eta_labeled: float,
    eta_test: float = 0.5,
    *,
    d_z: int | None = None,
    n: int | None = None,
    N: int | None = None,
    method: str = "exact",
) -> float:
    """Return the minority fraction of the unlabelled data at which the student is best.

    Parameters
    ----------
    model : GroupModel
    eta_labeled, eta_test : float
    d_z, n, N : int, optional
        Without them unlabelled data are taken to be unlimited. For law "mean_shift" that has the closed
        form ``<a - b, eta_l a - eta_t b>/||a - b||^2`` with ``a = T^T mean``, ``b = T^T S S^T mean``, cut
        to [0, 1].
    method : {"exact", "fixed_point", "asymptotic"}

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s.spurious import GroupModel, best_unlabeled_fraction
    >>> model = GroupModel([1.0, 0.5, 0.8], np.eye(3)[:, :2], np.eye(3)[:, 2:])
    >>> best_unlabeled_fraction(model, 0.1)
    0.1
    """
    eta_l, eta_t = _fraction(eta_labeled, "eta_labeled"), _fraction(eta_test, "eta_test")
    given = [x is not None for x in (d_z, n, N)]
    if any(given) and not all(given):
        raise ValueError("d_z, n and N are needed together, or none of them")
    if not any(given) and model.law == "mean_shift":
        a = model.teacher.T @ model.mean
        b = model.teacher.T @ model.student @ model.student.T @ model.mean
        square = float(np.sum((a - b) ** 2))
        best = float((a - b) @ (eta_l * a - eta_t * b)) / square if square else eta_l
        return float(np.clip(best, 0, 1))
    if d_z is None or n is None or N is None:
        d_z, n, N = 1, 10**9, 10**15  # the limit

    def risk(eta: float) -> float:
        options: dict[str, Any] = {"d_z": d_z, "n": n, "N": N, "noise_var": 1.0, "method": method}
        return predict_risk(model, eta_l, eta, eta_t, **options).student

    grid = np.linspace(0, 1, 21)
    at = int(np.argmin([risk(float(eta)) for eta in grid]))
    around = float(grid[max(at - 1, 0)]), float(grid[min(at + 1, 20)])
    found = minimize_scalar(risk, bounds=around, method="bounded", options={"xatol": 1e-6})
    ends = [float(grid[at]), float(found.x)]
    return min(ends, key=risk)
