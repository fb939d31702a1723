"""Sketchy moment matching: the subset whose second moments cover those of all candidates."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import sketch as _sketch
from .._array import as_rank
from .._progress import Progress
from .._rng import seed_word
from .budget import Array, Budget, as_budget, as_groups, divide
from .matching import Matched, Problem, Weights, fista, frank_wolfe
from .moments import eigenbasis_of, second_moment
from .published import ITERATIONS, PUBLISHED
from .result import Selection, selection_of
from .rounding import ROUNDINGS, Parts, Rounding
from .rows import Rows

SOLVERS = ("auto", "frank_wolfe", "fista", *PUBLISHED)
_IN_MEMORY = 2**25  # numbers that FISTA may keep


def moment_matching(
    X: Any,
    n: int | None = None,
    *,
    coverage: float = 0.999,
    weighting: str = "relative",
    solver: str = "auto",
    rounding: str = "cube",
    restarts: int = 4,
    sketch_size: int | str = "auto",
    sketch: str = "gaussian",
    ridge: float = 0.0,
    labels: Any = None,
    per_group: str | None = None,
    candidates: Any = None,
    already_selected: Any = None,
    costs: Any = None,
    budget: float | None = None,
    tolerance: float = 1e-3,
    iterations: int | None = None,
    references: int = 11,
    rng: Any = None,
    progress: Any = None,
) -> Selection:
    """Choose n rows whose second moments match those of all rows (SkMM).

    Parameters
    ----------
    X : array, memory map or CSR matrix, shape (N, d)
        Features or sketched gradients, one row per candidate. Never centred, never changed.
    n : int
        Rows to choose; None if costs are given.
    coverage : float
        The level c below 1: weights are sought with ``sum_i s_i (v_j^T g_i)^2 >= lambda_j / c`` along
        every eigenvector v_j of the second moment. From 1 on uniform weights do that and there is nothing
        to choose. Near 1 the subset resembles all rows; lower levels ask for longer rows, which lowers
        the variance of a regression on them, and represents the short ones less.
    weighting : {"relative", "absolute"}
        Whether a shortfall is measured against its own eigenvalue or, as published, in absolute terms,
        which the largest eigenvalue dominates.
    solver : {"auto", "frank_wolfe", "fista", "adam", "adam_simplex", "adam_softmax"}
        "frank_wolfe" reads the rows once per step and keeps O(m) numbers; "fista" keeps N m of them.
        "auto": "fista" where they are few. The last three are the loops of the published code for
        synthetic data, images and regression, to reproduce its figures; they have no bound.
    rounding : {"cube", "systematic", "pivotal", "top", "successive"}
        From weights to a subset. The first three have exact inclusion probabilities ``n s_i``; "cube" also
        balances the sums of the coordinates and of their squares. "top" and "successive" are those of the
        published code.
    restarts : int
        Random roundings, of which the one with the least moment error is kept. With more than one the
        inclusion probabilities are those of a draw, not of the draw that is kept.
    sketch_size : int or "auto"
        Columns m that rows are sketched to, if they have more; "auto": ``min(n / 2, 512)``, so that
        the subset can have full rank.
    sketch : {"gaussian", "rademacher", "sparse_sign", "countsketch"}
    ridge : float
        Added to the second moments in the certificate, as a multiple of the mean eigenvalue.
    labels : array of shape (N,), optional
        Classes, counted in the certificate; the choice sees them only if `per_group` is given.
    per_group : {"proportional", "equal"}, optional
        Rows for every label: in proportion to its candidates, or as many for each as it has.
    candidates : array of int or bool, optional
        Rows that may be chosen; all by default. What is to be matched are always the moments of X.
    already_selected : array of int or bool, optional
        Rows chosen before. They count in what the subset covers, and are not among those returned.
    costs : array of shape (N,), optional
        Cost of each row, positive; with `budget`, what the chosen rows may cost together, in place of n.
    budget : float, optional
    tolerance : float
        Duality gap to stop at, relative to the objective of uniform weights.
    iterations : int, optional
        300 at most, or those of the published code.
    references : int
        Uniform subsets that the certificate is compared with; 0 for none.
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional

    Returns
    -------
    Selection
        ``indices, weights = r``; ``r.certificate`` compares with uniform subsets.

    Raises
    ------
    ValueError
        If an argument is out of range, X is not finite, ``coverage >= 1``, or there are fewer rows than
        directions to cover.

    Notes
    -----
    Sketching costs ``2 N d m`` flops, each Frank-Wolfe step a pass of ``2 N m^2``, rounding by the cube
    method about ``4 N m^2``. Reproducible for a seed: sums run over tiles of 4096 rows wherever those come
    from.

    References
    ----------
    Dong, Phan, Pan, Lei, *Sketchy Moment Matching*, arXiv 2407.06120; Deville and Tille, Biometrika 91
    (2004).

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.selection import moment_matching
    >>> X = np.random.default_rng(0).standard_normal((500, 10))
    >>> r = moment_matching(X, 40, rng=0)
    >>> len(r.indices), r.dual <= r.objective
    (40, True)
    """
    given = Rows(X)
    allowed = as_budget(
        n,
        len(given),
        candidates=candidates,
        already_selected=already_selected,
        costs=costs,
        budget=budget,
    )
    _check(allowed, coverage, weighting, solver, rounding, restarts, tolerance, iterations)
    parts = parts_of(allowed, labels, per_group)
    seed, work = seed_word(rng), Progress(progress, 3)
    with work.stage("sketch"):
        rows = sketched(given, allowed.size, sketch_size, sketch, seed)
    with work.stage("moments"):
        rows, moment = _of_moderate_scale(rows)
        basis = eigenbasis_of(moment, rows.eps)
    if basis.rank == 0:
        raise ValueError("X is zero: every subset is as good as any other")
    if allowed.size < basis.rank and ridge == 0:
        raise ValueError(
            f"n={allowed.size} rows cannot cover the {basis.rank} directions of the rows: take more, "
            f"sketch_size at most {allowed.size}, or ridge > 0"
        )
    importance = basis.values**-2.0 if weighting == "relative" else np.ones(basis.rank)
    problem = Problem(basis, basis.values / coverage, importance, Weights(allowed))
    generator = np.random.default_rng([seed, 1])
    with work.stage("matching"):
        matched = _solve(rows, problem, solver, tolerance, iterations, generator, work)
    with work.stage("rounding"):
        design = Rounding(rows, problem, matched.weights, rounding, parts)
        chosen = design.best_of(restarts, generator, work)
    return selection_of(
        rows,
        basis,
        allowed,
        chosen,
        method="moment matching",
        seed=seed,
        labels=labels,
        ridge=ridge,
        references=references,
        probabilities=design.probabilities,
        objective=matched.objective,
        dual=matched.dual,
        passes=matched.passes + 2,
        settings={
            "coverage": coverage,
            "weighting": weighting,
            "solver": solver,
            "rounding": rounding,
            "restarts": restarts,
        },
    )


def parts_of(budget: Budget, labels: Any, per_group: str | None) -> Parts:
    """All rows as one part, or a part for every label."""
    size = len(budget.free)
    if per_group is None:
        return [(np.arange(size), budget)]
    if labels is None:
        raise ValueError(f"per_group={per_group!r} needs labels, one per row of X")
    return divide(budget, as_groups(labels, size)[1], per_group)


def _of_moderate_scale(rows: Rows) -> tuple[Rows, Array]:
    """The rows and their second moment; rows whose fourth powers would overflow are divided first."""
    with np.errstate(over="ignore", invalid="ignore"):
        moment = second_moment(rows)
    if 1e-60 < np.trace(moment) < 1e60 and np.isfinite(moment).all():
        return rows, moment
    largest = max((float(np.abs(tile).max(initial=0)) for _, tile in rows.tiles()), default=0.0)
    if largest == 0:
        return rows, moment
    rows = Rows(rows.dense() / largest)
    return rows, second_moment(rows)


def sketched(rows: Rows, count: int, size: int | str, kind: str, seed: int) -> Rows:
    """The rows in fewer columns, or themselves where they have no more; one operator for all of them."""
    d = rows.shape[1]
    if isinstance(size, str):
        if size != "auto":
            raise ValueError(f"sketch_size={size!r} must be an int or 'auto'")
        m = max(1, min(count // 2, 512))
    else:
        m = as_rank(size, 2**22, "sketch_size")
        if m < 1:
            raise ValueError(f"sketch_size={m} must be at least 1")
    if m >= d:
        return rows
    kinds: dict[str, Any] = {
        "gaussian": _sketch.Gaussian,
        "rademacher": _sketch.Rademacher,
        "sparse_sign": _sketch.SparseSign,
        "countsketch": _sketch.CountSketch,
    }
    if kind not in kinds:
        raise ValueError(f"sketch={kind!r} is not known; expected one of {tuple(kinds)}")
    S = kinds[kind](m, d, rng=seed)
    out = np.empty((len(rows), m), rows.dtype)
    for where, tile in rows.tiles():
        out[where] = (S @ tile.T).T
    return Rows(out)


def _check(
    budget: Budget,
    coverage: float,
    weighting: str,
    solver: str,
    rounding: str,
    restarts: int,
    tolerance: float,
    iterations: int | None,
) -> None:
    for name, value, known in (
        ("weighting", weighting, ("relative", "absolute")),
        ("solver", solver, SOLVERS),
        ("rounding", rounding, ROUNDINGS),
    ):
        if value not in known:
            raise ValueError(f"{name}={value!r} is not known; expected one of {known}")
    if not 0 < coverage < np.inf:
        raise ValueError(f"coverage={coverage} must be positive")
    if coverage >= 1 and not budget.restricted:
        raise ValueError(
            f"coverage={coverage} must lie between 0 and 1: from 1 on, uniform weights match all moments "
            "and there is nothing to choose"
        )
    if solver in PUBLISHED and (budget.restricted or len(budget.before)):
        raise ValueError(
            f"solver={solver!r} knows no candidates, costs or rows that are already selected; "
            "take 'fista' or 'frank_wolfe'"
        )
    if as_rank(restarts, 2**20, "restarts") < 1:
        raise ValueError(f"restarts={restarts} must be at least 1")
    if not tolerance >= 0:
        raise ValueError(f"tolerance={tolerance} must not be negative")
    if iterations is not None:
        as_rank(iterations, 2**31, "iterations")


def _solve(
    rows: Rows,
    problem: Problem,
    solver: str,
    tolerance: float,
    iterations: int | None,
    generator: np.random.Generator,
    work: Progress,
) -> Matched:
    if solver in PUBLISHED:
        steps = ITERATIONS[solver] if iterations is None else iterations
        return PUBLISHED[solver](rows, problem, steps, generator, work.poll)
    if solver == "auto":
        solver = "fista" if len(rows) * problem.basis.rank <= _IN_MEMORY else "frank_wolfe"
    run = fista if solver == "fista" else frank_wolfe
    return run(rows, problem, tolerance, 300 if iterations is None else iterations, work.poll)
