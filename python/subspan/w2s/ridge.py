"""Risks of teacher and student with ridge, by deterministic equivalents."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import as_tolerance
from .bias import Bias
from .ratios import gap_recovered, outperforming
from .rfrr import FixedPoint, RandomFeatures, fixed_point
from .risks import Risks, as_sizes

Array = NDArray[np.float64]


def predict_ridge_risk(
    strong: Any,
    weak: Any,
    cross: Any,
    target_strong: Any,
    target_weak: Any,
    target_square: float,
    n: int,
    N: int,
    noise_var: float,
    *,
    ridge_strong: float,
    ridge_weak: float,
) -> Risks:
    """Excess risks of ridge regression, teacher and student, for Gaussian features.

    Parameters
    ----------
    strong, weak : array, shape (d_s,) and (d_w,)
        Eigenvalues of the second moments of the features.
    cross : array, shape (d_s, d_w)
        ``E[s w^T]`` of the white coordinates along the eigenvectors; its singular values are the canonical
        correlations.
    target_strong, target_weak : array, shape (d_s,) and (d_w,)
        ``E[s f*]`` and ``E[w f*]``.
    target_square : float
        ``E[f*^2]``.
    n, N : int
        Labels and pseudo-labels.
    noise_var : float
    ridge_strong, ridge_weak : float
        The objectives are ``||y - X b||^2 + ridge ||b||^2``; 0 for least squares of least norm.

    Returns
    -------
    Risks
        `d_overlap` and `bias` are those without ridge; single runs cannot be drawn.

    Raises
    ------
    ValueError
        If shapes do not agree.

    Notes
    -----
    With nu from the fixed point of ``n - ridge/nu = sum l/(l + nu)``, A = ``diag(l/(l + nu))`` and c the
    white coefficients of the target, the estimate has mean A c and covariance ``(t/n) A^2``,
    ``t = (noise + ||(I - A) c||^2)/(1 - tr A^2/n)``: the student sees the projection of that law as target
    and the rest of it as noise. Without ridge and with more samples than dimensions these are the exact
    risks but for a one in ``n - d - 1``.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s import predict_ridge_risk
    >>> one, c = np.ones(20), np.ones(20) / 20**0.5
    >>> r = predict_ridge_risk(one, one, np.eye(20), c, c, 1.0, 100, 1000, 1.0, ridge_strong=0, ridge_weak=20)
    >>> round(r.weak, 3), round(r.strong_baseline, 3)
    (0.193, 0.25)
    """
    ls, lw, M, bs, bw = (
        np.asarray(x, np.float64) for x in (strong, weak, cross, target_strong, target_weak)
    )
    if M.shape != (len(ls), len(lw)) or bs.shape != ls.shape or bw.shape != lw.shape:
        raise ValueError(
            f"strong, weak, cross and the targets have shapes {ls.shape}, {lw.shape}, {M.shape}, {bs.shape} "
            f"and {bw.shape}; expected (d_s,), (d_w,), (d_s, d_w), (d_s,) and (d_w,)"
        )
    labels, pseudo = as_sizes(n, "n"), as_sizes(N, "N")
    noise, square = (
        as_tolerance(noise_var, "noise_var"),
        as_tolerance(target_square, "target_square"),
    )
    strong_penalty = as_tolerance(ridge_strong, "ridge_strong")
    teacher = fixed_point(
        lw, RandomFeatures(labels, np.inf, as_tolerance(ridge_weak, "ridge_weak"))
    )
    student = fixed_point(ls, RandomFeatures(pseudo, np.inf, strong_penalty))

    weak_noise = noise + max(square - float(bw @ bw), 0.0)
    mean = teacher.kept * bw
    spread = (
        _scatter(teacher, bw**2, weak_noise) * teacher.kept**2
    )  # variances of white coordinates
    weak_risk = square - 2 * mean @ bw + mean @ mean + spread.sum()

    taught = M @ mean  # mean of the student's target
    taught_square = taught**2 + (M**2) @ spread
    unseen = mean @ mean + spread.sum() - taught_square.sum()
    kept = student.kept
    scatter = _scatter(student, taught_square, max(float(unseen), 0.0)) * np.sum(kept**2)
    w2s = square - 2 * (kept * taught) @ bs + np.sum(kept**2 * taught_square) + scatter

    strong_noise = noise + max(square - float(bs @ bs), 0.0)
    alone = [
        _own_risk(
            fixed_point(ls, RandomFeatures(size, np.inf, strong_penalty)), bs, square, strong_noise
        )
        for size in (labels, labels + pseudo)
    ]
    four = float(weak_risk), float(w2s), alone[0], alone[1]
    dims = float(len(ls)), float(len(lw)), float(np.sum(M**2))
    inside = M @ bw
    bias = Bias(
        weak=max(square - float(bw @ bw), 0.0),
        strong=max(square - float(bs @ bs), 0.0),
        student=max(square - 2 * float(bs @ inside) + float(inside @ inside), 0.0),
        leak=max(float(bw @ bw - inside @ inside), 0.0),
    )
    pgr, opr = gap_recovered(four[0], four[1], four[3]), outperforming(four[2], four[1])
    return Risks(*four, pgr, opr, *dims, labels, pseudo, noise, bias, "equivalent")


def _scatter(model: FixedPoint, squares: Array, noise: float) -> float:
    """``t/n``: variance of the estimate per squared shrinkage."""
    lost = float(np.sum(model.shrinkage**2 * squares))
    return (noise + lost) / (1 - model.overfitting) / float(model.model.samples)


def _own_risk(model: FixedPoint, target: Array, square: float, noise: float) -> float:
    spread = _scatter(model, target**2, noise) * float(np.sum(model.kept**2))
    return (
        square
        - 2 * float(model.kept @ target**2)
        + float(np.sum((model.kept * target) ** 2))
        + spread
    )
