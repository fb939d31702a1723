"""One call for every method."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._array import as_rank
from .._rng import seed_word
from .baselines import BASELINES
from .budget import as_budget
from .design import CRITERIA, exchange, greedy_design
from .facility import cluster_weights, facility_location
from .gradient_matching import glister, grad_match, matching_weights
from .moments import eigenbasis_of, second_moment
from .pool import Pool
from .result import Selection, selection_of
from .rows import Rows
from .scores import as_scores, influence
from .skmm import moment_matching, parts_of, sketched

_GREEDY = {
    "facility_location": facility_location,
    "craig": facility_location,
    "grad_match": grad_match,
    "glister": glister,
}
METHODS = ("skmm", *BASELINES, "stratified", "influence", *_GREEDY, *CRITERIA)
# Methods that see directions rather than rows as they are: sketched first, as moment matching is.
_IN_SKETCH = ("leverage", "ridge_leverage", "truncated_leverage", *CRITERIA)
_WEIGHTS = {"craig": cluster_weights, "grad_match": matching_weights}
# What some methods take beyond the arguments of all.
_OPTIONS = {
    "truncated_leverage": {"rank"},
    "scores": {"scores"},
    "influence": {"target", "normalize", "reduce"},
    "glister": {"target"},
    "grad_match": {"target"},
    "v_opt": {"sweeps"},
    "a_opt": {"sweeps"},
    "d_opt": {"sweeps"},
}


def select(
    X: Any,
    n: int | None = None,
    *,
    method: str = "skmm",
    sketch_size: int | str = "auto",
    ridge: float = 0.0,
    labels: Any = None,
    per_group: str | None = None,
    candidates: Any = None,
    already_selected: Any = None,
    costs: Any = None,
    budget: float | None = None,
    references: int = 11,
    rng: Any = None,
    progress: Any = None,
    **options: Any,
) -> Selection:
    """Choose n rows by moment matching or one of the methods it is compared with.

    Parameters
    ----------
    X : array, memory map or CSR matrix, shape (N, d)
        Features or (sketched) gradients.
    n : int
        Rows to choose; None if costs are given.
    method : str
        "skmm": :func:`moment_matching`, which takes further `options`.

        Random: "uniform", "stratified" (by `labels`, in proportion), "leverage", "ridge_leverage",
        "truncated_leverage" (of the leading ``rank=`` directions), "rp" (random pivoting, also
        "adaptive"), "rbrp" (its robust blockwise form), "dpp" (n at most the rank).

        Greedy: "herding", "k_center", "facility_location"; the designs "v_opt", "a_opt", "d_opt",
        "e_opt", "t_opt", of which the first three take ``sweeps=`` of exchanges afterwards.

        From gradients: "craig" (facility location, weights are shares of rows), "grad_match" (matching
        pursuit of the mean gradient, or that of ``target=``), "glister" (lowers the loss on
        ``target=``, gradients of held-out samples), "influence" (largest :func:`scores.influence` on
        ``target=``, with its ``normalize=`` and ``reduce=``).

        "scores": the largest of ``scores=``, such as those of :mod:`subspan.selection.scores`.
    sketch_size : int or "auto"
        Columns that rows are sketched to for "skmm", leverage scores, designs and the certificate.
    ridge : float
        Of leverage scores, influence, designs and the certificate, as a multiple of the mean eigenvalue.
    labels : array of shape (N,), optional
    per_group : {"proportional", "equal"}, optional
        Rows for every label: in proportion to its candidates, or as many for each as it has. Methods
        other than "skmm" then choose within each label by itself.
    candidates : array of int or bool, optional
        Rows that may be chosen; all by default.
    already_selected : array of int or bool, optional
        Rows chosen before. They count in what the subset covers, and are not among those returned.
    costs : array of shape (N,), optional
        Cost of each row, positive; with `budget`, what the chosen rows may cost together, in place of n.
        Gains and scores count per unit of cost.
    budget : float, optional
    references : int
        Uniform subsets that the certificate is compared with; 0 for none.
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional

    Returns
    -------
    Selection
        The certificate is measured on the same sketched rows whatever the method.

    Raises
    ------
    ValueError
        If the method is not known or an argument is out of range.
    TypeError
        If a method is given an option that it does not have.

    Notes
    -----
    "herding" and "k_center" cost ``2 N d`` flops per pick, the designs ``4 N m`` ("e_opt" ``4 N m^2``),
    "facility_location" ``2 N min(N, 20000) d`` in all and a little per pick.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.selection import select
    >>> X = np.random.default_rng(0).standard_normal((300, 8))
    >>> best, plain = (select(X, 30, method=m, rng=0) for m in ("v_opt", "uniform"))
    >>> best.variance < plain.variance
    True
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known; expected one of {METHODS}")
    limits = {
        "candidates": candidates,
        "already_selected": already_selected,
        "costs": costs,
        "budget": budget,
    }
    if method == "skmm":
        return moment_matching(
            X, n, sketch_size=sketch_size, ridge=ridge, labels=labels, per_group=per_group,
            references=references, rng=rng, progress=progress, **limits, **options,
        )  # fmt: skip
    if unknown := sorted(set(options) - _OPTIONS.get(method, set())):
        raise TypeError(f"method={method!r} takes no {', '.join(unknown)}")
    if not ridge >= 0:
        raise ValueError(f"ridge={ridge} must not be negative")
    given, seed = Rows(X), seed_word(rng)
    allowed = as_budget(n, len(given), **limits)
    if method == "stratified":
        if labels is None:
            raise ValueError("method='stratified' needs labels")
        per_group = per_group or "proportional"
    if method == "influence":
        if "target" not in options:
            raise ValueError("method='influence' needs target, gradients of held-out samples")
        options = {"scores": influence(X, ridge=ridge, **options)}
    rows = sketched(given, allowed.size, sketch_size, "gaussian", seed)
    seen = rows if method in _IN_SKETCH else given
    checked = _options(options, seen)
    generator = np.random.default_rng([seed, 1])
    chosen = []
    for members, part in parts_of(allowed, labels, per_group):
        own = dict(checked)
        if "scores" in own:
            own["scores"] = own["scores"][members]
        pool = Pool(seen.subset(members), part, generator, ridge, **own)
        chosen.append(members[_choose(method, pool, int(options.get("sweeps", 0)))])
    indices = np.sort(np.concatenate(chosen))
    probabilities = None
    if method == "uniform" and costs is None and per_group is None:
        share = len(indices) / np.count_nonzero(allowed.free)
        probabilities = np.where(allowed.free, share, 0.0)
    return selection_of(
        rows,
        eigenbasis_of(second_moment(rows), rows.eps),
        allowed,
        indices,
        method=method,
        settings={},
        labels=labels,
        ridge=ridge,
        references=references,
        seed=seed,
        weights=_WEIGHTS[method](given, indices) if method in _WEIGHTS else None,
        probabilities=probabilities,
    )


