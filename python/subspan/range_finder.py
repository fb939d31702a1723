"""Range finder: an orthonormal basis that captures A, to a rank or to a tolerance."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from . import _native
from . import error as _error
from ._array import as_rank, to_caller
from ._progress import Progress
from ._rng import seed_word
from .config import blas_name
from .goal import Goal, as_goal
from .pivot import KIND_CODES, STOP_REASONS, choose_sketch, in_range
from .result import ErrorEstimate, Plan, Result, history_of
from .source import Source, as_source

PROBES = 16
_FIRST_BLOCK = 32
# Two columns of a sparse sign operator with l rows are parallel with probability 2^(1-l) for l <= 8 and
# 3e-5 for l = 16. The directions that they stand for, singular vectors along the axes say, are then not
# told apart.
_FEWEST_SIGNS = 16


@dataclasses.dataclass
class RangeSettings:
    """Settings of one range finder, ``"auto"`` resolved; `reasons` says why."""

    method: str
    size: int
    power_iterations: int
    sketch: str
    reasons: dict[str, str]


def choose_range(
    source: Source,
    goal: Goal,
    oversampling: Any,
    power_iterations: Any,
    method: str,
    sketch: str,
    reasons: dict[str, str],
) -> RangeSettings:
    """Resolve ``"auto"``; `method` is one of the range finder's own."""
    if sketch is None:
        raise ValueError("sketch=None is not possible here; the range finder needs a test matrix")
    kind = choose_sketch(source, sketch, reasons)
    assert kind is not None
    size = min(goal.rank + as_rank(oversampling, 2**22, "oversampling"), *source.shape)
    if sketch == "auto" and size < _FEWEST_SIGNS:
        kind = "gaussian"
        reasons["sketch"] = "among few test vectors, two columns of signs may well be the same"
    if isinstance(power_iterations, str):
        if power_iterations != "auto":
            raise ValueError(f"power_iterations={power_iterations!r} must be an int or 'auto'")
        q = 1 if goal.to_tolerance else 2
        reasons["power iterations"] = (
            "one keeps the rank near the smallest" if q == 1 else "two serve flat spectra as well"
        )
    else:
        q = as_rank(power_iterations, 1000, "power_iterations")
    if method == "block_krylov" and goal.to_tolerance:
        raise ValueError("method='block_krylov' needs a rank; to a tolerance choose 'subspace'")
    return RangeSettings(method, size, q, kind, reasons)


@dataclasses.dataclass
class FoundRange:
    """A compiled basis, and the power of two that A was divided by to get it."""

    basis: Any
    goal: Goal  # of the scaled matrix
    exponent: int
    spectral_norm: float

    @property
    def history(self) -> tuple[dict[str, Any], ...]:
        """Blocks of an adaptive method."""
        return history_of(self.basis.history, self.exponent)

    @property
    def leave_one_out(self) -> float:
        """The leave-one-out estimate, NaN where there is none."""
        found = self.basis.leave_one_out
        return float(np.ldexp(found, self.exponent)) if found >= 0 else float("nan")


def find_range(
    source: Source,
    goal: Goal,
    settings: RangeSettings,
    seed: int,
    progress: Progress,
    *,
    project: bool,
) -> FoundRange | None:
    """Run the range finder on A, whatever its scale; None if A is zero."""
    try:
        return _find(source, goal, settings, seed, progress, project, 0)
    except FloatingPointError:
        scaled, exponent = in_range(source)
    if scaled is source:
        return None
    return _find(scaled, goal.scaled(-exponent), settings, seed, progress, project, exponent)


