"""Choosing columns (or rows): pivoting methods and leverage scores.

One table maps the public names to the compiled selections and says what each needs; `select` runs
one of them on a source.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._array import as_rank, to_caller
from ._rng import seed_word
from .extensions import PIVOTERS, SKETCHES, register_pivoter
from .sketch import KINDS
from .source import Source, as_source


@dataclasses.dataclass(frozen=True)
class Method:
    """What a pivoting method is made of.

    Attributes
    ----------
    native : str
        Name of the compiled selection at fixed rank.
    adaptive : str or None
        Name of the selection that stops at a tolerance.
    family : {"sketch", "blockwise", "subspace", "reference"}
        "sketch" and "subspace" look at a sketch; "blockwise" methods factor A itself and give
        optimal coefficients and the exact error; "reference" is slow.
    """

    native: str
    adaptive: str | None
    family: str


METHODS = {
    "lupp": Method("lupp", "lupp_adaptive", "sketch"),
    "cpqr": Method("sketched_cpqr", None, "sketch"),
    "cpqr_on_A": Method("plain_greedy", "plain_greedy", "blockwise"),
    "full_cpqr": Method("full_cpqr", None, "blockwise"),
    "blocked": Method("blocked", None, "blockwise"),  # of qr alone
    "rbrp": Method("rbrp", "rbrp", "blockwise"),
    "rp": Method("rp", "rp", "blockwise"),
    "brp": Method("brp", "brp", "blockwise"),
    "greedy": Method("greedy", "greedy", "blockwise"),
    "bgp": Method("plain_greedy", "plain_greedy", "blockwise"),
    "leverage": Method("leverage", None, "subspace"),
    "deim": Method("deim", None, "subspace"),
    "arp": Method("arp", None, "subspace"),
    "strong": Method("strong", None, "reference"),
}
register = register_pivoter
PIVOTERS.reserve((*METHODS, "auto"))
PIVOTING = tuple(name for name in METHODS if name not in ("cpqr_on_A", "full_cpqr", "blocked"))
KIND_CODES = {"gaussian": 0, "rademacher": 1, "sparse_sign": 2, "countsketch": 2, "srht": 3}
STOP_REASONS = ("rank", "tolerance", "exhausted")
_ADAPTIVE_BLOCK = 32
# Energy share at which the filter of the greedy method stops accepting: stricter than 1 / block, so
# that the picks stay within a few percent of those of pivoting one column at a time.
_GREEDY_FILTER = 0.3
_CPQR_OVERSAMPLING = 30
_CACHED_ENTRIES = 40_000
_STRONG_BOUND = 2.0  # largest coefficient that strong RRQR leaves


@dataclasses.dataclass
class Selection:
    """Settings of one selection, ``"auto"`` resolved; `reasons` says why."""

    pivoting: str
    rank: int
    atol: float = 0.0
    rtol: float = 0.0
    sketch: str | None = "sparse_sign"
    pivot_rows: int = 0
    sketch_size: int = 0
    block_size: int | None = None
    probes: int = 0
    reasons: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def method(self) -> Method:
        """The table entry."""
        return METHODS[self.pivoting]

    @property
    def to_tolerance(self) -> bool:
        """Whether a tolerance may stop the selection before the rank does."""
        return self.atol > 0 or self.rtol > 0

    def tolerance(self, norm2: float) -> float:
        """Return the largest error allowed, 0 for none; `norm2` is ``||A||_F^2``, negative if unknown."""
        if not self.to_tolerance or norm2 < 0:
            return 0.0
        return max(self.rtol * float(np.sqrt(norm2)), self.atol)


def choose_pivoting(
    source: Source, pivoting: str, sketch: str | None, tolerance: bool, reasons: dict[str, str]
) -> str:
    """Resolve ``pivoting="auto"`` and refuse what the source or the stopping rule cannot serve."""
    if pivoting == "auto":
        if tolerance and source.kind not in ("operator", "blocks"):
            reasons["pivoting"] = "the tolerance is tested against the exact residual"
            return "rbrp"
        if tolerance:
            reasons["pivoting"] = (
                "its rank grows by blocks, one reading of A each"
                if source.kind == "blocks"
                else "an operator gives products only; its rank grows by blocks"
            )
            return "lupp"
        reasons["pivoting"] = "near the pivots of column-pivoted QR of A, from a sketch"
        return "cpqr"
    if pivoting not in PIVOTING:
        raise ValueError(
            f"pivoting={pivoting!r} is not known; expected 'auto' or one of "
            f"{(*PIVOTING, *PIVOTERS.names())}"
        )
    if pivoting == "cpqr" and (sketch is None or (sketch == "auto" and tolerance)):
        if sketch == "auto":
            reasons["pivoting"] = "a tolerance needs pivoting on A itself"
        pivoting = "cpqr_on_A"
    if sketch is None and METHODS[pivoting].family in ("sketch", "subspace"):
        raise ValueError(
            f"sketch=None is not possible with pivoting={pivoting!r}; it needs a sketch"
        )
    if tolerance and METHODS[pivoting].adaptive is None:
        able = tuple(name for name in PIVOTING if METHODS[name].adaptive or name == "cpqr")
        raise ValueError(
            f"pivoting={pivoting!r} works at a fixed rank only; with rtol or atol choose one of {able}"
        )
    if source.kind == "blocks" and METHODS[pivoting].family == "reference":
        raise TypeError(f"pivoting={pivoting!r} needs all of A in memory, where this A is not")
    if source.kind == "operator" and METHODS[pivoting].family in ("blockwise", "reference"):
        raise TypeError(
            f"A is an operator and pivoting={pivoting!r} reads columns of A; choose 'lupp', 'cpqr' (with "
            "a sketch), 'leverage', 'deim' or 'arp'"
        )
    return pivoting


def choose_sketch(source: Source, sketch: str | None, reasons: dict[str, str]) -> str | None:
    """Resolve ``sketch="auto"``."""
    if sketch is None or (isinstance(sketch, str) and sketch in KINDS):
        if sketch == "srht" and source.kind != "dense":
            raise ValueError(f"sketch='srht' needs a dense A, got a {source.kind} one")
        return sketch
    if not isinstance(sketch, str) or sketch != "auto":
        raise ValueError(
            f"sketch={sketch!r} is not known; expected None, 'auto' or one of "
            f"{[*sorted(KINDS), *SKETCHES.names()]}"
        )
    if source.kind == "operator":
        reasons["sketch"] = "an operator is asked for products with dense vectors anyway"
        return "gaussian"
    reasons["sketch"] = "one reading of A, whatever the sketch size"
    return "sparse_sign"


def full_is_cheaper(source: Source, rank: int) -> bool:
    """Tell whether pivoted QR of A costs little more than that of the sketch to pivot on.

    It gives the factors, which else cost two more passes, with the pivots.
    """
    if source.kind not in ("dense", "sparse"):
        return False
    m, n = source.shape
    ratio = 4 if fits_in_cache(source) else 2  # where crossovers were measured
    return _qr_steps(m, n) <= ratio * _qr_steps(min(m, rank + _CPQR_OVERSAMPLING), n)


def fits_in_cache(source: Source) -> bool:
    """Tell whether A is so small that LAPACK's matrix-vector products run as fast as products of matrices."""
    m, n = source.shape
    return m * n <= _CACHED_ENTRIES


