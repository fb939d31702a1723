"""Partial Cholesky factorization of positive semidefinite matrices by random or greedy pivots."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from . import error as _error
from ._array import as_rank
from ._progress import Progress
from ._rng import seed_word
from .config import blas_name
from .factored import FactoredResult
from .goal import Goal, as_goal
from .pivot import STOP_REASONS
from .psd_source import PsdSource
from .result import ErrorEstimate, Plan

PIVOTING = {"rbrp": 0, "accelerated": 1, "rp": 1, "greedy": 2, "uniform": 3}
_ONE_AT_A_TIME = {"rp", "greedy"}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PivotedCholesky(FactoredResult):
    """``K ~ F @ F.conj().T``, F from the chosen columns of K.

    Unpacks into ``F, pivots`` and acts as the approximation: ``r @ x``, ``r.T``, ``r.toarray()``.

    Attributes
    ----------
    F : array, shape (n, k)
        ``F[pivots]`` is lower triangular with a positive diagonal. ``F F^H`` equals K in the rows and
        columns `pivots`: it is the Nyström approximation from these columns.
    pivots : array of int64, shape (k,)
        In the order chosen.
    error : ErrorEstimate
        ``trace(K - F F^H)``, which is the nuclear norm of the residual, relative to ``trace(K)``, the
        nuclear norm of K. Known up to rounding.
    converged : bool
        Whether the requested tolerance is met; True when only a rank was asked for.
    stop_reason : {"rank", "tolerance", "exhausted"}
        "exhausted": what is left of the diagonal is rounding, or noise in the entries of K.
    history : tuple of dict
        One entry per block: rank, trace_error, columns accepted and proposed.
    plan : Plan
        ``plan.choices["entries evaluated"]`` counts the entries of K that were asked for.
    seed : int
        Passing it as ``rng`` repeats the result.
    """

    F: NDArray[Any]
    pivots: NDArray[np.int64]
    error: ErrorEstimate
    converged: bool
    stop_reason: str
    history: tuple[dict[str, Any], ...]
    plan: Plan
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("F", "pivots")

    @property
    def _factors(self) -> tuple[Any, ...]:
        return (self.F, self.F.conj().T)

    @property
    def rank(self) -> int:
        """Number of chosen columns."""
        return len(self.pivots)

    @property
    def trace_error(self) -> float:
        """``trace(K - F F^H)``."""
        return self.error.value

    @property
    def T(self) -> PivotedCholesky:
        """The factorization of ``K.T``, the conjugate of K."""
        return dataclasses.replace(self, F=self.F.conj())

    def interpolation(self) -> NDArray[Any]:
        """Return T with ``K ~ K[:, pivots] @ T``, shape (k, n), ``T[:, pivots]`` the identity.

        The same approximation in terms of columns of K; ``n k^2`` flops.
        """
        from scipy.linalg import solve_triangular

        k = self.rank
        if k == 0:
            return np.zeros((0, len(self.F)), self.dtype)
        # F F_S^-1 reproduces the rows S; its adjoint is T.
        T = solve_triangular(self.F[self.pivots], self.F.conj().T, trans="C", lower=True)
        T[:, self.pivots] = np.eye(k)
        return np.asarray(T)

    def error_exact(self, K: Any, *, norm: str = "nuclear") -> ErrorEstimate:
        """Measure the error against K.

        "nuclear": the trace of the residual from the diagonal of K, the nuclear norm if K is positive
        semidefinite. "fro": the Frobenius norm, for which every entry of K is read.
        """
        if norm not in ("nuclear", "fro"):
            raise ValueError(f"norm={norm!r} is not known; expected 'nuclear' or 'fro'")
        problem = PsdSource.of(K)
        if problem.n != len(self.F):
            raise ValueError(f"K has shape {(problem.n, problem.n)}; expected {self.shape}")
        F = self.F.astype(np.result_type(self.F, np.float64))
        if norm == "nuclear":
            left = problem.diagonal - np.einsum("ij,ij->i", F, F.conj()).real
            return _error.exact(abs(float(left.sum())), float(problem.diagonal.sum()), "nuclear")
        total, reference = 0.0, 0.0
        width = max(1, 2**22 // max(1, problem.n))
        for start in range(0, problem.n, width):
            J = np.arange(start, min(start + width, problem.n))
            columns = problem.columns(J).astype(F.dtype)
            reference += float(np.linalg.norm(columns)) ** 2
            total += float(np.linalg.norm(columns - F @ F[J].conj().T)) ** 2
        return _error.exact(float(np.sqrt(total)), float(np.sqrt(reference)))

    def __repr__(self) -> str:
        n = len(self.F)
        return f"<PivotedCholesky: {self.rank} columns of a ({n}, {n}) matrix, {self.error!r}>"


def pivoted_cholesky(
    K: Any,
    rank: int | None = None,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    pivoting: str = "rbrp",
    block_size: int | None = None,
    rng: Any = None,
    progress: Any = None,
) -> PivotedCholesky:
    """Approximate a positive semidefinite matrix from few of its columns, ``K ~ F F^H``.

    Parameters
    ----------
    K : array, sparse matrix, or kernel matrix, shape (n, n)
        Hermitian positive semidefinite. float32, float64, complex64 or complex128 in any order;
        others are promoted. A kernel, see :func:`subspan.kernel`, or any object with ``shape``,
        ``dtype``, ``diag()`` and ``block(I, J)``, is asked for its diagonal, the chosen columns and
        the blocks of candidates, and for no other entry.
    rank : int, optional
        Columns to choose, ``0 <= rank <= n``.
    rtol, atol : float, optional
        Stop when ``trace(K - F F^H) <= max(rtol trace(K), atol)``. This is the scale of the trace: the
        residual is positive semidefinite, so its trace is its nuclear norm, the sum of the eigenvalues
        left. With ``K = A^H A`` it is the *square* of the Frobenius error of the column decomposition
        of A. With a rank as well, whichever comes first. One of the three is required.
    pivoting : {"rbrp", "rp", "accelerated", "greedy", "uniform"}
        "rp": one column at a time, with probability proportional to the residual diagonal. "accelerated":
        the same law, from blocks of candidates of which some are rejected. "rbrp": blocks without
        rejection, of which a pivoted Cholesky filter keeps those that explain all but a
        1/block_size share of the block. "greedy": the largest residual diagonal, the classical pivoted
        Cholesky of LAPACK's ``pstrf``; outliers mislead it. "uniform": without regard of K.
    block_size : int, optional
        Candidates per round; 1 for "rp" and "greedy" by default, else a quarter of the rank between
        32 and 128, or 32 where the rank is open.
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional
        True for a bar; a callable receives ``(done, total, info)``.

    Returns
    -------
    PivotedCholesky
        ``F, pivots = r``; ``r.error`` holds the trace error.

    Raises
    ------
    TypeError
        If neither a rank nor a tolerance is given, or K gives no entries (a LinearOperator).
    ValueError
        If an argument is out of range, or K is not square, not finite, not Hermitian, or has a
        negative diagonal entry. A dense or sparse K is compared with its mirror in a sample of 64 rows
        and columns; beyond that, only entries that are used are checked.
    numpy.linalg.LinAlgError
        If the diagonal of the residual falls clearly below zero: K is not positive semidefinite.

    Warns
    -----
    ToleranceNotMet
        If a tolerance was given and is not met.

    Notes
    -----
    ``n k^2`` flops, ``(k + 1) n`` entries of K (and ``block_size^2`` per round), memory ``2 n k``. The
    trace error of "rp" and "accelerated" is in expectation within 1 + eps of the best of rank r once
    ``k >= r / eps + r log(1 / (eps eta))``, eta being the best relative error. Trace errors below
    about ``eps trace(K)`` are rounding: the call stops there as "exhausted".

    References
    ----------
    Chen, Epperly, Tropp, Webber, arXiv 2207.06503 ("rp"); Epperly, Tropp, Webber, arXiv 2410.03969
    ("accelerated"); Dong, Chen, Martinsson, Pearce, arXiv 2309.16002 (the filter of "rbrp").

    Examples
    --------
    >>> import numpy as np, subspan
    >>> x = np.linspace(0, 1, 300)
    >>> K = np.exp(-np.abs(x[:, None] - x))
    >>> r = subspan.pivoted_cholesky(K, rtol=0.01, rng=0)
    >>> F, pivots = r
    >>> bool(np.trace(K - F @ F.T) <= 0.01 * np.trace(K)), r.error.norm
    (True, 'nuclear')
    """
    if pivoting not in PIVOTING:
        raise ValueError(f"pivoting={pivoting!r} is not known; expected one of {tuple(PIVOTING)}")
    problem = PsdSource.of(K)
    n = problem.n
    goal = as_goal("pivoted_cholesky", (n, n), problem.dtype, rank, rtol, atol, "fro")
    goal = dataclasses.replace(goal, norm="nuclear")
    block = _block_size(pivoting, goal, block_size)
    seed = seed_word(rng)
    trace = float(problem.diagonal.sum())
    report = Progress(progress, 1)
    with report.stage("factor"):
        found = problem.factor(
            pivots=PIVOTING[pivoting],
            rank=goal.rank,
            tolerance=goal.tolerance(trace) if goal.to_tolerance else -1.0,
            block=block,
            seed=seed,
            progress=report.poll,
        )
    F = np.empty((n, found.rank), problem.dtype, order="F")
    found.factor(F)
    left = found.history[-1][1]
    rounding = _rounding(F, problem.diagonal, found.pivots)
    certificate = _error.exact(left, trace, "nuclear", rounding)
    entries = int(found.entries) - n + problem.diagonal_entries
    choices = {
        "pivoting": pivoting,
        "block size": block,
        "entries evaluated": entries,
        "share of K": entries / n**2 if n else 0.0,
        "input": problem.kind,
        "dtype": problem.dtype.name,
        "device": "cpu",
        "blas": blas_name(),
    }
    names = ("rank", "trace_error", "exact", "accepted", "proposed")
    result = PivotedCholesky(
        F=F,
        pivots=found.pivots,
        error=certificate,
        converged=goal.met_by(certificate),
        stop_reason=STOP_REASONS[found.stop],
        history=tuple(dict(zip(names, row, strict=True)) for row in found.history),
        plan=Plan(choices, {}, 0, dict(report.seconds)),
        seed=seed,
    )
    if not result.converged:
        goal.warn_unmet(result.rank, certificate)
    return result


def _rounding(F: NDArray[Any], diagonal: NDArray[np.float64], S: NDArray[np.int64]) -> float:
    """By how much the nuclear norm of the residual may exceed its trace.

    An error E in the chosen columns, of size eps sqrt(K_ss K_ii), reaches F as ``F_S^-1 E``. With
    ``|F|^2 <= trace(K)`` that moves ``F F^H`` by at most ``2 eps trace(K) |F_S^-1 diag(K_S)^(1/2)|``,
    to which the k products in each entry of F add a factor ``sqrt(k)``. Twice that, for safety.
    """
    from scipy.linalg import solve_triangular

    k = len(S)
    if k == 0:
        return 0.0
    wide = F[S].astype(np.result_type(F, np.float64))
    amplified = np.linalg.norm(solve_triangular(wide, np.diag(np.sqrt(diagonal[S])), lower=True))
    eps = float(np.finfo(F.dtype).eps)
    return float(4 * np.sqrt(k) * eps * amplified * diagonal.sum())


def _block_size(pivoting: str, goal: Goal, block_size: int | None) -> int:
    if block_size is not None:
        block = as_rank(block_size, 2**31, "block_size")
        if block == 0:
            raise ValueError("block_size=0 must be at least 1")
        if pivoting == "rp" and block > 1:
            raise ValueError(
                f"block_size={block} is not possible with pivoting='rp', which chooses one column at "
                "a time; 'accelerated' has the same law in blocks"
            )
        return block
    if pivoting in _ONE_AT_A_TIME:
        return 1
    return 32 if goal.to_tolerance else min(128, max(32, goal.rank // 4))
