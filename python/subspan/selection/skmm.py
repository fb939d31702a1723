"""Sketchy moment matching: the subset whose second moments cover those of all candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import sketch as _sketch
from .._array import as_rank
from .._progress import Progress
from .._rng import seed_word
from .criteria import certify
from .matching import Matched, Problem, fista, frank_wolfe
from .moments import second_moment, spectrum_of
from .result import Selection
from .rounding import ROUNDINGS, inclusion_probabilities, round_weights
from .rows import Rows, as_budget

SOLVERS = ("auto", "frank_wolfe", "fista")
_IN_MEMORY = 2**25  # numbers that FISTA may keep
_FLIGHT = 2e10  # products of numbers that the cube method may take: some ten seconds


def moment_matching(
    X: Any,
    n: int,
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
    tolerance: float = 1e-3,
    iterations: int = 300,
    rng: Any = None,
    progress: Any = None,
) -> Selection:
    """Choose n rows whose second moments match those of all rows (SkMM).

    Parameters
    ----------
    X : array, memory map or CSR matrix, shape (N, d)
        Features or sketched gradients, one row per candidate. Never centred, never changed.
    n : int
        Rows to choose.
    coverage : float
        The level c below 1: weights are sought with ``sum_i s_i (v_j^T g_i)^2 >= lambda_j / c`` along
        every eigenvector v_j of the second moment. From 1 on uniform weights do that and there is nothing
        to choose.
    weighting : {"relative", "absolute"}
        Whether a shortfall is measured against its own eigenvalue or, as published, in absolute terms,
        which the largest eigenvalue dominates.
    solver : {"auto", "frank_wolfe", "fista"}
        "frank_wolfe" reads the rows once per step and keeps O(m) numbers; "fista" keeps N m of them.
        "auto": "fista" where they are few.
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
        Classes, counted in the certificate; the choice does not see them.
    tolerance : float
        Duality gap to stop at, relative to the objective of uniform weights.
    iterations : int
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional

    Returns
    -------
    Selection
        ``indices, weights = r``; ``r.certificate`` compares with uniform subsets.

    Raises
    ------
    ValueError
        If an argument is out of range, X is not finite, or ``coverage >= 1``.

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
    count = as_budget(n, len(given))
    _check(coverage, weighting, solver, rounding, restarts, tolerance, iterations)
    seed, work = seed_word(rng), Progress(progress, 3)
    with work.stage("sketch"):
        rows = sketched(given, count, sketch_size, sketch, seed)
    with work.stage("moments"):
        moment = second_moment(rows)
        spectrum = spectrum_of(moment, rows.eps)
    if spectrum.rank == 0:
        raise ValueError("X is zero: every subset is as good as any other")
    importance = np.ones(spectrum.rank)
    if weighting == "relative":
        importance = spectrum.values**-2.0
    problem = Problem(spectrum, spectrum.values / coverage, importance, count)
    with work.stage("matching"):
        matched = _solve(rows, problem, solver, tolerance, iterations, work)
    generator = np.random.default_rng([seed, 1])
    with work.stage("rounding"):
        chosen = _best_rounding(rows, problem, matched, rounding, restarts, generator, work)
    random = rounding in ("cube", "systematic", "pivotal")
    pi = inclusion_probabilities(matched.weights, count) if random else None
    weights = np.full(count, 1 / count) if pi is None else 1 / (len(rows) * pi[chosen])
    certificate = certify(
        rows, spectrum, chosen, None, ridge, labels, 11, np.random.default_rng([seed, 2])
    )
    return Selection(
        indices=chosen,
        weights=weights,
        objective=matched.objective,
        dual=matched.dual,
        variance=certificate.variance,
        probabilities=pi,
        certificate=certificate,
        method="moment matching",
        settings={
            "coverage": coverage,
            "weighting": weighting,
            "rounding": rounding,
            "restarts": restarts,
            "sketch_size": rows.shape[1],
        },
        passes=matched.passes + 2,
        seed=seed,
    )


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
    coverage: float,
    weighting: str,
    solver: str,
    rounding: str,
    restarts: int,
    tolerance: float,
    iterations: int,
) -> None:
    for name, value, known in (
        ("weighting", weighting, ("relative", "absolute")),
        ("solver", solver, SOLVERS),
        ("rounding", rounding, ROUNDINGS),
    ):
        if value not in known:
            raise ValueError(f"{name}={value!r} is not known; expected one of {known}")
    if not 0 < coverage < 1:
        raise ValueError(
            f"coverage={coverage} must lie between 0 and 1: from 1 on, uniform weights match all moments "
            "and there is nothing to choose"
        )
    if as_rank(restarts, 2**20, "restarts") < 1:
        raise ValueError(f"restarts={restarts} must be at least 1")
    if not tolerance >= 0:
        raise ValueError(f"tolerance={tolerance} must not be negative")
    as_rank(iterations, 2**31, "iterations")


def _solve(
    rows: Rows, problem: Problem, solver: str, tolerance: float, iterations: int, work: Progress
) -> Matched:
    if solver == "auto":
        solver = "fista" if len(rows) * problem.spectrum.rank <= _IN_MEMORY else "frank_wolfe"
    start = np.full(len(rows), 1 / len(rows))
    run = fista if solver == "fista" else frank_wolfe
    return run(rows, problem, start, tolerance, iterations, work.poll)


def _best_rounding(
    rows: Rows,
    problem: Problem,
    matched: Matched,
    rounding: str,
    restarts: int,
    generator: np.random.Generator,
    work: Progress,
) -> NDArray[np.int64]:
    """The rounding of least moment error among `restarts`."""
    spectrum = problem.spectrum

    def balance() -> NDArray[np.float64]:
        # As many directions as the flight can balance in its N steps of O(directions^2).
        most = max(8, int(np.sqrt(_FLIGHT / len(rows))) // 2)
        leading = spectrum.vectors[:, :most] / np.sqrt(spectrum.values[:most])
        image = np.concatenate([tile @ leading for _, tile in rows.tiles()]).astype(np.float64)
        return np.concatenate([image, image**2], axis=1)

    if rounding == "top":
        restarts = 1
    best, least = None, np.inf
    for _ in range(restarts):
        chosen = round_weights(
            rounding, matched.weights, problem.count, balance, generator, work.poll
        )
        if restarts == 1:
            return chosen
        error = certify(rows, spectrum, chosen, None, 0.0, None, 0, None).moment_error
        if error < least:
            best, least = chosen, error
    assert best is not None
    return best
