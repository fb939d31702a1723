"""Optimal Brain Surgeon for the single weights of a linear layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import as_tolerance, library_of
from .damping import factor, inverse_lower
from .elimination import eliminate
from .hessian import damped_hessian
from .inputs import Array, Indices, real_array
from .masked import MaskedWeights, masked
from .masks import Mask, as_pattern, as_sparsity, mask_of
from .projection import project

SUPPORTS = ("greedy", "diag", "magnitude")


def obs(
    W: Any,
    moments: Any,
    sparsity: float | None = None,
    *,
    pattern: str = "unstructured",
    support: str = "greedy",
    damping: float = 1e-2,
    held_out: Any = None,
) -> MaskedWeights:
    """Prune a linear layer by Optimal Brain Surgeon, every row refitted to its zeros exactly.

    Parameters
    ----------
    W : array, shape (outputs, inputs)
    moments : Moments or array, shape (inputs, inputs)
        Of the inputs.
    sparsity, pattern
        As in :func:`subspan.pruning.magnitude`.
    support : {"greedy", "diag", "magnitude"}
        Which weights go: one at a time, the one whose removal costs least after all others of its row have
        been refitted (OBC, or ExactOBS); those of least ``w_j^2 / (H^-1)_jj``, at once; the smallest.
    damping : float
        Added to the second moment, in units of the median of its diagonal.
    held_out : Moments or array, optional

    Returns
    -------
    MaskedWeights

    Raises
    ------
    ValueError
        If an argument is out of range.
    SingularMoments
        If the damped second moment is singular.

    Notes
    -----
    "greedy" takes ``3 d^2`` flops per removed weight and ``d^3`` for each row to make its count known, hence
    ``O(outputs d^3)``: for small layers. The refit takes ``k^3 / 3`` per row in all cases. Over the whole
    matrix the removals of all rows are merged by their cost.

    References
    ----------
    Hassibi and Stork, NIPS 1992; Frantar and Alistarh, arXiv 2208.11580.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import obs
    >>> S = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> obs(np.array([[1.0, 4.0]]), S, 0.5, damping=0).W
    array([[0. , 4.5]])
    """
    if support not in SUPPORTS:
        raise ValueError(f"support={support!r} is not known; expected one of {SUPPORTS}")
    library, given = library_of(W), real_array(W, "W")
    wide = given.astype(np.float64)
    share = as_sparsity(sparsity, pattern, given.shape[1])
    H, dead = damped_hessian(moments, given.shape[1], as_tolerance(damping, "damping"))
    wide[:, dead] = 0.0
    if support == "greedy":
        mask = _greedy(wide, H, share, pattern)
    else:
        costs = np.ones(len(H))
        if support == "diag":
            costs = np.diagonal(inverse_lower(factor(H, 0.0)))
        mask = mask_of(wide**2 / costs, share, pattern)
    return masked(given, project(wide, H, mask), mask, "obs", library, moments, held_out)


def _greedy(W: Array, H: Array, share: float, pattern: str) -> Mask:
    rows, d = W.shape
    inverse = inverse_lower(factor(H, 0.0))
    steps = (d if share > 0 else 0) if pattern == "unstructured" else round(share * d)
    per_group = as_pattern(pattern, d)
    traces = [removals(w, inverse, steps, per_group) for w in W]
    counts = np.full(rows, steps)
    if pattern == "unstructured":
        counts = _merged([costs for _, costs in traces], round(share * rows * d))
    mask = np.ones((rows, d), bool)
    for row, (order, _), count in zip(mask, traces, counts, strict=True):
        row[order[:count]] = False
    return mask


def removals(
    w: Array, inverse: Array, steps: int, per_group: tuple[int, int] | None = None
) -> tuple[Indices, Array]:
    """Weights of a row in the order of the least ``w_q^2 / (H^-1)_qq``, and these costs.

    With `per_group`, (N, M), at most N of every M consecutive ones.
    """
    H, G = np.array(inverse, order="F"), np.asfortranarray(np.outer(w, w))
    order, costs, _ = eliminate(H, G, steps, largest=False, per_group=per_group)
    # Rounding may end the last few: what is left is zero, in the order of the weights.
    left = np.setdiff1d(np.arange(len(w)), order)
    if per_group is not None:
        most, width = per_group
        room = most - np.bincount(order // width, minlength=len(w) // width)
        before = np.array([(left[:i] // width == q // width).sum() for i, q in enumerate(left)])
        left = left[before < room[left // width]]
    left = left[: steps - len(order)]
    end = np.full(len(left), costs[-1] if len(costs) else 0.0)
    return np.concatenate([order, left]), np.concatenate([costs, end])


def _merged(costs: list[Array], total: int) -> NDArray[np.int64]:
    """How many removals of each row are among the `total` cheapest, none before its predecessors."""
    rows = np.repeat(np.arange(len(costs)), [len(c) for c in costs])
    so_far = np.concatenate([np.maximum.accumulate(c) for c in costs]) if costs else np.zeros(0)
    cheapest = np.argsort(so_far, kind="stable")[:total]
    return np.bincount(rows[cheapest], minlength=len(costs))
