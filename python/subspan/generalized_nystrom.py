"""Low-rank approximation from two sketches that are linear in A: one-pass algorithms."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from . import _native
from . import error as _error
from ._array import as_rank, to_caller
from ._progress import Progress
from ._rng import seed_word
from .angles.subspaces import SubspaceAngles
from .config import blas_name
from .goal import as_goal
from .pivot import KIND_CODES, choose_sketch, in_range
from .result import Plan
from .source import Source, as_source
from .svd import SVDResult

PROBES = 16


@dataclasses.dataclass
class _Sizes:
    """Settings of one approximation; `reasons` says why."""

    omega: int
    psi: int
    sketch: str
    reasons: dict[str, str]


def generalized_nystrom(
    A: Any,
    rank: int,
    *,
    oversampling: int | None = None,
    sketch: str = "auto",
    rng: Any = None,
    progress: Any = None,
) -> SVDResult:
    """Approximate any A from two sketches, without going back to A: ``A ~ (A X) (Y A X)^+ (Y A)``.

    The cheapest route to a low-rank approximation, and the one for a matrix that is seen once. The
    error is a small multiple of the best; where A can be read again, :func:`subspan.svd` is more
    accurate.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (m, n)
    rank : int
        Singular triplets to keep, ``0 <= rank <= min(m, n)``.
    oversampling : int, optional
        Columns of the test matrix X beyond the rank; default ``rank // 2 + 10``. The other, Y, has half
        as many rows again as X has columns.
    sketch : str
        Kind of both, see :func:`subspan.range_finder`.
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional
        True for a bar; a callable receives ``(done, total, info)``.

    Returns
    -------
    SVDResult
        ``U, s, Vh = r``: the approximation as a singular value decomposition, truncated at `rank`;
        ``r.error`` is estimated from 16 Gaussian probes in the same reading.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is out of range or A is not finite.

    Notes
    -----
    With l columns of X and s = 1.5 l rows of Y: ``2 m n (l + s)`` flops for Gaussian sketches, two readings
    of A at the speed of memory for sparse ones, and ``O((m + n) l s)``. Both sketches are linear in A:
    one reading that makes both is enough for data that stream by. The factor ``Y A X`` is not inverted:
    with Q an orthonormal basis of ``A X``, ``(Y Q)^+`` is applied through its QR factorization, which is
    well conditioned whatever A is. Expected squared error about ``(1 + l / (s - l)) (1 + k / (l - k))``
    times the best of any rank k < l. Extra memory ``O(m l + n s)``.

    References
    ----------
    Clarkson and Woodruff, STOC 2009; Tropp, Yurtsever, Udell, Cevher, SIAM J. Matrix Anal. Appl. 38
    (2017), Alg. 7; Nakatsukasa, arXiv 2009.11392.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> A = np.vander(np.linspace(1, 2, 50), 20)
    >>> U, s, Vh = subspan.generalized_nystrom(A, 6, rng=0)
    >>> bool(np.linalg.norm(A - U * s @ Vh) <= 1e-4 * np.linalg.norm(A))
    True
    """
    source = as_source(A)
    goal = as_goal("generalized_nystrom", source.shape, source.dtype, rank, None, None, "fro")
    extra = (
        goal.rank // 2 + 10
        if oversampling is None
        else as_rank(oversampling, 2**22, "oversampling")
    )
    reasons: dict[str, str] = {}
    if sketch is None:
        raise ValueError("sketch=None is not possible here; two sketches are all that is seen of A")
    kind = choose_sketch(source, sketch, reasons)
    assert kind is not None
    omega = min(goal.rank + extra, *source.shape)
    psi = (3 * omega + 1) // 2
    if kind == "srht":  # the transform has no more rows; its order is at least m
        psi = min(psi, 1 << max(0, source.shape[0] - 1).bit_length())
    sizes = _Sizes(omega, psi, kind, reasons)
    seed, work = seed_word(rng), Progress(progress, 2)
    found, exponent = None, 0
    if goal.rank > 0:
        found, exponent = _find(source, sizes, seed, work)
    m, n, k = *source.shape, goal.rank
    if found is None:
        return _result(
            source,
            sizes,
            0,
            seed,
            work,
            U=np.eye(m, k, dtype=source.dtype),
            s=np.zeros(k, np.zeros(0, source.dtype).real.dtype),
            Vh=np.eye(k, n, dtype=source.dtype),
            error=_error.of_nothing(source, "fro", seed),
            stop_reason="rank" if k == 0 else "exhausted",
        )
    U = np.empty((m, k), source.dtype, order="F")
    Vh = np.empty((k, n), source.dtype)
    gram = np.empty((PROBES, PROBES), source.dtype)
    with work.stage("vectors"):
        found.vectors(U, Vh, gram)
    norm2 = found.norm2 if found.norm2 >= 0 else found.probe_norm2
    certificate = _error.from_probe_gram(gram, "fro", float(np.sqrt(norm2)))
    return _result(
        source,
        sizes,
        int(found.passes),
        seed,
        work,
        U=U,
        s=np.ldexp(found.singular_values()[:k], exponent),
        Vh=Vh,
        error=certificate.scaled(exponent),
        stop_reason="rank",
    )


def _find(source: Source, sizes: _Sizes, seed: int, progress: Progress) -> tuple[Any, int]:
    """Sketch A, whatever its scale, and solve the core; None if A is zero.

    Also returns the exponent of 2 that A was divided by.
    """
    try:
        return _run(source, sizes, seed, progress), 0
    except FloatingPointError:
        scaled, exponent = in_range(source)
    if scaled is source:
        return None, 0
    return _run(scaled, sizes, seed, progress), exponent


def _run(source: Source, sizes: _Sizes, seed: int, progress: Progress) -> Any:
    native = _native.module()
    m, n = source.shape
    code = KIND_CODES[sizes.sketch]

    def operator(size: int, dim: int, operand: int) -> Any:
        nnz = min(size, 1 if sizes.sketch == "countsketch" else 8)
        return native.SketchOperator(code, size, dim, nnz, seed, operand)

    with progress.stage("sketches and core"), source.heard_by(progress.block):
        return native.generalized_nystrom(
            source.native,
            source.transposed.native,
            omega=operator(sizes.omega, n, 0),
            psi=operator(sizes.psi, m, 4),
            probe=native.SketchOperator(0, PROBES, m, 1, seed, 1),
            want_norms=source.kind != "operator",
            progress=progress.poll,
        )


def _result(
    source: Source, sizes: _Sizes, passes: int, seed: int, progress: Progress, **found: Any
) -> SVDResult:
    choices = {
        "method": "generalized nystrom",
        "sketch": sizes.sketch,
        "sketch size": f"{sizes.omega} and {sizes.psi}",
        "probes": PROBES,
        "input": source.kind,
        "dtype": source.dtype.name,
        "device": "cpu",
        "blas": blas_name(),
    }
    angles = SubspaceAngles.of_approximation(found["s"], found["error"], source.shape, seed)
    result = SVDResult(
        angles=angles,
        converged=True,
        leave_one_out=float("nan"),
        history=(),
        plan=Plan(choices, sizes.reasons, passes, dict(progress.seconds)),
        seed=seed,
        **found,
    )
    return to_caller(result, source.library)
