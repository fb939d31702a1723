"""Which inner units of a module stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._array import as_tolerance, library_of, to_caller
from .._rng import seed_word
from . import scores as _scores
from .blas import lower_gram, product
from .damping import factor, inverse, inverse_lower, scale_of
from .elimination import eliminate
from .exceptions import NotEnoughSamples
from .grouped import eliminate_groups
from .inputs import (
    Array,
    Indices,
    as_classes,
    as_count,
    as_groups,
    others,
    second_moment_of,
    smallest_first,
    wide_matrix,
)
from .moments import Moments
from .result import UnitSelection

SCORED = ("random", "magnitude", "wanda", "second_moment", "flap", "goa", "goa_code")
FORWARD = ("id", "weighted_id", "output")
METHODS = (*SCORED, *FORWARD, "obs")
PIVOTING = ("blocks", "greedy", "rbrp", "rp")
_WIDTH = 32  # candidates at a time for "blocks"


def select_units(
    W: Any,
    moments: Any,
    k: int,
    *,
    method: str = "obs",
    level1: Sequence[Any] = (),
    input_moments: Any = None,
    activation: str = "linear",
    groups: Sequence[Any] | None = None,
    balance: Sequence[int] | None = None,
    pivoting: str = "blocks",
    damping: float = 1e-2,
    rng: Any = None,
) -> UnitSelection:
    """Choose k of the m inner units of a module ``h -> h W^T``.

    Parameters
    ----------
    W : array, shape (outputs, m)
        The matrix that reads the units.
    moments : Moments, or array of shape (m, m)
        Of h, or its second moment; diagonal ones do for the methods that look at units one by one.
    k : int
        Units to keep, ``0 <= k <= m``; groups, if there are any.
    method : str
        One by one: "random", "magnitude", "wanda", "second_moment", "flap", "goa", "goa_code", see
        `subspan.pruning.scores`. Looking again after every choice: "id", the pivots of the activations,
        which span them best; "weighted_id", the same of ``h_j |w_j|``; "output", the unit that explains
        most of what is left of the output (orthogonal matching pursuit with many responses); "obs",
        from all units backwards, the one whose removal costs least after all others have been
        refitted (Optimal Brain Surgeon).
    level1 : sequence of arrays, shape (m, inputs)
        Matrices that make the units; "magnitude", "goa" and "goa_code" look at them.
    input_moments : Moments or array, optional
        Of the module's input, for "goa" and "goa_code".
    activation : {"linear", "relu", "gelu", "silu"}
        For "goa" and "goa_code".
    groups : sequence of integer arrays, optional
        Channels that stay or go together, such as those of a head.
    balance : sequence of int, optional
        With `groups`, the class of each, 0, 1, ...: as many of every class stay, such as query heads of those
        that share a key.
    pivoting : {"blocks", "greedy", "rbrp", "rp"}
        For "id" and "weighted_id": "greedy" has the pivots of column-pivoted QR of the activations, one at
        a time; "blocks" takes the 32 largest at a time and filters them, which is several times faster;
        the others are random, see :func:`subspan.pivoted_cholesky`.
    damping : float
        For "obs": added to the diagonal, in units of its median.
    rng : int, numpy.random.Generator, SeedSequence or None

    Returns
    -------
    UnitSelection
        ``keep, prune = r``.

    Raises
    ------
    ValueError
        If an argument is out of range or does not fit.
    NotEnoughSamples
        For "obs" without damping, from fewer rows than units.
    SingularMoments
        For "obs", if the damped second moment is singular.

    Notes
    -----
    "id" and "weighted_id" ``m k^2`` flops, "output" ``m^2 (outputs + 3 k)``, "obs" ``m^3 + m^2 (outputs +
    3 (m - k))``, but for "greedy" in matrix products; groups cost more. Ties keep the unit of lower index.

    References
    ----------
    Li, Dong, Lei, arXiv 2407.19126 ("goa"); Chee et al., NeurIPS 2022 ("id"); Frantar and Alistarh, arXiv
    2208.11580 ("obs", there for single weights).

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import gram, select_units
    >>> h = np.random.default_rng(0).standard_normal((100, 3))
    >>> h = np.c_[h, h[:, 0] - h[:, 1]]  # four units of rank three
    >>> r = select_units(np.eye(4), gram(h), 3, method="id")
    >>> len(r.keep), len(r.prune)
    (3, 1)
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known; expected one of {METHODS}")
    if pivoting not in PIVOTING:
        raise ValueError(f"pivoting={pivoting!r} is not known; expected one of {PIVOTING}")
    library, W = library_of(W), wide_matrix(W, "W")
    m = W.shape[1]
    units = as_groups(groups, m)
    count = as_count(k, len(units))
    classes = as_classes(balance, groups, count)
    seed = seed_word(rng)
    if method in SCORED:
        single = _single(W, moments, method, level1, input_moments, activation, seed)
        scores = np.array([single[g].sum() for g in units])
        order = smallest_first(scores)
        kept = _last_of_classes(order, count, classes)
    elif method == "obs":
        damping = as_tolerance(damping, "damping")
        order, scores = _backward(W, moments, count, units, damping, classes)
        kept = others(np.sort(order), len(units))
    else:
        order, scores = _forward(W, moments, count, units, method, pivoting, seed, classes)
        kept = _filled(order, count, len(units), classes)
    keep = np.sort(_channels(units, kept))
    found = UnitSelection(keep, others(keep, m), scores, order, method, seed)
    return to_caller(found, library)