def _choose(method: str, pool: Pool, sweeps: int) -> Any:
    if method in CRITERIA:
        chosen = greedy_design(pool, method)
        return exchange(pool, chosen, method, sweeps) if sweeps else chosen
    if method == "stratified":
        return BASELINES["uniform"](pool)
    if method == "influence":
        return BASELINES["scores"](pool)
    return _GREEDY[method](pool) if method in _GREEDY else BASELINES[method](pool)


def _options(options: dict[str, Any], rows: Rows) -> dict[str, Any]:
    """Check the options of single methods."""
    checked: dict[str, Any] = {}
    if options.get("rank") is not None:
        checked["rank"] = as_rank(options["rank"], 2**31, "rank")
    if options.get("scores") is not None:
        checked["scores"] = as_scores(options["scores"])
        if len(checked["scores"]) != len(rows):
            raise ValueError(f"scores has {len(checked['scores'])} entries for {len(rows)} rows")
    if options.get("target") is not None:
        target = Rows(options["target"], "target").dense().astype(np.float64)
        if target.shape[1] != rows.shape[1] or len(target) == 0:
            raise ValueError(
                f"target has shape {target.shape}; expected (n_target, {rows.shape[1]})"
            )
        checked["target"] = target
    as_rank(options.get("sweeps", 0), 2**31, "sweeps")
    return checked
