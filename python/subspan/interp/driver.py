"""The routine `interpolative`: its arguments checked, its work handed on."""

from __future__ import annotations

from typing import Any

from .._array import library_of, to_caller, to_host
from .._progress import Progress
from .._rng import seed_word
from ..batch import as_batch, is_batch
from ..foreign import is_foreign
from ..goal import as_goal
from ..source import as_source
from .batch_id import batch_id
from .columns import column_id
from .decomposition import InterpolativeDecomposition
from .request import COEFFICIENTS, Request
from .two_sided import two_sided


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
    A : array, sparse matrix, LinearOperator, chunks, array on disk or Dask array, shape (m, n)
        A dense array of shape (..., m, n) is a batch: all its matrices are decomposed at one rank, with
        one seed, in one call; results have the same leading dimensions.
        Also a CPU tensor of PyTorch (dense or sparse; gradients are not followed) or an array of JAX
        or of another library that follows the array API standard: results are theirs.
        float32, float64, complex64 or complex128 are computed as they are; integers, bools and half
        precision are promoted (a copy). Any order, read-only, strided with a leading dimension or
        memory-mapped: no copy; other strides: one copy. An A whose squares would overflow or
        underflow is scaled by a power of two (a copy). Larger than memory: :func:`subspan.chunks`, an
        ``h5py.Dataset``, a ``zarr.Array`` or a Dask array; "auto" then chooses what takes few passes.
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
    if axis not in (0, 1, None) or isinstance(axis, bool):
        raise ValueError(f"axis={axis!r} must be 1, 0 or None")
    if coefficients not in COEFFICIENTS:
        raise ValueError(
            f"coefficients={coefficients!r} is not known; expected one of {COEFFICIENTS}"
        )
    batch = None
    if is_batch(A):
        host = to_host(A)
        batch = as_batch(host if axis == 1 else host.swapaxes(-2, -1))
    source = as_source(A) if batch is None else as_source(batch.sample)
    goal = as_goal("interpolative", source.shape, source.dtype, rank, rtol, atol, norm)
    request = Request(
        goal, pivoting, sketch, oversampling, block_size, coefficients, seed_word(rng)
    )
    if batch is not None:
        if is_foreign(pivoting, sketch):
            raise ValueError(f"pivoting={pivoting!r} with sketch={sketch!r} takes no batch")
        if axis is None:
            raise ValueError("axis=None is not available for a batch; expected 1 or 0")
        found = batch_id(batch, request, Progress(progress, 1))
        return to_caller(found if axis == 1 else found.T, library_of(A))
    if axis is None:
        found = two_sided(source, request, progress)
    elif axis == 1:
        found = column_id(source, request, Progress(progress, 3))
    else:
        found = column_id(source.transposed, request, Progress(progress, 3)).T
    if not found.converged:
        goal.warn_unmet(found.rank, found.error)
    return to_caller(found, source.library)
