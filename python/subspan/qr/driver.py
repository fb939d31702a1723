"""The routine `qr`: its arguments checked, its work handed on."""

from __future__ import annotations

from typing import Any

from .._array import library_of, to_caller
from .._progress import Progress
from .._rng import seed_word
from ..batch import as_batch, is_batch
from ..goal import as_goal
from ..interp.request import Request
from ..source import as_source
from .batch_qr import batch_qr
from .decomposition import PivotedQR
from .factors import factor


def qr(
    A: Any,
    rank: int | None = None,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    norm: str = "fro",
    pivoting: str = "auto",
    sketch: str | None = "auto",
    oversampling: int | None = None,
    block_size: int | None = None,
    rng: Any = None,
    progress: Any = None,
) -> PivotedQR:
    """Column-pivoted QR of A, truncated at a rank or tolerance: ``A[:, piv] ~ Q @ R``.

    Only k columns of Q and k rows of R are formed. At ``rank=min(m, n)`` it is the full
    factorization, the job of ``scipy.linalg.qr(A, pivoting=True, mode="economic")``.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (m, n)
        As for :func:`subspan.interpolative`; (..., m, n) is a batch.
    rank : int, optional
        Columns of Q, ``0 <= rank <= min(m, n)``.
    rtol, atol : float, optional
        Stop when ``||A[:, piv] - Q R|| <= max(rtol ||A||, atol)``. With a rank as well, whichever
        comes first. One of the three is required.
    norm : {"fro", "spectral"}
        Norm of the tolerance and of the certificate. With "spectral" the choice of columns still
        stops on the Frobenius norm of the error, which is never smaller.
    pivoting : str
        How columns are chosen: a method of :func:`subspan.pivots`, or "blocked", blocked pivoted QR
        of a working copy of A with pivots from an updated sketch. "auto": "blocked" if the rank is
        more than half of ``min(m, n)``, so that Q and R are as large as A anyway (and A is no
        operator and not very tall); else "cpqr" (of a sketch) at a fixed rank, "greedy" to a
        tolerance ("lupp" for operators). At a fixed rank small matrices are left to LAPACK.
    sketch : str or None
        As for :func:`subspan.interpolative`; "blocked" has a Gaussian one.
    oversampling : int, optional
        Rows of the sketch beyond the rank (default 30), for "blocked" beyond the block (10).
    block_size : int, optional
        Columns per round of an adaptive, blockwise or blocked method.
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional
        True for a bar; a callable receives ``(done, total, info)``.

    Returns
    -------
    PivotedQR
        ``Q, R, piv = r``: Q (m, k) orthonormal; R (k, n) upper trapezoidal, its diagonal real and
        not negative, unlike LAPACK's; piv a permutation of all n columns. If a truncated A has
        numerical rank below k, so has the result; "blocked" always gives k columns, the last rows
        of R being rounding. In a batch every matrix has k columns: where columns beyond its numerical
        rank are asked for, those of Q are any that complete the others orthonormally, and the rows of R
        are zero.

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
    "cpqr": 2 readings of A and a gather of k columns, ``2 m n k + O((m + n) k^2)`` flops; A is never
    copied and extra memory is ``O((m + n) k)``. To a tolerance: ``2 m n k`` flops, the error exact.
    "blocked": a working copy of A and ``8/3 n^3`` flops for a square A, nearly all in matrix products.
    The diagonal of R follows that of LAPACK's closely, but need not decrease.

    References
    ----------
    Voronin and Martinsson, Adv. Comput. Math. 43 (2017) (pivots from a sketch); Martinsson,
    Quintana-Orti, Heavner, van de Geijn, SIAM J. Sci. Comput. 39 (2017) (blocked); Fan, Guo, Lin,
    arXiv 2111.11148 (preconditioned Cholesky-QR).

    Examples
    --------
    >>> import numpy as np, subspan
    >>> A = np.vander(np.linspace(1, 2, 50), 20)
    >>> r = subspan.qr(A, rtol=1e-6, rng=0)
    >>> Q, R, piv = r
    >>> bool(np.linalg.norm(A[:, piv] - Q @ R) <= 1e-6 * np.linalg.norm(A)), r.rank < 10
    (True, True)
    """
    batch = as_batch(A) if is_batch(A) else None
    source = as_source(A if batch is None else batch.sample)
    goal = as_goal("qr", source.shape, source.dtype, rank, rtol, atol, norm)
    request = Request(goal, pivoting, sketch, oversampling, block_size, "auto", seed_word(rng))
    if batch is not None:
        return to_caller(batch_qr(batch, request, Progress(progress, 1)), library_of(A))
    work = Progress(progress, 3)
    with source.heard_by(work.block):
        found = factor(source, request, work)
    if not found.converged:
        goal.warn_unmet(found.rank, found.error)
    return to_caller(found, source.library)