def _single(
    W: Array,
    moments: Any,
    method: str,
    level1: Sequence[Any],
    inputs: Any,
    activation: str,
    seed: int,
) -> Array:
    if method == "random":
        return np.asarray(np.random.default_rng(seed).random(W.shape[1]))
    if method == "magnitude":
        return _scores.magnitude_scores(W, level1)
    if method in ("goa", "goa_code"):
        variant = "paper" if method == "goa" else "code"
        return _scores.goa_scores(W, level1, inputs, variant=variant, activation=activation)
    if method == "flap":
        return _scores.flap_scores(W, moments)
    if method == "wanda":
        return _scores.wanda_scores(W, moments)
    return _scores.second_moment_scores(W, moments)


def _backward(
    W: Array, moments: Any, k: int, units: list[Indices], damping: float, classes: Indices | None
) -> tuple[Indices, Array]:
    """Structured OBS: the columns of the inverse are downdated as units leave."""
    m = W.shape[1]
    if damping == 0 and isinstance(moments, Moments) and moments.n < m:
        raise NotEnoughSamples(
            f"{moments.n} rows do not determine the inverse moments of {m} units; give damping > 0"
        )
    S = second_moment_of(moments, m)
    added = damping * scale_of(S)
    L = factor(S, added) if added > 0 or S.any() else np.eye(m, order="F")
    steps = len(units) - k
    if len(units) == m and classes is None:
        order, gains, scores = eliminate(inverse_lower(L), lower_gram(W), steps, largest=False)
    else:
        order, gains, scores = eliminate_groups(
            inverse(L), W, units, steps, largest=False, balance=classes
        )
    scores[order] = gains
    return order, scores


def _forward(
    W: Array,
    moments: Any,
    k: int,
    units: list[Indices],
    method: str,
    pivoting: str,
    seed: int,
    classes: Indices | None,
) -> tuple[Indices, Array]:
    """Units in the order in which they enter, and the gain of each when it did."""
    m = W.shape[1]
    S = second_moment_of(moments, m)
    weights = np.ones(m) if method != "weighted_id" else np.sqrt(np.einsum("ij,ij->j", W, W))
    if len(units) < m or classes is not None:
        D = W if method == "output" else np.diag(weights)
        order, gains, scores = eliminate_groups(S, D @ S, units, k, largest=True, balance=classes)
    elif method == "output":
        order, gains, scores = eliminate(
            np.array(S, order="F"), lower_gram(product(W, S)), k, largest=True
        )
    else:
        return _pivots(S * np.outer(weights, weights), k, pivoting, seed)
    scores[order] = gains
    return order, scores


def _pivots(S: Array, k: int, pivoting: str, seed: int) -> tuple[Indices, Array]:
    """Pivots of the Cholesky factorization, and the residual diagonal before each and after all."""
    from ..cholesky import pivoted_cholesky

    blocks = pivoting == "blocks"
    rule, width = ("greedy", _WIDTH) if blocks else (pivoting, None)
    r = pivoted_cholesky(S, k, pivoting=rule, block_size=width, rng=seed)
    scores = np.maximum(np.diagonal(S) - np.einsum("ij,ij->i", r.F, r.F), 0.0)
    steps = np.arange(len(r.pivots))
    scores[r.pivots] = r.F[r.pivots, steps] ** 2
    return r.pivots, scores


def _filled(order: Indices, k: int, count: int, classes: Indices | None) -> Indices:
    """The chosen units; where they explain everything already, the first of the others beside them."""
    rest = others(np.sort(order), count)
    return _last_of_classes(np.concatenate([order, rest])[::-1], k, classes)


def _last_of_classes(order: Indices, k: int, classes: Indices | None) -> Indices:
    """The last k units, or the last ones of each class."""
    if classes is None or len(classes) == 0:
        return order[len(order) - k :]
    each = k // (int(classes.max()) + 1)
    parts = [order[classes[order] == c] for c in range(int(classes.max()) + 1)]
    return np.concatenate([part[len(part) - each :] for part in parts])


def _channels(units: list[Indices], which: Indices) -> Indices:
    return np.concatenate([units[u] for u in which]) if len(which) else np.zeros(0, np.int64)
