"""The routine `cur`: its arguments checked, its work handed on."""

from __future__ import annotations

from typing import Any

from .._array import to_caller
from .._progress import Progress
from .._rng import seed_word
from ..goal import as_goal
from ..interp.request import Request
from ..source import as_source
from .decomposition import CURDecomposition
from .factors import CORES, factor


def cur(
    A: Any,
    rank: int | None = None,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    norm: str = "fro",
    pivoting: str = "auto",
    sketch: str | None = "auto",
    oversampling: int | None = None,
    core: str = "stable",
    rng: Any = None,
    progress: Any = None,
) -> CURDecomposition:
    """Write A in terms of k of its own columns and k of its own rows: ``A ~ C @ U @ R``.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (m, n)
        As for :func:`subspan.interpolative`.
    rank : int, optional
        Columns and rows to choose, ``0 <= rank <= min(m, n)``.
    rtol, atol : float, optional
        Stop when ``||A - approximation|| <= max(rtol ||A||, atol)``. With a rank as well, whichever
        comes first. One of the three is required.
    norm : {"fro", "spectral"}
        Norm of the tolerance and of the certificate. With "spectral" the choice of columns still
        stops on the Frobenius norm of their error, which is never smaller.
    pivoting, sketch, oversampling
        How columns are chosen, as for :func:`subspan.interpolative`.
    core : {"stable", "cross", "id"}
        "stable": ``U = C^+ A R^+``, the best for the chosen columns and rows; one product with A.
        "cross": the pseudo-inverse of ``A[rows][:, columns]``, singular values below ``k eps`` of
        the largest dropped; no product with A, and an error that may be many times the best.
        "id": ``U = W R^+`` for the coefficients W of a column ID by least squares on the sketch
        (the exact ones if `pivoting` makes no sketch: the same as "stable"); no product with A.
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional
        True for a bar; a callable receives ``(done, total, info)``.

    Returns
    -------
    CURDecomposition
        ``C, U, R = r``; ``r.columns``, ``r.rows``. C and R are slices of A, sparse for sparse A.
        ``r @ x`` and ``r.toarray()`` never use U, which is computed when asked for.

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
    With ``C = Q_C R_C`` and ``R^H = Q_R R_R`` the approximation is kept as ``Q_C M Q_R^H``; for the
    stable core ``M = Q_C^H A Q_R`` and ``||A - Q_C M Q_R^H||_F^2 = ||A||_F^2 - ||M||_F^2``, at most the
    sum of the squared errors of the columns and of the rows, whatever these are. Rows are those that
    LU with partial pivoting chooses in C. To a tolerance, columns are chosen to ``1 / sqrt(2)`` of it;
    if the whole misses it then, they are chosen anew to less.

    A column ID's cost and ``O((m + n) k^2)`` flops beside: two readings of A and the gathering of k
    columns and rows. Extra memory ``O((m + n) k)``, dense; a sparse A is held in both orders.

    References
    ----------
    Stewart, Numer. Math. 83 (1999) (the core); Dong and Martinsson, Adv. Comput. Math. 49 (2023), arXiv
    2104.05877 (columns and rows by LUPP).

    Examples
    --------
    >>> import numpy as np, subspan
    >>> A = np.vander(np.linspace(1, 2, 50), 20)
    >>> r = subspan.cur(A, rtol=1e-6, rng=0)
    >>> C, U, R = r
    >>> bool(np.array_equal(C, A[:, r.columns])), bool(np.array_equal(R, A[r.rows]))
    (True, True)
    >>> bool(np.linalg.norm(A - r.toarray()) <= 1e-6 * np.linalg.norm(A)), r.rank < 10
    (True, True)
    """
    if not isinstance(core, str) or core not in CORES:
        raise ValueError(f"core={core!r} is not known; expected one of {CORES}")
    source = as_source(A)
    goal = as_goal("cur", source.shape, source.dtype, rank, rtol, atol, norm)
    coefficients = "osid" if core == "id" and pivoting != "strong" else "auto"
    request = Request(goal, pivoting, sketch, oversampling, None, coefficients, seed_word(rng))
    work = Progress(progress, 4)
    with source.heard_by(work.block):
        found = factor(source, request, core, work)
    if not found.converged:
        goal.warn_unmet(found.rank, found.error)
    return to_caller(found, source.library)