def _find(
    source: Source,
    goal: Goal,
    settings: RangeSettings,
    seed: int,
    progress: Progress,
    project: bool,
    exponent: int,
) -> FoundRange:
    native, poll, spectral_norm = _native.module(), progress.poll, 0.0
    tolerance, relative = goal.atol, goal.rtol
    if goal.norm == "spectral" and goal.to_tolerance:
        if source.kind != "operator":
            source.magnitude()  # refuses NaN and infinity, saying where
        with progress.stage("norm of A"):
            spectral_norm = _error.norm(source.matrix, norm="spectral", rng=seed)
        # The Frobenius norm of the error is never smaller than the spectral one.
        tolerance, relative = goal.tolerance(spectral_norm), 0.0
    n, size = source.shape[1], settings.size
    nnz = min(size, 1 if settings.sketch == "countsketch" else 8)
    with progress.stage("basis"), source.heard_by(progress.block):
        if settings.method == "full":
            basis = native.factor_whole(source.native, source.transposed.native, poll)
        else:
            basis = native.find_range(
                source.native,
                source.transposed.native,
                size=size,
                block=min(size, _FIRST_BLOCK),
                power_iterations=settings.power_iterations,
                krylov=settings.method == "block_krylov",
                project=project,
                to_tolerance=goal.to_tolerance,
                tolerance=tolerance,
                relative=relative,
                probe_factor=_error.frobenius_factor(PROBES),
                sketch=native.SketchOperator(KIND_CODES[settings.sketch], size, n, nnz, seed, 0),
                probe=native.SketchOperator(0, PROBES, n, 1, seed, 1),
                want_norms=source.kind != "operator",
                progress=poll,
            )
    return FoundRange(basis, goal, exponent, spectral_norm)


def residual_of(basis: Any, dtype: np.dtype[Any], norm: str) -> ErrorEstimate:
    """Return ``||A - Q Q^H A||``: exact where ``||A||^2 - ||Q^H A||^2`` has digits, else from the probe."""
    reference2 = basis.norm2 if basis.norm2 >= 0 else basis.probe_norm2
    reference = float(np.sqrt(max(reference2, 0.0)))
    if basis.residual2 == 0 or (norm == "fro" and basis.residual2 > 0):
        value = float(np.sqrt(basis.residual2))
        eps = float(np.finfo(dtype).eps)
        rounding = _error.energy_rounding(value, reference, basis.size, eps)
        return _error.exact(value, reference, norm, rounding)
    gram = np.empty((PROBES, PROBES), dtype)
    basis.residual_gram(gram)
    return _error.from_probe_gram(gram, norm, reference)


def plan_of(
    source: Source, settings: RangeSettings, passes: int, size: int, progress: Progress
) -> Plan:
    """Tell what was chosen, why, and what it cost."""
    full = settings.method == "full"
    choices = {
        "method": settings.method.replace("_", " "),
        "sketch": None if full else settings.sketch,
        "sketch size": size,
        "power iterations": None if full else settings.power_iterations,
        "probes": 0 if full else PROBES,
        "input": source.kind,
        "dtype": source.dtype.name,
        "device": "cpu",
        "blas": blas_name(),
    }
    return Plan(choices, settings.reasons, passes, dict(progress.seconds))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RangeResult(Result):
    """An orthonormal basis Q with ``A ~ Q Q^H A``.

    Attributes
    ----------
    Q : array of shape (m, l)
        Orthonormal columns.
    error : ErrorEstimate
        Certificate of ``||A - Q Q^H A||``.
    converged : bool
    stop_reason : {"rank", "tolerance", "exhausted"}
    leave_one_out : float
        Estimate of ``||A - Q' Q'^H A||_F`` for the basis Q' with one column less, from the test products
        alone; NaN after power iterations, where it does not hold.
    history : tuple of dict
        One entry per block of the adaptive method.
    plan : Plan
    seed : int
    """

    Q: Any
    error: ErrorEstimate
    converged: bool
    stop_reason: str
    leave_one_out: float
    history: tuple[dict[str, Any], ...]
    plan: Plan
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("Q",)

    def __len__(self) -> int:
        return 1

    @property
    def rank(self) -> int:
        """Number of columns of Q."""
        return int(self.Q.shape[1])

    def __repr__(self) -> str:
        return (
            f"<RangeResult: {self.rank} directions in dimension {self.Q.shape[0]}, {self.error!r}>"
        )


