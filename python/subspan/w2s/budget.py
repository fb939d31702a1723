"""How many labels and how many pseudo-labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._array import as_rank, as_tolerance
from . import formulas
from .bias import as_bias
from .risks import METHODS, predict_risk


def best_label_budget(
    d_strong: float,
    d_weak: float,
    d_overlap: float,
    N: int,
    noise_var: float,
    *,
    bias: Any = None,
    goal: str = "opr",
    method: str = "exact",
    largest: int | None = None,
) -> int:
    """Return the number of labels n at which pseudo-labels help most.

    Parameters
    ----------
    d_strong, d_weak, d_overlap, noise_var, bias
        As for :func:`predict_risk`.
    N : int
        Number of pseudo-labels.
    goal : {"opr", "pgr"}
        What is largest: the lead over the strong model on the labels, or the recovered part of the gap.
    method : {"exact", "asymptotic"}
        Search over the exact risks, or the maximiser of the paper's lower bounds, one for both goals.
    largest : int, optional
        Largest n to consider; ``100 (d_strong + d_weak + 2)`` by default.

    Returns
    -------
    int
        More labels always lower the risk itself: this is where weak-to-strong training is worth most beside
        its alternatives. Without bias the maximiser of the bounds is `largest`.

    Raises
    ------
    ValueError
        If `goal` is unknown or `largest` leaves no n above the dimensions.

    Notes
    -----
    The bounds are largest at ``(d_w + 1) + sqrt((d_w + 1) D sigma^2/rho)``,
    ``D = d_sw + (d_w - d_sw) d_s/N``. The exact recovery has no such maximum: the teacher is infinitely bad
    at its peak of double descent, ``n = d_w + 1``, and the student recovers the most next to it. Likewise
    the exact lead over the baseline is largest next to the baseline's peak if ``d_s >= d_w``.

    Examples
    --------
    >>> from subspan.w2s import best_label_budget
    >>> best_label_budget(100, 200, 10, 4000, 1e-2, bias=(2.56e-4, 5.48e-5), method="asymptotic")
    510
    >>> best_label_budget(100, 200, 10, 4000, 1e-2, bias=(2.56e-4, 5.48e-5))
    424
    """
    if goal not in ("pgr", "opr"):
        raise ValueError(f"goal={goal!r} must be 'pgr' or 'opr'")
    if method not in METHODS:
        raise ValueError(f"method={method!r} must be one of {tuple(METHODS)}")
    start = int(np.floor(max(d_weak, d_strong if goal == "opr" else 0))) + 2
    stop = (
        int(100 * (d_strong + d_weak + 2))
        if largest is None
        else as_rank(largest, 2**62, "largest")
    )
    if stop < start:
        raise ValueError(f"largest={stop} must be at least {start}, above the dimensions")
    if method == "asymptotic":
        lost = as_bias(bias).weak + as_bias(bias).strong
        inherited = d_overlap + (d_weak - d_overlap) * d_strong / N
        best = d_weak + 1 + np.sqrt((d_weak + 1) * inherited * noise_var / lost) if lost else np.inf
        return int(np.clip(np.round(min(best, stop)), start, stop))
    n = np.unique(np.round(np.geomspace(start, stop, 4000)).astype(np.int64))
    value = getattr(predict_risk(d_strong, d_weak, d_overlap, n, N, noise_var, bias=bias), goal)
    at = int(np.nanargmax(value))
    around = np.arange(n[max(at - 1, 0)], n[min(at + 1, len(n) - 1)] + 1)
    near = getattr(predict_risk(d_strong, d_weak, d_overlap, around, N, noise_var, bias=bias), goal)
    return int(around[int(np.nanargmax(near))])


def pseudo_labels_needed(
    d_strong: float,
    d_weak: float,
    d_overlap: float,
    n: int,
    noise_var: float,
    *,
    bias: Any = None,
    tolerance: float = 0.1,
) -> float:
    """Return the N from which the student's risk is within a part `tolerance` of its limit.

    Parameters
    ----------
    d_strong, d_weak, d_overlap, n, noise_var, bias
        As for :func:`predict_risk`.
    tolerance : float
        Positive.

    Returns
    -------
    float
        An integer, or infinity where the limit is zero and out of reach.

    Raises
    ------
    ValueError
        If `tolerance` is not positive.

    Notes
    -----
    The student's risk is ``a + c/(N - d_s - 1)``: solved for N.

    Examples
    --------
    >>> from subspan.w2s import pseudo_labels_needed
    >>> pseudo_labels_needed(100, 200, 50, 2000, 1e-2)
    3101.0
    """
    if not as_tolerance(tolerance, "tolerance") > 0:
        raise ValueError(f"tolerance={tolerance} must be positive")
    setting = predict_risk(d_strong, d_weak, d_overlap, n, int(d_strong) + 2, noise_var, bias=bias)

    def student(N: float) -> float:
        dims = setting.d_strong, setting.d_weak, setting.d_overlap
        return float(formulas.exact(*dims, n, N, noise_var, setting.bias)[1])

    limit = student(np.inf)
    excess = student(setting.d_strong + 2) - limit  # c, as the denominator is one there
    if excess <= 0:
        return float(int(d_strong) + 2)
    return float(np.ceil(d_strong + 1 + excess / (tolerance * limit))) if limit else float("inf")
