"""Leading eigenpairs of Hermitian and positive semidefinite matrices."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from . import _native
from . import error as _error
from ._array import to_caller, to_host
from ._progress import Progress
from ._rng import seed_word
from .factored import FactoredResult
from .goal import Goal, as_goal
from .pivot import KIND_CODES, in_range
from .range_finder import PROBES, RangeSettings, choose_range, plan_of
from .result import ErrorEstimate, Plan
from .source import Source, as_source

METHODS = ("auto", "nystrom", "subspace", "block_krylov", "full")
# A flop of the dense Hermitian eigensolver takes as long as so many of a product.
_EIGH_FLOP = 4.0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EighResult(FactoredResult):
    """``A ~ V @ diag(w) @ V.conj().T``; unpacks into ``w, V`` and acts as the approximation.

    Attributes
    ----------
    w : array of shape (k,)
        Eigenvalues, real, the largest modulus first.
    V : array of shape (n, k)
        Orthonormal eigenvectors; the entry of largest modulus of each is real and positive.
    error : ErrorEstimate
        Certificate of ``||A - V diag(w) V^H||``.
    converged : bool
        Whether the requested tolerance is met; True when only a rank was asked for.
    stop_reason : {"rank", "tolerance", "exhausted"}
        "tolerance" only where a factorization that met one was decomposed.
    plan : Plan
    seed : int
        Passing it as ``rng`` repeats the result.
    """

    w: Any
    V: Any
    error: ErrorEstimate
    converged: bool
    stop_reason: str
    plan: Plan
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("w", "V")

    @property
    def _factors(self) -> tuple[Any, ...]:
        return (self.V, self.w[:, None] * self.V.conj().T)

    @property
    def rank(self) -> int:
        """Number of eigenpairs."""
        return int(self.w.shape[0])

    @property
    def T(self) -> Self:
        """The decomposition of ``A.T``, the conjugate of A."""
        return dataclasses.replace(self, V=self._given(to_host(self.V).conj()))

    def __repr__(self) -> str:
        n = self.shape[0]
        return f"<EighResult: {self.rank} eigenpairs of a ({n}, {n}) matrix, {self.error!r}>"


def eigh(
    A: Any,
    rank: int,
    *,
    psd: bool = False,
    oversampling: int = 10,
    power_iterations: int | str = "auto",
    method: str = "auto",
    sketch: str = "auto",
    rng: Any = None,
    progress: Any = None,
) -> EighResult:
    """Leading eigenvalues and eigenvectors of a Hermitian matrix, with an error certificate.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (n, n)
        Hermitian; only products with A are needed. float32, float64, complex64 or complex128 are
        computed as they are, others promoted.
    rank : int
        Eigenpairs wanted, ``0 <= rank <= n``: those of largest modulus.
    psd : bool
        A is positive semidefinite: Nyström approximation, which for as many readings of A is more
        accurate, and no negative eigenvalues.
    oversampling : int
        Directions that are followed beyond the rank.
    power_iterations : int or "auto"
        "nystrom": applications of A to the test matrix before the Nyström approximation, one pass each.
        Other methods: applications of ``A A^H``, two passes each. "auto": 2.
    method : {"auto", "nystrom", "subspace", "block_krylov", "full"}
        "nystrom": for ``psd=True``. "subspace", "block_krylov": Rayleigh-Ritz on the basis of
        :func:`subspan.range_finder`. "full": the dense routine of LAPACK, on a copy of A. "auto":
        "full" where it costs less, else "nystrom" or "subspace".
    sketch : str
        Test matrix, see :func:`subspan.range_finder`.
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional
        True for a bar; a callable receives ``(done, total, info)``.

    Returns
    -------
    EighResult
        ``w, V = r``; ``r.error`` holds the certificate in the Frobenius norm.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is out of range, or A is not square, not finite or not Hermitian as far as its
        products with the test matrix tell.
    numpy.linalg.LinAlgError
        If ``psd=True`` and a Rayleigh quotient of A is clearly negative.

    Notes
    -----
    With l = rank + oversampling: "nystrom" makes ``1 + power_iterations`` passes of ``2 n^2 l`` flops,
    "subspace" ``2 + 2 power_iterations``. Rayleigh-Ritz: the error is ``||A||_F^2 - sum w^2``, exact
    above about ``1e-6 ||A||_F`` in double precision; else, and for "nystrom", it is estimated from 16
    Gaussian probes in the first pass. Extra memory ``O(n l)``.

    The Nyström approximation is that of ``A + nu I``, with nu about ``eps ||A||_F``, less nu; nu grows up
    to a million times, and at last eigenvalues near zero are cut, should the core not be definite.

    References
    ----------
    Halko, Martinsson, Tropp, SIAM Rev. 53 (2011), Alg. 5.3; Tropp, Yurtsever, Udell, Cevher, NeurIPS
    2017, Alg. 3 (Nyström with a shift).

    Examples
    --------
    >>> import numpy as np, subspan
    >>> A = np.diag([3.0, -5.0, 1.0, 0.5, 0.1])
    >>> w, V = subspan.eigh(A, 2, rng=0)
    >>> np.round(w, 6).tolist(), np.round(V[:, 0], 6).tolist()
    ([-5.0, 3.0], [0.0, 1.0, 0.0, 0.0, 0.0])
    """
    source = as_source(A)
    if source.shape[0] != source.shape[1]:
        raise ValueError(f"A must be square, got shape {source.shape}")
    goal = as_goal("eigh", source.shape, source.dtype, rank, None, None, "fro")
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known; expected one of {METHODS}")
    if method == "nystrom" and not psd:
        raise ValueError("method='nystrom' needs a positive semidefinite A: psd=True")
    if method == "full" and source.kind in ("operator", "blocks"):
        raise TypeError(f"method='full' needs all of A in memory, and A is given by {source.kind}")
    library = source.library
    if source.kind == "operator":
        source = _self_adjoint(source)
    reasons: dict[str, str] = {}
    settings = _settings(source, goal, psd, oversampling, power_iterations, method, sketch, reasons)
    seed, work = seed_word(rng), Progress(progress, 2)
    found, exponent = None, 0
    if settings.size > 0 and goal.rank > 0:
        found, exponent = _find(source, goal, settings, psd, seed, work)
        if found is not None and _ended_early(found, goal, settings):
            settings.method = "subspace"
            reasons["method"] = "the Krylov space ends before the rank"
            found, exponent = _find(source, goal, settings, psd, seed, work)
    if found is None:
        return to_caller(_no_pair(source, goal, settings, seed, work), library)
    with work.stage("vectors"):
        V = np.empty((source.shape[0], len(found.values)), source.dtype, order="F")
        found.vectors(V)
    real = np.zeros(0, source.dtype).real.dtype
    certificate = _certificate(found, settings, source.dtype)
    result = EighResult(
        w=np.ldexp(found.values, exponent).astype(real),
        V=V,
        error=certificate.scaled(exponent),
        converged=True,
        stop_reason="rank" if len(found.values) == goal.rank else "exhausted",
        plan=_plan(source, settings, found, exponent, work),
        seed=seed,
    )
    return to_caller(result, library)


def _ended_early(found: Any, goal: Goal, settings: RangeSettings) -> bool:
    return settings.method == "block_krylov" and len(found.values) < goal.rank


def _self_adjoint(source: Source) -> Source:
    """Let the product with A stand for the one with its adjoint, which an operator may lack."""
    from scipy.sparse.linalg import LinearOperator

    A = source.matrix
    twice = {"matvec": A.matvec, "rmatvec": A.matvec, "matmat": A.matmat, "rmatmat": A.matmat}
    return as_source(LinearOperator(A.shape, dtype=source.dtype, **twice))


def _settings(
    source: Source,
    goal: Goal,
    psd: bool,
    oversampling: Any,
    power_iterations: Any,
    method: str,
    sketch: str,
    reasons: dict[str, str],
) -> RangeSettings:
    """Resolve ``"auto"``."""
    wanted = ("nystrom" if psd else "subspace") if method == "auto" else method
    settings = choose_range(source, goal, oversampling, power_iterations, wanted, sketch, reasons)
    if method == "auto" and _full_is_cheaper(source, settings):
        settings.method = "full"
        reasons["method"] = f"costs less than the passes of {wanted}"
    elif wanted == "nystrom" and 2 * settings.size > source.shape[0]:
        settings.power_iterations = max(settings.power_iterations, 1)
        reasons["power iterations"] = "a test matrix this wide needs to be orthonormalised"
    return settings


def _full_is_cheaper(source: Source, settings: RangeSettings) -> bool:
    """Compare flops: ``9 n^3`` of the dense solver, ``2 n^2 l`` per pass and ``12 n l^2``, ``9 l^3``."""
    if source.kind in ("operator", "blocks"):
        return False
    n, l = source.shape[0], settings.size  # noqa: E741
    if source.kind == "sparse":
        return n <= 32
    q = settings.power_iterations
    passes = 1 + q if settings.method == "nystrom" else 2 + 2 * q
    sketched = passes * 2 * n**2 * l + 12 * n * l**2 + 9 * _EIGH_FLOP * l**3
    return 9 * _EIGH_FLOP * n**3 + 2 * n**2 * l < sketched or n <= 32


def _find(
    source: Source, goal: Goal, settings: RangeSettings, psd: bool, seed: int, progress: Progress
) -> tuple[Any, int]:
    """Run the compiled method on A, whatever its scale; None if A is zero.

    Also returns the exponent of 2 that A was divided by.
    """
    try:
        return _run(source, goal, settings, psd, seed, progress), 0
    except FloatingPointError:
        scaled, exponent = in_range(source)
    if scaled is source:
        return None, 0
    return _run(scaled, goal, settings, psd, seed, progress), exponent


def _run(
    source: Source, goal: Goal, settings: RangeSettings, psd: bool, seed: int, progress: Progress
) -> Any:
    native, n, size = _native.module(), source.shape[0], settings.size
    nnz = min(size, 1 if settings.sketch == "countsketch" else 8)
    with progress.stage("eigenpairs"), source.heard_by(progress.block):
        return native.find_eigenpairs(
            source.native,
            source.transposed.native,
            method=settings.method,
            size=size,
            rank=min(goal.rank, size),
            power_iterations=settings.power_iterations,
            semidefinite=psd,
            sketch=native.SketchOperator(KIND_CODES[settings.sketch], size, n, nnz, seed, 0),
            probe=native.SketchOperator(0, PROBES, n, 1, seed, 1),
            want_norms=source.kind != "operator",
            progress=progress.poll,
        )


def _certificate(found: Any, settings: RangeSettings, dtype: np.dtype[Any]) -> ErrorEstimate:
    """Exact where ``||A||^2 - sum w^2`` has digits or A was decomposed as a whole, else from the probe."""
    reference2 = found.norm2 if found.norm2 >= 0 else found.probe_norm2
    reference, eps = float(np.sqrt(max(reference2, 0.0))), float(np.finfo(dtype).eps)
    if settings.method == "full":
        n = len(found.values)
        return _error.exact(
            float(np.sqrt(found.residual2)), reference, rounding=10 * eps * reference * np.sqrt(n)
        )
    if found.residual2 >= 0:
        value = float(np.sqrt(found.residual2))
        rounding = 4 * _error.energy_rounding(value, reference, len(found.values), eps)
        return _error.exact(value, reference, rounding=rounding)
    gram = np.empty((PROBES, PROBES), dtype)
    found.residual_gram(gram)
    return _error.from_probe_gram(gram, "fro", reference)


def _plan(
    source: Source, settings: RangeSettings, found: Any, exponent: int, progress: Progress
) -> Plan:
    plan = plan_of(source, settings, int(found.passes), settings.size, progress)
    if settings.method == "nystrom":
        plan.choices["shift"] = float(np.ldexp(found.shift, exponent))
    return plan


def _no_pair(
    source: Source, goal: Goal, settings: RangeSettings, seed: int, progress: Progress
) -> EighResult:
    """Rank 0, or A is zero: as many zero eigenvalues as asked for."""
    n, k = source.shape[0], goal.rank
    return EighResult(
        w=np.zeros(k, np.zeros(0, source.dtype).real.dtype),
        V=np.eye(n, k, dtype=source.dtype),
        error=_error.of_nothing(source, "fro", seed),
        converged=True,
        stop_reason="rank" if k == 0 else "exhausted",
        plan=plan_of(source, settings, 0, 0, progress),
        seed=seed,
    )


def pairs_of_factor(F: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Eigenvalues, the largest first, and eigenvectors of ``F F^H`` for a tall F."""
    V, s, _ = np.linalg.svd(F, full_matrices=False)
    pivots = V[np.abs(V).argmax(axis=0), np.arange(V.shape[1])]
    return s**2, V * (np.conj(pivots) / np.abs(pivots)).astype(V.dtype)
