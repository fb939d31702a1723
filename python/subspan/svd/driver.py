"""The routine `svd`: its arguments checked, its work handed on."""

from __future__ import annotations

from typing import Any

from .._array import library_of, to_caller
from .._progress import Progress
from .._rng import seed_word
from ..batch import as_batch, is_batch
from ..goal import as_goal
from ..range_finder import RangeSettings, choose_range
from ..source import Source, as_source
from .accuracy import decompose_to_angles, require_accuracy_makes_sense
from .decomposition import SVDResult
from .many import decompose_batch
from .one_matrix import decompose
from .single_pass import single_pass

METHODS = ("auto", "subspace", "block_krylov", "single_pass", "full")
# A flop of the small dense singular value decomposition takes as long as so many of a product.
_SVD_FLOP = 4.0


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
    angles: bool | str = True,
    max_sine: float | None = None,
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
    method : {"auto", "subspace", "block_krylov", "single_pass", "full"}
        "subspace": randomized subspace iteration. "block_krylov": all powers of a narrower block, for a
        fixed rank. "single_pass": three sketches from one reading of A, see
        :class:`subspan.StreamingSketch`; less accurate, for a fixed rank, at least `rank` directions
        beyond it. "full": the whole decomposition by LAPACK, through QR for a tall A. "auto": "full"
        where it costs less than "subspace", "single_pass" where A can be read only once, else
        "subspace".
    sketch : str
        Test matrix, see :func:`subspan.range_finder`.
    angles : {True, False, "sharper"}
        Attach what the data at hand say of the canonical angles, ``r.angles``: no further pass, and no
        work until they are looked at. "sharper" multiplies A once more by the right vectors, for bounds
        that are several times smaller.
    max_sine : float, optional
        Go on until the returned vectors span the leading true subspaces to within this sine, as the
        estimates of ``r.angles`` have it: with more oversampling or more power iterations as
        :func:`subspan.angles.recommend` says, and the whole decomposition where that costs less. Needs a
        rank. ``r.angles.bound`` tells what is proved.
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
        If a tolerance or `max_sine` was given and is not met.

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
    if angles not in (True, False, "sharper"):
        raise ValueError(f"angles={angles!r} is not known; expected True, False or 'sharper'")
    if max_sine is not None:
        require_accuracy_makes_sense(max_sine, goal, method, batch is not None or source.once)
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known; expected one of {METHODS}")
    reasons: dict[str, str] = {}
    if method == "auto" and source.once:
        method, reasons["method"] = "single_pass", "A can be read only once"
    if method == "single_pass" and batch is None:
        found = single_pass(source, goal, oversampling, reasons, seed_word(rng), angles)
        return to_caller(found, source.library)
    finder = "subspace" if method == "auto" else method
    settings = choose_range(source, goal, oversampling, power_iterations, finder, sketch, reasons)
    if method == "auto" and full_is_cheaper(source, settings, goal.to_tolerance):
        settings.method = "full"
        reasons["method"] = "costs less than the passes of subspace iteration"
    seed, work = seed_word(rng), Progress(progress, 3)
    if batch is not None:
        return to_caller(decompose_batch(batch, goal, settings, seed, work), library_of(A))
    if max_sine is None:
        result = decompose(source, goal, settings, seed, work, angles)
    else:
        result = decompose_to_angles(source, goal, settings, seed, work, angles, max_sine)
    if not result.converged and max_sine is None:
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
