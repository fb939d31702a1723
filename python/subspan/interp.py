"""Interpolative decomposition: A in terms of its own columns, rows, or both."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from . import error as _error
from ._array import as_array, as_rank, as_tolerance
from ._progress import Progress
from ._rng import seed_word
from .config import blas_name
from .exceptions import ToleranceNotMet
from .pivot import (
    STOP_REASONS,
    Selection,
    choose_block,
    choose_pivoting,
    choose_sketch,
    in_range,
    select,
    size_sketch,
)
from .result import ErrorEstimate, Plan, Result
from .source import Source, as_source

COEFFICIENTS = ("auto", "exact", "osid", "sketch")
PROBES = 16
_FACTOR, _OSID, _EXACT = 0, 1, 2  # the compiled coefficient modes


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class InterpolativeDecomposition(Result):
    """``A ~ A[:, J] @ W``, ``A ~ Z @ A[I, :]`` or ``A ~ Z @ A[I][:, J] @ W``.

    Unpacks into ``indices, coefficients`` and acts as the approximation: ``r @ x``, ``r.T``,
    ``r.toarray()``.

    Attributes
    ----------
    indices : array of int64, shape (k,), or pair of them
        Chosen columns J (``axis=1``), rows I (``axis=0``), or ``(I, J)``.
    coefficients : array, or pair of them
        W of shape (k, n) with ``W[:, J] = I``; Z of shape (m, k) with ``Z[I] = I``; or ``(Z, W)``.
    skeleton : array or sparse array
        The chosen part of A: ``A[:, J]``, ``A[I, :]`` or ``A[I][:, J]``.
    axis : {1, 0, None}
    error : ErrorEstimate
        Certificate of ``||A - approximation||``.
    converged : bool
        Whether the requested tolerance is met; True when only a rank was asked for.
    stop_reason : {"rank", "tolerance", "exhausted"}
        "exhausted": A has lower numerical rank than asked for.
    history : tuple of dict
        One entry per block of an adaptive or blockwise method: rank, residual (absolute,
        Frobenius), whether it is exact, columns accepted and proposed.
    plan : Plan
    seed : int
        Passing it as ``rng`` repeats the result.
    """

    indices: Any
    coefficients: Any
    skeleton: Any
    axis: int | None
    error: ErrorEstimate
    converged: bool
    stop_reason: str
    history: tuple[dict[str, Any], ...]
    plan: Plan
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("indices", "coefficients")
    __array_ufunc__ = None  # numpy arrays leave x @ r to us

    def __len__(self) -> int:
        return 2

    @property
    def _factors(self) -> tuple[Any, ...]:
        if self.axis == 1:
            return (self.skeleton, self.coefficients)
        if self.axis == 0:
            return (self.coefficients, self.skeleton)
        return (self.coefficients[0], self.skeleton, self.coefficients[1])

    @property
    def rank(self) -> int:
        """Number of chosen columns or rows."""
        return len(self.indices if self.axis is not None else self.indices[0])

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of A."""
        return (int(self._factors[0].shape[0]), int(self._factors[-1].shape[1]))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Precision of A."""
        dtype: np.dtype[Any] = np.dtype(self.skeleton.dtype)
        return dtype

    @property
    def T(self) -> InterpolativeDecomposition:
        """The decomposition of ``A.T``: columns become rows."""
        if self.axis is None:
            (I, J), (Z, W) = self.indices, self.coefficients  # noqa: E741
            return dataclasses.replace(
                self, indices=(J, I), coefficients=(W.T, Z.T), skeleton=self.skeleton.T
            )
        return dataclasses.replace(
            self, coefficients=self.coefficients.T, skeleton=self.skeleton.T, axis=1 - self.axis
        )

    def __matmul__(self, x: Any) -> NDArray[Any]:
        """Approximation of ``A @ x`` in ``O((m + n) k)`` per column of x."""
        for factor in reversed(self._factors):
            x = factor @ x
        return np.asarray(x)

    def __rmatmul__(self, x: Any) -> NDArray[Any]:
        """Approximation of ``x @ A``."""
        for factor in self._factors:
            x = x @ factor
        return np.asarray(x)

    def toarray(self) -> NDArray[Any]:
        """Return the approximation as a dense (m, n) array."""
        dense = [np.asarray(f.toarray() if hasattr(f, "toarray") else f) for f in self._factors]
        product = dense[0]
        for factor in dense[1:]:
            product = product @ factor
        return product

    def error_exact(self, A: Any) -> ErrorEstimate:
        """Measure the Frobenius error against A, in blocks of columns: one more pass."""
        source = as_source(A)
        if source.shape != self.shape:
            raise ValueError(f"A has shape {source.shape}; expected {self.shape}")
        if source.kind == "operator":
            raise TypeError("A is an operator; use subspan.error.residual(A, r)")
        total, reference = 0.0, 0.0
        scale = _error.safe_scale(source.magnitude())
        width = max(1, 2**24 // max(1, self.shape[0]))
        for j in range(0, self.shape[1], width):
            block = source.matrix[:, j : j + width]
            block = block.toarray() if hasattr(block, "toarray") else block
            x: Any = self._factors[-1][:, j : j + width]
            for factor in reversed(self._factors[:-1]):
                x = factor @ x
            x = x.toarray() if hasattr(x, "toarray") else np.asarray(x)
            wide = np.result_type(block, np.float64)
            total += float(np.linalg.norm((block - x).astype(wide) * scale)) ** 2
            reference += float(np.linalg.norm(block.astype(wide) * scale)) ** 2
        return _error.exact(float(np.sqrt(total)) / scale, float(np.sqrt(reference)) / scale)

    def __repr__(self) -> str:
        what = {1: "columns", 0: "rows", None: "rows and columns"}[self.axis]
        m, n = self.shape
        return f"<InterpolativeDecomposition: {self.rank} {what} of a ({m}, {n}) matrix, {self.error!r}>"


def interpolative(
    A: Any,
    rank: int | None = None,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    norm: str = "fro",
    axis: int | None = 1,
    pivoting: str = "auto",
    sketch: str | None = "auto",
    oversampling: int | None = None,
    block_size: int | None = None,
    coefficients: str = "auto",
    rng: Any = None,
    progress: Any = None,
) -> InterpolativeDecomposition:
    """Write A in terms of k of its own columns, rows, or both, with an error certificate.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (m, n)
        float32, float64, complex64 or complex128 are computed as they are; integers, bools and half
        precision are promoted (a copy). Any order, read-only, strided with a leading dimension or
        memory-mapped: no copy; other strides: one copy. An A whose squares would overflow or
        underflow is scaled by a power of two (a copy).
    rank : int, optional
        Columns to choose, ``0 <= rank <= min(m, n)``.
    rtol, atol : float, optional
        Stop when ``||A - approximation|| <= max(rtol ||A||, atol)``. With a rank as well, whichever
        comes first. One of the three is required.
    norm : {"fro", "spectral"}
        Norm of the tolerance and of the certificate. With "spectral" the choice of columns still
        stops on the Frobenius norm of the error, which is never smaller, so the rank may be larger
        than needed; ``||A||_2`` and the error cost 32 more products of A with 4 vectors.
    axis : {1, 0, None}
        1: columns, ``A ~ A[:, J] @ W``. 0: rows, ``A ~ Z @ A[I, :]``. None: both,
        ``A ~ Z @ A[I][:, J] @ W``.
    pivoting : str
        How columns are chosen, see :func:`subspan.pivots`. "auto": "cpqr" (of a sketch) at a fixed
        rank, "rbrp" to a tolerance ("lupp" for operators). "lupp" is the fastest; "greedy" the
        accurate setting, within a few percent of pivoted QR of A itself.
    sketch : str or None
        "gaussian", "rademacher", "sparse_sign", "countsketch", "srht"; "auto": sparse sign with 8
        nonzeros per column, Gaussian for operators. None: no sketch (with "cpqr": pivot on A).
    oversampling : int, optional
        Rows of the sketch beyond the rank: for "cpqr" those that the pivots are chosen by (default
        30), for "lupp" those that only serve the coefficients.
    block_size : int, optional
        Columns per round of an adaptive or blockwise method.
    coefficients : {"auto", "exact", "osid", "sketch"}
        "exact": least squares against A, the best for the chosen columns; one product with A.
        "osid": least squares on a sketch with 2 k rows, about sqrt(2) times the best error, no
        further pass. "sketch": from the pivoted factor alone, cheapest, can be worse than nothing on
        flat spectra. "auto": exact. Blockwise methods know the exact ones already.
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional
        True for a bar; a callable receives ``(done, total, info)``.

    Returns
    -------
    InterpolativeDecomposition
        ``indices, coefficients = r``; ``r.error`` holds the certificate.

    Raises
    ------
    TypeError
        If neither a rank nor a tolerance is given, or an argument has the wrong type.
    ValueError
        If an argument is out of range or A is not finite.
    numpy.linalg.LinAlgError
        If a factorization breaks down.

    Warns
    -----
    ToleranceNotMet
        If a tolerance was given and is not met.

    Notes
    -----
    "lupp", exact: 2 readings of A and a gather of k columns, ``2 m n k + O((m + n) k^2)`` flops.
    "lupp", "sketch": one reading and ``2 n k^2`` flops. "rbrp": ``2 m n k`` flops in about
    k/block_size readings, error exact. Extra memory ``O((m + n) k)``.

    References
    ----------
    arXiv 2310.09417 (randomized LUPP), 2309.16002 (RBRP, OSID); Voronin and Martinsson, Adv. Comput.
    Math. 43 (2017) (pivots from a sketch).

    Examples
    --------
    >>> import numpy as np, subspan
    >>> A = np.vander(np.linspace(1, 2, 50), 20)
    >>> r = subspan.interpolative(A, rtol=1e-6, rng=0)
    >>> J, W = r
    >>> bool(np.linalg.norm(A - A[:, J] @ W) <= 1e-6 * np.linalg.norm(A)), r.rank < 10
    (True, True)
    """
    if rank is None and rtol is None and atol is None:
        raise TypeError("interpolative needs rank, rtol or atol: none was given")
    _error.check_norm(norm)
    if axis not in (0, 1, None) or isinstance(axis, bool):
        raise ValueError(f"axis={axis!r} must be 1, 0 or None")
    if coefficients not in COEFFICIENTS:
        raise ValueError(
            f"coefficients={coefficients!r} is not known; expected one of {COEFFICIENTS}"
        )
    source = as_source(A)
    k = (
        min(source.shape)
        if rank is None
        else as_rank(rank, min(source.shape), "rank", source.shape)
    )
    goal = _Goal(
        rank=k,
        rtol=0.0 if rtol is None else as_tolerance(rtol, "rtol"),
        atol=0.0 if atol is None else as_tolerance(atol, "atol"),
        to_tolerance=rtol is not None or atol is not None,
        norm=norm,
    )
    goal.check_precision(source.dtype)
    request = _Request(
        goal, pivoting, sketch, oversampling, block_size, coefficients, seed_word(rng)
    )
    if axis is None:
        return _two_sided(source, request, progress)
    oriented = source if axis == 1 else source.transposed
    found = _columns(oriented, request, Progress(progress, 3))
    found = found if axis == 1 else found.T
    return _warned(found, goal)


@dataclasses.dataclass(frozen=True)
class _Goal:
    """When to stop."""

    rank: int
    rtol: float
    atol: float
    to_tolerance: bool
    norm: str

    def check_precision(self, dtype: np.dtype[Any]) -> None:
        smallest = 50 * float(np.finfo(dtype).eps)
        if self.to_tolerance and self.atol == 0 and self.rtol < smallest:
            raise ValueError(
                f"rtol={self.rtol:g} is below what {dtype} allows; expected at least {smallest:.2g}"
            )

    def tolerance(self, reference: float) -> float:
        return max(self.rtol * reference, self.atol)


@dataclasses.dataclass(frozen=True)
class _Request:
    """What the caller asked for."""

    goal: _Goal
    pivoting: str
    sketch: str | None
    oversampling: int | None
    block_size: int | None
    coefficients: str
    seed: int


def _resolve(source: Source, request: _Request) -> tuple[Selection, int]:
    """Settings of the selection and the coefficient mode, ``"auto"`` resolved."""
    goal, reasons = request.goal, {}
    asked = request.pivoting
    if asked == "auto" and request.coefficients == "sketch" and not goal.to_tolerance:
        asked = "lupp"
        reasons["pivoting"] = "its factor gives the coefficients"
    pivoting = choose_pivoting(source, asked, request.sketch, goal.to_tolerance, reasons)
    kind = choose_sketch(source, request.sketch, reasons)
    settings = Selection(pivoting, goal.rank, sketch=kind, reasons=reasons)
    if request.block_size is not None:
        settings.block_size = choose_block(
            pivoting, goal.rank, goal.to_tolerance, request.block_size
        )
    if settings.method.family == "blockwise":
        settings.sketch = None
        reasons.pop("sketch", None)
        if request.coefficients in ("auto", "osid", "sketch"):
            reasons["coefficients"] = "the factorization of A holds the exact ones"
        return settings, _FACTOR
    if request.coefficients == "auto":
        reasons["coefficients"] = "the best for the chosen columns, for one product with A"
    mode = {"auto": _EXACT, "exact": _EXACT, "osid": _OSID, "sketch": _OSID}[request.coefficients]
    if request.coefficients == "sketch" and pivoting == "lupp":
        mode = _FACTOR
    if settings.method.family == "reference" and mode != _EXACT:
        raise ValueError(
            f"coefficients={request.coefficients!r} needs a sketch; 'strong' makes none"
        )
    settings.probes = PROBES
    extra = request.oversampling
    if extra is not None:
        extra = as_rank(extra, 2**23, "oversampling")
    size_sketch(source, settings, extra, 2 * goal.rank if request.coefficients == "osid" else 0)
    return settings, mode


def _columns(source: Source, request: _Request, progress: Progress) -> InterpolativeDecomposition:
    """Column ID of a source, whatever its scale."""
    settings, mode = _resolve(source, request)
    if request.goal.rank == 0:
        return _nothing_chosen(source, request, settings, progress)
    try:
        return _run(source, request, settings, mode, progress)
    except FloatingPointError:
        scaled, exponent = in_range(source)
    if exponent == 0:
        return _nothing_chosen(source, request, settings, progress)
    goal = dataclasses.replace(request.goal, atol=float(np.ldexp(request.goal.atol, -exponent)))
    found = _run(scaled, dataclasses.replace(request, goal=goal), settings, mode, progress)
    value, upper = (float(np.ldexp(x, exponent)) for x in (found.error.value, found.error.upper))
    return dataclasses.replace(
        found,
        skeleton=source.columns(found.indices),
        error=dataclasses.replace(found.error, value=value, upper=upper),
    )


def _run(
    source: Source, request: _Request, settings: Selection, mode: int, progress: Progress
) -> InterpolativeDecomposition:
    goal, n = request.goal, source.shape[1]
    if goal.to_tolerance:
        settings.rtol, settings.atol = goal.rtol, goal.atol
    spectral_norm = 0.0
    if goal.norm == "spectral":
        if source.kind != "operator":
            source.magnitude()  # refuses NaN and infinity, saying where
        with progress.stage("norm of A"):
            spectral_norm = _error.norm(source.matrix, norm="spectral", rng=request.seed)
        settings.probes = PROBES
        if goal.to_tolerance:
            settings.atol, settings.rtol = goal.tolerance(spectral_norm), 0.0
    with progress.stage("choose columns"):
        skeleton = select(source, settings, request.seed, progress.poll)
    revealed = -1.0
    with progress.stage("coefficients"):
        W = np.empty((skeleton.rank, n), source.dtype)
        if skeleton.rank:
            tolerance = 0.0
            if settings.to_tolerance and skeleton.norm2 >= 0:
                tolerance = max(settings.rtol * float(np.sqrt(skeleton.norm2)), settings.atol)
            revealed = skeleton.coefficients(source.native, mode, tolerance, W)
            W = W[: skeleton.rank]
        indices = np.array(skeleton.permutation[: skeleton.rank])
        columns = source.columns(indices)
    with progress.stage("certificate"):
        certificate = _certificate(skeleton, settings, goal, W, revealed, spectral_norm)
    history = tuple(
        dict(zip(("rank", "residual", "exact", "accepted", "proposed"), row, strict=True))
        for row in skeleton.history
    )
    found = InterpolativeDecomposition(
        indices=indices,
        coefficients=W,
        skeleton=columns,
        axis=1,
        error=certificate,
        converged=_converged(goal, certificate),
        stop_reason=_stop_reason(skeleton, goal, certificate),
        history=history,
        plan=_plan(source, settings, mode, skeleton, progress),
        seed=request.seed,
    )
    if goal.norm == "spectral":
        with progress.stage("spectral error"):
            value = _error.spectral_error(source.matrix, found, request.seed)
        found = _with_value(found, goal, value, spectral_norm)
    return found


def _with_value(
    found: InterpolativeDecomposition, goal: _Goal, value: float, reference: float
) -> InterpolativeDecomposition:
    certificate = dataclasses.replace(
        found.error,
        value=value,
        relative=value / reference if reference > 0 else 0.0,
        upper=max(found.error.upper, value),
    )
    return dataclasses.replace(found, error=certificate, converged=_converged(goal, certificate))


def _certificate(
    skeleton: Any,
    settings: Selection,
    goal: _Goal,
    W: NDArray[Any],
    revealed: float,
    spectral_norm: float,
) -> ErrorEstimate:
    """The error from what the call has touched: the revealed residual, else the probe."""
    reference = float(np.sqrt(skeleton.norm2)) if skeleton.norm2 >= 0 else -1.0
    if goal.norm == "fro":
        if settings.method.family == "blockwise":
            revealed = skeleton.history[-1][1] ** 2
        if revealed >= 0:
            rounding = _error.coefficient_rounding(W, reference)
            return _error.exact(float(np.sqrt(revealed)), reference, rounding=rounding)
    gram = np.empty((settings.probes, settings.probes), W.dtype)
    skeleton.probe_gram(W, gram)
    if goal.norm == "spectral":
        reference = spectral_norm
    elif reference < 0:  # an operator: its norm from the same probe
        of_A = np.empty_like(gram)
        skeleton.probe_gram(np.zeros_like(W), of_A)
        reference = float(np.sqrt(np.real(np.trace(of_A))))
    return _error.from_probe_gram(gram, goal.norm, reference)


def _converged(goal: _Goal, certificate: ErrorEstimate) -> bool:
    if not goal.to_tolerance:
        return True
    reference = certificate.value / certificate.relative if certificate.relative > 0 else 0.0
    # A certificate of zero meets every tolerance.
    return certificate.value <= goal.tolerance(reference) * (1 + 1e-6)


def _warned(found: InterpolativeDecomposition, goal: _Goal) -> InterpolativeDecomposition:
    if not found.converged:
        warnings.warn(
            f"tolerance rtol={goal.rtol:g}, atol={goal.atol:g} is not met at rank {found.rank}: "
            f"relative error {found.error.relative:.3g}; raise rank or the tolerance",
            ToleranceNotMet,
            stacklevel=3,
        )
    return found


def _stop_reason(skeleton: Any, goal: _Goal, certificate: ErrorEstimate) -> str:
    if goal.to_tolerance and _converged(goal, certificate):
        return "tolerance"
    return STOP_REASONS[skeleton.stop]


def _plan(
    source: Source, settings: Selection, mode: int, skeleton: Any, progress: Progress
) -> Plan:
    blockwise = settings.method.family == "blockwise"
    choices: dict[str, Any] = {
        "pivoting": settings.pivoting.replace("_", " "),
        "sketch": settings.sketch if settings.method.family != "reference" else None,
        "sketch size": skeleton.sketch_cols,
        "coefficients": "exact" if blockwise else ("sketch", "osid", "exact")[mode],
        "block size": choose_block(
            settings.pivoting, settings.rank, settings.to_tolerance, settings.block_size
        )
        if blockwise or settings.to_tolerance
        else None,
        "probes": settings.probes,
        "input": source.kind,
        "dtype": source.dtype.name,
        "device": "cpu",
        "blas": blas_name(),
    }
    reasons = {key.replace("_", " "): why for key, why in settings.reasons.items()}
    return Plan(choices, reasons, int(skeleton.passes), dict(progress.seconds))


def _nothing_chosen(
    source: Source, request: _Request, settings: Selection, progress: Progress
) -> InterpolativeDecomposition:
    """Rank 0: the approximation is the zero matrix and the error is the norm of A."""
    reference = 0.0
    if 0 not in source.shape:
        if source.kind != "operator":
            source.magnitude()
        reference = _error.norm(source.matrix, norm=request.goal.norm, rng=request.seed)
    kind = "estimate" if source.kind == "operator" or request.goal.norm == "spectral" else "exact"
    certificate = dataclasses.replace(
        _error.exact(reference, reference, request.goal.norm), kind=kind
    )
    indices = np.empty(0, np.int64)
    choices = {"pivoting": settings.pivoting, "input": source.kind, "dtype": source.dtype.name}
    return InterpolativeDecomposition(
        indices=indices,
        coefficients=np.zeros((0, source.shape[1]), source.dtype),
        skeleton=np.zeros((source.shape[0], 0), source.dtype),
        axis=1,
        error=certificate,
        converged=_converged(request.goal, certificate),
        stop_reason="rank" if request.goal.rank == 0 else "exhausted",
        history=(),
        plan=Plan(choices, {}, 0, dict(progress.seconds)),
        seed=request.seed,
    )


def _two_sided(source: Source, request: _Request, progress: Any) -> InterpolativeDecomposition:
    """Column ID of A, then row ID of the chosen columns C, which have full rank.

    ||A - Z A[I, J] W|| <= ||A - C W|| + ||C - Z C[I]|| ||W||, the second term being rounding.
    """
    columns = _columns(source, request, Progress(progress, 3))
    J, W = columns
    C = np.asarray(
        columns.skeleton.toarray() if hasattr(columns.skeleton, "toarray") else columns.skeleton
    )
    inner = dataclasses.replace(
        request,
        goal=_Goal(columns.rank, 0.0, 0.0, False, "fro"),
        pivoting="lupp",
        sketch="auto",
        oversampling=None,
        block_size=None,
        coefficients="exact",
    )
    rows = _columns(as_source(as_array(C.T)), inner, Progress(None, 3))
    if rows.rank < columns.rank:  # the chosen columns are dependent: as many as there are rows
        goal = dataclasses.replace(request.goal, rank=rows.rank)
        fewer = _two_sided(source, dataclasses.replace(request, goal=goal), progress)
        return dataclasses.replace(fewer, stop_reason="exhausted")
    I, Zt = rows  # noqa: E741
    slack = rows.error.value * float(np.linalg.norm(W)) if columns.rank else 0.0
    certificate = dataclasses.replace(
        columns.error,
        value=columns.error.value + slack,
        upper=columns.error.upper + rows.error.upper * float(np.linalg.norm(W)),
    )
    if columns.error.value > 0:
        scale = certificate.value / columns.error.value
        certificate = dataclasses.replace(certificate, relative=columns.error.relative * scale)
    found = dataclasses.replace(
        columns,
        indices=(I, J),
        coefficients=(Zt.T, W),
        skeleton=C[I],
        axis=None,
        error=certificate,
        converged=_converged(request.goal, certificate),
    )
    return _warned(found, request.goal)
