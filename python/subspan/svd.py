"""Truncated singular value decomposition, to a rank or to a tolerance."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from . import error as _error
from ._array import library_of, to_caller
from ._progress import Progress
from ._rng import seed_word
from .batch import Batch, as_batch, is_batch, require_fixed_rank, svd_batch
from .factored import FactoredResult, described, transposed
from .goal import Goal, as_goal
from .pivot import STOP_REASONS
from .range_finder import (
    FoundRange,
    RangeSettings,
    choose_range,
    find_range,
    plan_of,
    residual_of,
)
from .result import ErrorEstimate, Plan
from .source import Source, as_source

METHODS = ("auto", "subspace", "block_krylov", "full")
# A flop of the small dense singular value decomposition takes as long as so many of a product.
_SVD_FLOP = 4.0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SVDResult(FactoredResult):
    """``A ~ U @ diag(s) @ Vh``; unpacks into ``U, s, Vh`` and acts as the approximation.

    Attributes
    ----------
    U : array of shape (m, k)
        Left singular vectors; the entry of largest modulus of each is real and positive.
    s : array of shape (k,)
        Singular values, descending, real.
    Vh : array of shape (k, n)
        Right singular vectors, conjugated, as rows.
    error : ErrorEstimate
        Certificate of ``||A - U diag(s) Vh||``.
    converged : bool
        Whether the requested tolerance is met; True when only a rank was asked for.
    stop_reason : {"rank", "tolerance", "exhausted"}
    leave_one_out : float
        Leave-one-out estimate of ``||A - Q Q^H A||_F`` for a basis Q of one column less than was used,
        from the test products alone; NaN with power iterations.
    history : tuple of dict
        One entry per block of the adaptive method: rank and residual of the basis.
    plan : Plan
    seed : int
        Passing it as ``rng`` repeats the result.
    """

    U: Any
    s: Any
    Vh: Any
    error: ErrorEstimate
    converged: bool
    stop_reason: str
    leave_one_out: float
    history: tuple[dict[str, Any], ...]
    plan: Plan
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("U", "s", "Vh")

    @property
    def _factors(self) -> tuple[Any, ...]:
        return (self.U, self.s[..., None] * self.Vh)

    @property
    def rank(self) -> int:
        """Number of singular values."""
        return int(self.s.shape[-1])

    @property
    def T(self) -> Self:
        """The decomposition of ``A.T``."""
        return dataclasses.replace(self, U=transposed(self.Vh), Vh=transposed(self.U))

    def __repr__(self) -> str:
        return f"<SVDResult: rank {self.rank} of {described(self.shape)}, {self.error!r}>"


def svd(
    A: Any,
    rank: int | None = None,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    norm: str = "fro",
    oversampling: int = 10,
    power_iterations: int | str = "auto",
    method: str = "auto",
    sketch: str = "auto",
    rng: Any = None,
    progress: Any = None,
) -> SVDResult:
    """Leading singular values and vectors, with an error certificate.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator, chunks, array on disk or Dask array, shape (m, n)
        A dense array of shape (..., m, n) is a batch: all its matrices are decomposed at one rank, with
        one seed, in one call; results have the same leading dimensions. float32, float64, complex64 or
        complex128 are computed as they are; integers, bools and half precision are promoted. Any order,
        read-only, strided with a leading dimension or memory-mapped: no copy.
    rank : int, optional
        Singular triplets wanted, ``0 <= rank <= min(m, n)``.
    rtol, atol : float, optional
        Keep as few triplets as make ``||A - U diag(s) Vh|| <= max(rtol ||A||, atol)``. With a rank as
        well, whichever comes first. One of the three is required.
    norm : {"fro", "spectral"}
        Norm of the tolerance and of the certificate; "spectral" costs 12 more products of A with 4
        vectors, to a tolerance 32.
    oversampling : int
        Directions that are followed beyond the rank.
    power_iterations : int or "auto"
        Applications of ``A A^H`` to the first products, each stabilised; each costs two passes. "auto":
        2 at a fixed rank, 1 to a tolerance.
    method : {"auto", "subspace", "block_krylov", "full"}
        "subspace": randomized subspace iteration. "block_krylov": all powers of a narrower block, for a
        fixed rank. "full": the whole decomposition by LAPACK, through QR for a tall A. "auto": "full"
        where it costs less than "subspace", else that.
    sketch : str
        Test matrix, see :func:`subspan.range_finder`.
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional
        True for a bar; a callable receives ``(done, total, info)``.

    Returns
    -------
    SVDResult
        ``U, s, Vh = r``; ``r.error`` holds the certificate.

    Raises
    ------
    TypeError
        If neither a rank nor a tolerance is given, or an argument has the wrong type.
    ValueError
        If an argument is out of range or A is not finite.
    numpy.linalg.LinAlgError
        If the small decomposition does not converge.

    Warns
    -----
    ToleranceNotMet
        If a tolerance was given and is not met.

    Notes
    -----
    Fixed rank, l = rank + oversampling: ``2 + 2 power_iterations`` passes over A of ``2 m n l`` flops,
    and ``O((m + n) l^2)``. To a tolerance the basis grows by blocks of that many passes each. The error
    is ``||A||^2 - ||Q^H A||^2`` plus the squares of the dropped singular values, exact as long as it is
    above about ``1e-6 ||A||`` in double precision; below, and for operators, the first part is
    estimated from 16 Gaussian probes in the first pass. Extra memory ``O((m + n) l)``.

    References
    ----------
    Halko, Martinsson, Tropp, SIAM Rev. 53 (2011), Alg. 4.4 and 5.1; Yu, Gu, Li, SIAM J. Matrix Anal.
    Appl. 39 (2018); Musco and Musco, NeurIPS 2015.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> A = np.vander(np.linspace(1, 2, 50), 20)
    >>> r = subspan.svd(A, rtol=1e-6, rng=0)
    >>> U, s, Vh = r
    >>> bool(np.linalg.norm(A - U * s @ Vh) <= 1e-6 * np.linalg.norm(A)), r.rank < 10
    (True, True)
    """
    batch = as_batch(A) if is_batch(A) else None
    source = as_source(A if batch is None else batch.sample)
    goal = as_goal("svd", source.shape, source.dtype, rank, rtol, atol, norm)
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known; expected one of {METHODS}")
    reasons: dict[str, str] = {}
    finder = "subspace" if method == "auto" else method
    settings = choose_range(source, goal, oversampling, power_iterations, finder, sketch, reasons)
    if method == "auto" and full_is_cheaper(source, settings, goal.to_tolerance):
        settings.method = "full"
        reasons["method"] = "costs less than the passes of subspace iteration"
    seed, work = seed_word(rng), Progress(progress, 3)
    if batch is not None:
        return to_caller(_decompose_batch(batch, goal, settings, seed, work), library_of(A))
    result = _decompose(source, goal, settings, seed, work)
    if not result.converged:
        goal.warn_unmet(result.rank, result.error)
    return to_caller(result, source.library)


def full_is_cheaper(source: Source, settings: RangeSettings, to_tolerance: bool) -> bool:
    """Compare the flops of the whole decomposition and of subspace iteration, as times of products.

    Whole, of an m-by-n matrix with m >= n: Cholesky-QR ``6 m n^2``, ``22 n^3`` for the small singular
    value decomposition, ``2 m n k`` for the vectors. Subspace iteration: ``2 m n l`` per pass,
    ``6 (m + n) l^2`` for bases and vectors, ``22 l^3``. To a tolerance the rank is not known; only small
    matrices are decomposed as a whole.
    """
    if source.kind in ("operator", "blocks"):
        return False
    m, n = max(source.shape), min(source.shape)
    if to_tolerance:
        return n <= 128
    if source.kind == "sparse":
        return n <= 32
    l = settings.size  # noqa: E741
    whole = 6 * m * n**2 + 22 * _SVD_FLOP * n**3 + 2 * m * n * l
    passes = (2 + 2 * settings.power_iterations) * 2 * m * n * l
    return whole < passes + 6 * (m + n) * l**2 + 22 * _SVD_FLOP * l**3


def _decompose_batch(
    batch: Batch, goal: Goal, settings: RangeSettings, seed: int, progress: Progress
) -> SVDResult:
    require_fixed_rank("svd", goal)
    if settings.method == "block_krylov":
        raise ValueError("method='block_krylov' is not available for a batch; choose 'subspace'")
    U, s, Vh, error = svd_batch(batch, goal.rank, settings, seed, progress)
    full = settings.method == "full"
    passes = 1 if full else 2 + 2 * settings.power_iterations
    size = min(batch.shape) if full else settings.size
    return SVDResult(
        U=U,
        s=s,
        Vh=Vh,
        error=error,
        converged=True,
        stop_reason="rank",
        leave_one_out=float("nan"),
        history=(),
        plan=plan_of(as_source(batch.sample), settings, passes, size, progress),
        seed=seed,
    )


def _decompose(
    source: Source, goal: Goal, settings: RangeSettings, seed: int, progress: Progress
) -> SVDResult:
    found = None
    if settings.size > 0:
        found = find_range(source, goal, settings, seed, progress, project=True)
    if found is None:
        return _no_triplet(source, goal, settings, seed, progress)
    if settings.method == "block_krylov" and found.basis.size < goal.rank:
        settings.method = "subspace"
        settings.reasons["method"] = "the Krylov space ends before the rank"
        return _decompose(source, goal, settings, seed, progress)
    with progress.stage("small svd"):
        values = found.basis.singular_values()
    residual = residual_of(found.basis, source.dtype, goal.norm)
    k = kept(goal=found.goal, values=values, residual=residual, spectral_norm=found.spectral_norm)
    with progress.stage("vectors"):
        U = np.empty((source.shape[0], k), source.dtype, order="F")
        Vh = np.empty((k, source.shape[1]), source.dtype)
        found.basis.vectors(U, Vh)
    certificate = _certificate(found, residual, values, k, goal.norm)
    stop = STOP_REASONS[found.basis.stop]
    agrees = stop == "tolerance"
    result = SVDResult(
        U=U,
        s=np.ldexp(values[:k], found.exponent) if found.exponent else values[:k].copy(),
        Vh=Vh,
        error=found.scaled_back(certificate),
        converged=found.goal.met_by(certificate, selection_agrees=agrees),
        stop_reason=stop,
        leave_one_out=found.leave_one_out,
        history=found.history,
        plan=plan_of(source, settings, int(found.basis.passes), found.basis.size, progress),
        seed=seed,
    )
    if goal.norm == "spectral":
        with progress.stage("spectral error"):
            seen = _error.spectral_error(source.matrix, result, seed)
        certificate = result.error
        largest = float(result.s[0]) if k else seen
        result = dataclasses.replace(
            result,
            error=dataclasses.replace(
                certificate,
                value=max(seen, certificate.value),
                relative=max(seen, certificate.value) / largest if largest > 0 else 0.0,
                upper=max(certificate.upper, seen),
            ),
        )
    if goal.to_tolerance:
        met = goal.met_by(result.error, selection_agrees=agrees)
        result = dataclasses.replace(
            result, converged=met, stop_reason="tolerance" if met else stop
        )
    return result


def kept(goal: Goal, values: NDArray[Any], residual: ErrorEstimate, spectral_norm: float) -> int:
    """Return how many singular triplets to keep: the rank, or as few as meet the tolerance.

    ``||A - U_k s_k V_k||^2 = ||A - Q Q^H A||^2 + sum_{j > k} s_j^2`` in the Frobenius norm; in the
    spectral norm the right side with s_{k+1}^2 in place of the sum is an upper bound.
    """
    k = min(goal.rank, len(values))
    if not goal.to_tolerance:
        return k
    squares = np.asarray(values, np.float64) ** 2
    if goal.norm == "fro":
        tails = np.append(np.cumsum(squares[::-1])[::-1], 0.0)
        reference = residual.value / residual.relative if residual.relative > 0 else 0.0
        reference = reference or float(np.sqrt(squares.sum()))
    else:
        tails = np.append(squares, 0.0)
        reference = spectral_norm
    allowed = goal.tolerance(reference) ** 2 - residual.upper**2
    enough = np.flatnonzero(tails <= allowed)
    return min(k, int(enough[0])) if enough.size else k


def _certificate(
    found: FoundRange, residual: ErrorEstimate, values: NDArray[Any], k: int, norm: str
) -> ErrorEstimate:
    """Error after truncation at k, from the residual of the basis and the dropped values."""
    squares = np.asarray(values, np.float64) ** 2
    whole = float(squares.sum())
    tail = float(squares[k:].sum()) if norm == "fro" else float(squares[k : k + 1].sum())
    basis = found.basis
    if norm == "spectral":
        reference = float(values[0]) if len(values) else 0.0
    else:
        # Without the entries of A, the norm of Q^H A, which holds most of it, and the rest estimated.
        known = basis.norm2 if basis.norm2 >= 0 else whole + residual.value**2
        reference = float(np.sqrt(known))
    value = float(np.sqrt(residual.value**2 + tail))
    if (
        norm == "spectral"
    ):  # of the probe only an upper bound is known; s_{k+1} is never above the error
        value = float(np.sqrt(tail))
    eps = float(np.finfo(values.dtype).eps)
    rounding = 4 * eps * float(np.sqrt(max(1, len(values)))) * reference
    return dataclasses.replace(
        residual,
        value=value,
        relative=value / reference if reference > 0 else 0.0,
        upper=float(np.sqrt(residual.upper**2 + tail)) + rounding,
    )


def _no_triplet(
    source: Source, goal: Goal, settings: RangeSettings, seed: int, progress: Progress
) -> SVDResult:
    """Rank 0, or A is zero: as many zero values as asked for when a rank was."""
    certificate = _error.of_nothing(source, goal.norm, seed)
    m, n = source.shape
    k = 0 if goal.to_tolerance else goal.rank
    return SVDResult(
        U=np.eye(m, k, dtype=source.dtype),
        s=np.zeros(k, np.zeros(0, source.dtype).real.dtype),
        Vh=np.eye(k, n, dtype=source.dtype),
        error=certificate,
        converged=goal.met_by(certificate),
        stop_reason="rank" if goal.rank == 0 else "exhausted",
        leave_one_out=float("nan"),
        history=(),
        plan=plan_of(source, settings, 0, 0, progress),
        seed=seed,
    )