def _qr_steps(m: int, n: int) -> float:
    """A quarter of the flops of pivoted QR."""
    s = min(m, n)
    return m * n * s - (m + n) * s**2 / 2 + s**3 / 3


def choose_block(pivoting: str, rank: int, tolerance: bool, block_size: int | None) -> int:
    """Resolve ``block_size=None``: a quarter of the rank between 32 and 128, 32 if it is open."""
    if block_size is not None:
        block = as_rank(block_size, 2**31, "block_size")
        if block == 0:
            raise ValueError("block_size=0 must be at least 1")
        return block
    if pivoting == "cpqr_on_A":
        return 1
    if tolerance or pivoting in ("lupp", "greedy"):
        return _ADAPTIVE_BLOCK
    return min(128, max(_ADAPTIVE_BLOCK, rank // 4))


def size_sketch(
    source: Source, settings: Selection, oversampling: int | None = None, least: int = 0
) -> None:
    """Set how many generic sketch rows pivoting looks at, and how many rows are drawn.

    LUPP looks at exactly `rank` rows whatever is drawn; the others look at 30 more, or at
    `oversampling` more. Structured sketches are drawn more than twice as large and mixed. At least `least`
    rows are drawn.
    """
    if settings.method.family not in ("sketch", "subspace") or settings.sketch is None:
        return
    lupp = settings.pivoting == "lupp"
    extra = _CPQR_OVERSAMPLING if oversampling is None else oversampling
    settings.pivot_rows = settings.rank + (0 if lupp else extra)
    wanted = settings.rank + (oversampling or 0) if lupp else settings.pivot_rows
    drawn = max(wanted, least)
    if settings.sketch != "gaussian":
        drawn = max(drawn, 2 * settings.pivot_rows + 24)
    if settings.method.family == "subspace":  # an orthonormal basis has no more columns than that
        settings.pivot_rows = min(settings.pivot_rows, *source.shape)
    if settings.sketch == "srht":  # the transform has no more rows; its order is at least m
        drawn = min(drawn, 1 << max(0, source.shape[0] - 1).bit_length())
        settings.pivot_rows = min(settings.pivot_rows, drawn)
    settings.sketch_size = drawn


def native_variant(pivoting: str) -> float:
    """Return the one parameter that some compiled selections have."""
    return {"strong": _STRONG_BOUND, "greedy": _GREEDY_FILTER}.get(pivoting, -1.0)


def select(
    source: Source, settings: Selection, seed: int, poll: Any = None, *, keep_basis: bool = False
) -> Any:
    """Run a selection; returns the compiled skeleton, with the basis that a blockwise method made."""
    native = _native.module()
    kind = settings.sketch if settings.sketch is not None else "gaussian"
    tolerance = settings.to_tolerance
    block = choose_block(settings.pivoting, settings.rank, tolerance, settings.block_size)
    name = settings.method.adaptive if tolerance else settings.method.native
    m = source.shape[0]
    # An adaptive method draws its own numbers of rows: the size of its operator is not used.
    nnz = 1 if kind == "countsketch" else 8
    size = max(settings.sketch_size, nnz if tolerance else 1)
    op = native.SketchOperator(KIND_CODES[kind], size, m, min(nnz, size), seed, 0)
    probe = native.SketchOperator(0, settings.probes, m, 1, seed, 1)
    return native.select(
        source.native,
        name,
        rank=settings.rank,
        tolerance=settings.atol,
        relative=settings.rtol,
        block=block,
        fixed_block=settings.block_size is not None,
        sketch=op,
        pivot_rows=settings.pivot_rows,
        probe=probe,
        seed=seed,
        want_norms=source.kind != "operator",
        variant=native_variant(settings.pivoting),
        keep_basis=keep_basis,
        progress=poll,
    )


def in_range(source: Source) -> tuple[Source, int]:
    """Return a source whose squares are in range, and the exponent of 2 that A was divided by.

    Called when the compiled selection reports a sum of squares that is zero, infinite or NaN.
    Raises ValueError for entries that are NaN or infinite. Returns the source itself if A is zero.
    """
    largest = source.magnitude()
    if largest == 0:
        return source, 0
    exponent = int(np.frexp(largest)[1])
    return source.scaled(-exponent), exponent


def pivots(
    A: Any,
    k: int,
    *,
    pivoting: str = "lupp",
    axis: int = 1,
    sketch: str | None = "auto",
    block_size: int | None = None,
    rng: Any = None,
) -> NDArray[np.int64]:
    """Indices of k columns (or rows) that span A well, and nothing else.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator, chunks, array on disk or Dask array, shape (m, n)
    k : int
        ``0 <= k <= min(m, n)``.
    pivoting : str
        "lupp" (LU with partial pivoting of a sketch), "cpqr" (column-pivoted QR of a sketch; of A
        itself with ``sketch=None``), "rbrp" (robust blockwise random pivoting), "rp" (random
        pivoting with the law of the sequential method), "brp" and "bgp" (blockwise random and
        greedy without the filter, for comparison), "greedy" (blockwise greedy with the filter),
        "leverage", "deim", "arp" (adaptive randomized pivoting), "strong" (strong RRQR, slow), or a
        name that :func:`subspan.pivot.register` or another package made known.
    axis : {1, 0}
        1 chooses columns, 0 rows.
    sketch : str or None
        Sketch operator; "auto" is sparse sign. Also a name of :func:`subspan.sketch.register`.
    block_size : int, optional
        Columns per round of a blockwise method.
    rng : int, numpy.random.Generator or None

    Returns
    -------
    array of int64, shape (k,)
        Distinct, in the order chosen. If A has numerical rank below k, the rest is arbitrary.

    Raises
    ------
    ValueError
        If `k`, `pivoting`, `sketch` or `axis` is out of range or A is not finite.

    Notes
    -----
    "lupp": one reading of A and ``n k^2`` flops (arXiv 2310.09417). "rbrp": about k/block_size
    readings, ``2 m n k`` flops (arXiv 2309.16002).

    Examples
    --------
    >>> import numpy as np, subspan
    >>> A = np.zeros((5, 4))
    >>> A[:, 2] = 1.0
    >>> subspan.pivots(A, 1, rng=0)
    array([2])
    """
    if axis not in (0, 1):
        raise ValueError(f"axis={axis!r} must be 0 or 1")
    source = as_source(A) if axis == 1 else as_source(A).transposed
    k = as_rank(k, min(source.shape), "k", source.shape)
    reasons: dict[str, str] = {}
    if PIVOTERS.find(pivoting) is not None or SKETCHES.find(sketch) is not None:
        from .foreign import foreign_pivots

        chosen, _ = foreign_pivots(source, k, pivoting, sketch, seed_word(rng), reasons)
        return to_caller(chosen, source.library)
    name = choose_pivoting(source, pivoting, sketch, False, reasons)
    kind = choose_sketch(source, sketch, reasons)
    seed = seed_word(rng)
    if k == 0:
        return to_caller(np.empty(0, np.int64), source.library)
    settings = Selection(name, k, sketch=kind, block_size=block_size)
    size_sketch(source, settings)
    try:
        skeleton = select(source, settings, seed)
    except FloatingPointError:
        scaled, _ = in_range(source)
        if scaled is source:
            return to_caller(np.arange(k, dtype=np.int64), source.library)
        skeleton = select(scaled, settings, seed)
    return to_caller(np.array(skeleton.permutation[:k]), source.library)


def leverage_scores(A: Any, rank: int | None = None, *, axis: int = 0) -> NDArray[np.float64]:
    """Leverage scores of the rows (or columns) of A: squared row norms of an orthonormal basis.

    Parameters
    ----------
    A : array, shape (m, n)
    rank : int, optional
        Scores of the leading singular subspace of this dimension; by default the numerical rank.
    axis : {0, 1}
        0 scores rows, 1 columns.

    Returns
    -------
    array of float64, shape (m,) or (n,)
        Between 0 and 1; they sum to the rank.

    Raises
    ------
    ValueError
        If `rank` or `axis` is out of range or A is not finite.

    Notes
    -----
    By a thin singular value decomposition: ``O(m n min(m, n))`` flops and a copy of A. Mahoney and
    Drineas, PNAS 106 (2009).

    Examples
    --------
    >>> import numpy as np, subspan
    >>> subspan.leverage_scores(np.eye(3)[:, :2]).tolist()
    [1.0, 1.0, 0.0]
    """
    if axis not in (0, 1):
        raise ValueError(f"axis={axis!r} must be 0 or 1")
    source = as_source(A)
    if source.kind != "dense":
        raise TypeError(f"leverage_scores needs a dense array, got a {source.kind} matrix")
    source.magnitude()
    matrix = source.matrix if axis == 0 else source.matrix.T
    if rank is not None:
        rank = as_rank(rank, min(source.shape), "rank", source.shape)
    if matrix.size == 0:
        return to_caller(np.zeros(matrix.shape[0]), source.library)
    U, s, _ = np.linalg.svd(matrix, full_matrices=False)
    if rank is None:
        rank = int((s > s[0] * max(matrix.shape) * np.finfo(s.dtype).eps).sum())
    scores = np.asarray((np.abs(U[:, :rank]) ** 2).sum(axis=1), np.float64)
    return to_caller(scores, source.library)