def range_finder(
    A: Any,
    rank: int | None = None,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    norm: str = "fro",
    oversampling: int = 0,
    power_iterations: int | str = "auto",
    method: str = "auto",
    sketch: str = "auto",
    rng: Any = None,
    progress: Any = None,
) -> RangeResult:
    """Orthonormal basis Q of the directions that matter in A: ``A ~ Q Q^H A``.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator, chunks, array on disk or Dask array, shape (m, n)
    rank : int, optional
        Columns of Q, ``0 <= rank <= min(m, n)``.
    rtol, atol : float, optional
        Stop when ``||A - Q Q^H A|| <= max(rtol ||A||, atol)``. With a rank as well, whichever comes
        first. One of the three is required.
    norm : {"fro", "spectral"}
        Norm of the tolerance and of the certificate. With "spectral" the basis still grows until the
        Frobenius norm of the error, which is never smaller, meets the tolerance.
    oversampling : int
        Columns of Q beyond the rank.
    power_iterations : int or "auto"
        Applications of ``A A^H`` to the first products, each stabilised; each costs two passes. "auto":
        2 at a fixed rank, 1 to a tolerance.
    method : {"auto", "subspace", "block_krylov"}
        "subspace": powers of one block. "block_krylov": all powers of a block that is
        ``1 / (power_iterations + 1)`` as wide, the better basis for as many products, for a fixed rank.
        "auto": subspace.
    sketch : str
        Test matrix: "gaussian", "rademacher", "sparse_sign", "countsketch", "srht"; "auto": sparse
        sign, Gaussian for operators.
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional

    Returns
    -------
    RangeResult
        ``result.Q`` and its certificate ``result.error``.

    Raises
    ------
    TypeError
        If neither a rank nor a tolerance is given, or an argument has the wrong type.
    ValueError
        If an argument is out of range or A is not finite.

    Warns
    -----
    ToleranceNotMet
        If a tolerance was given and is not met.

    Notes
    -----
    Fixed rank: ``1 + 2 power_iterations`` passes over A, ``2 m n rank`` flops each; the error is
    estimated from 16 Gaussian probes in the first pass. To a tolerance: ``2 + 2 power_iterations``
    passes per block; the error is exact down to about ``1e-6 ||A||`` in double precision. Extra memory
    ``O((m + n) rank)``.

    References
    ----------
    Halko, Martinsson, Tropp, SIAM Rev. 53 (2011), Alg. 4.4; Yu, Gu, Li, SIAM J. Matrix Anal. Appl. 39
    (2018) (to a tolerance); Musco and Musco, NeurIPS 2015 (block Krylov); Epperly and Tropp, SIAM J.
    Sci. Comput. 46 (2024) (leave-one-out estimate).

    Examples
    --------
    >>> import numpy as np, subspan
    >>> A = np.vander(np.linspace(1, 2, 50), 20)
    >>> r = subspan.range_finder(A, rtol=1e-6, rng=0)
    >>> bool(np.linalg.norm(A - r.Q @ (r.Q.T @ A)) <= 1e-6 * np.linalg.norm(A))
    True
    """
    source = as_source(A)
    goal = as_goal("range_finder", source.shape, source.dtype, rank, rtol, atol, norm)
    if method not in ("auto", "subspace", "block_krylov"):
        raise ValueError(
            f"method={method!r} is not known; expected 'auto', 'subspace' or 'block_krylov'"
        )
    finder = "subspace" if method == "auto" else method
    settings = choose_range(source, goal, oversampling, power_iterations, finder, sketch, {})
    seed, work = seed_word(rng), Progress(progress, 1)
    found = None
    if settings.size > 0:
        found = find_range(source, goal, settings, seed, work, project=False)
    if found is None:
        nothing = _no_direction(source, goal, settings, seed, work)
        if not nothing.converged:
            goal.warn_unmet(0, nothing.error)
        return to_caller(nothing, source.library)
    Q = np.empty((source.shape[0], found.basis.size), source.dtype, order="F")
    found.basis.basis(Q)
    certificate = residual_of(found.basis, source.dtype, norm)
    stop = STOP_REASONS[found.basis.stop]
    result = RangeResult(
        Q=Q,
        error=certificate.scaled(found.exponent),
        converged=found.goal.met_by(certificate, selection_agrees=stop == "tolerance"),
        stop_reason=stop,
        leave_one_out=found.leave_one_out,
        history=found.history,
        plan=plan_of(source, settings, int(found.basis.passes), found.basis.size, work),
        seed=seed,
    )
    if not result.converged:
        goal.warn_unmet(result.rank, result.error)
    return to_caller(result, source.library)


def _no_direction(
    source: Source, goal: Goal, settings: RangeSettings, seed: int, progress: Progress
) -> RangeResult:
    """Rank 0, or A is zero."""
    certificate = _error.of_nothing(source, goal.norm, seed)
    return RangeResult(
        Q=np.zeros((source.shape[0], 0), source.dtype),
        error=certificate,
        converged=goal.met_by(certificate),
        stop_reason="rank" if goal.rank == 0 else "exhausted",
        leave_one_out=float("nan"),
        history=(),
        plan=plan_of(source, settings, 0, 0, progress),
        seed=seed,
    )
