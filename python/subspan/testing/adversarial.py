"""Matrices that mislead a pivoting rule, a sketch or careless arithmetic.

The conventions are those of `subspan.testing.matrices`.

References
----------
.. [RBRP] Dong, Chen, Martinsson, Pearce, "Robust blockwise random pivoting: fast and accurate
   adaptive interpolative decomposition", arXiv:2309.16002.
.. [LUPP] Pearce, Chen, Dong, Martinsson, "Adaptive parallelizable algorithms for interpolative
   decompositions via partially pivoted LU", arXiv:2310.09417.
.. [Kahan] Kahan, "Numerical linear algebra", Canad. Math. Bull. 9 (1966).
"""

from __future__ import annotations

import numpy as np

from .matrices import RNG, Matrix, known_spectrum


def kahan(n: int = 1000, *, zeta: float = 0.95, perturbation: float = 0.0) -> Matrix:
    """Kahan's upper triangular matrix: every column of norm one, yet nearly singular.

    ``diag(1, zeta, ..., zeta**(n-1)) @ (I - c * N)`` with `N` the strictly upper triangular
    matrix of ones and ``c = sqrt(1 - zeta**2)``. In exact arithmetic greedy pivoting sees
    only ties, keeps the natural order and overestimates the smallest singular value.

    Parameters
    ----------
    n : int
        Order.
    zeta : float
        In (0, 1).
    perturbation : float
        Adds ``perturbation * eps * (n - i)`` to entry ``(i, i)``, i from 0, which breaks the
        ties in favour of the natural order also in floating point; 25 is customary.

    Returns
    -------
    ndarray, shape (n, n)
        Deterministic.

    References
    ----------
    [Kahan]. [LUPP]: n = 1000, zeta 0.95.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import kahan
    >>> bool(np.allclose(np.linalg.norm(kahan(50), axis=0), 1))
    True
    """
    c = np.sqrt(1 - zeta**2)
    rows = (zeta ** np.arange(n))[:, np.newaxis]
    A: Matrix = rows * (np.eye(n) - c * np.triu(np.ones((n, n)), 1))
    A += np.diag(perturbation * np.finfo(np.float64).eps * np.arange(n, 0, -1.0))
    return A


def gmm(
    d: int = 500,
    n: int = 2000,
    *,
    clusters: int = 100,
    spread: float = 10.0,
    noise: float = 1.0,
    rng: RNG = None,
) -> Matrix:
    """Gaussian mixture whose far clusters swamp plain blockwise pivoting ("GMM").

    ``A = X.T``: column j is a point of R^d in cluster ``c = 1 + j * clusters // n``, drawn
    from ``N(spread * c * e_c, noise**2 * I)``; columns are sorted by cluster. Columns of one
    cluster are near-duplicates and the last clusters are the longest, so a block of the
    longest columns holds about one direction.

    Parameters
    ----------
    d : int
        Dimension, at least `clusters`.
    n : int
        Number of points (columns).
    clusters : int
        Number of clusters, of ``n / clusters`` columns each.
    spread, noise : float
        Cluster c is centred at ``spread * c * e_c`` with standard deviation `noise`.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray, shape (d, n)

    References
    ----------
    [RBRP]: d = 500, n = 2000; timings with d = 1000, n = 100 000.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import gmm
    >>> A = gmm(8, 12, clusters=3, noise=0, rng=0)
    >>> np.linalg.norm(A, axis=0).tolist()
    [10.0, 10.0, 10.0, 10.0, 20.0, 20.0, 20.0, 20.0, 30.0, 30.0, 30.0, 30.0]
    """
    rng = np.random.default_rng(rng)
    points = noise * rng.standard_normal((d, n))
    cluster = np.arange(n) * clusters // n
    points[cluster, np.arange(n)] += spread * (cluster + 1)
    return points


def duplicated_columns(
    m: int = 200, n: int = 300, *, copies: int = 10, decay: float = 0.9, rng: RNG = None
) -> Matrix:
    """Matrix in which every column occurs `copies` times, in random order.

    The distinct columns have singular values ``1, decay, decay**2, ...``; those of the
    result are ``sqrt(copies)`` times as large and its rank is ``min(m, n / copies)``.

    Parameters
    ----------
    m, n : int
        Shape; `n` must be a multiple of `copies`.
    copies : int
        Multiplicity of each column.
    decay : float
        Ratio of successive singular values.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray, shape (m, n)

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import duplicated_columns
    >>> A = duplicated_columns(8, 12, copies=3, rng=0)
    >>> np.unique(A, axis=1).shape, int(np.linalg.matrix_rank(A))
    ((8, 4), 4)
    """
    if n % copies:
        raise ValueError(f"n={n} must be a multiple of copies={copies}")
    rng = np.random.default_rng(rng)
    sigma = decay ** np.arange(min(m, n // copies))
    A = known_spectrum(m, n // copies, sigma, rng=rng)
    A = A[:, rng.permutation(np.repeat(np.arange(n // copies), copies))]
    return np.ascontiguousarray(A)


def heavy_column(m: int = 200, n: int = 300, *, factor: float = 1e8, rng: RNG = None) -> Matrix:
    """Spectrum ``1 / j`` with one random column multiplied by `factor`.

    Parameters
    ----------
    m, n : int
        Shape.
    factor : float
        Multiplier of the heavy column.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray, shape (m, n)

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import heavy_column
    >>> norms = np.sort(np.linalg.norm(heavy_column(20, 30, factor=1e6, rng=0), axis=0))
    >>> bool(norms[-1] > 1e4 * norms[-2])
    True
    """
    rng = np.random.default_rng(rng)
    A = known_spectrum(m, n, 1 / np.arange(1.0, min(m, n) + 1), rng=rng)
    A[:, rng.integers(n)] *= factor
    return A


def coherent(
    m: int = 1000, n: int = 500, *, rank: int = 50, noise: float = 1e-3, rng: RNG = None
) -> Matrix:
    """Identity block in a sea of noise: the dominant row and column spaces are coherent.

    A Gaussian matrix of standard deviation ``noise / sqrt(max(m, n))`` whose leading
    ``rank x rank`` block is replaced by the identity. CountSketch and uniform sampling of
    rows lose part of the leading subspace; Gaussian sketches do not.

    Parameters
    ----------
    m, n : int
        Shape.
    rank : int
        Order of the identity block.
    noise : float
        Spectral norm of the remainder, within a factor of two.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray, shape (m, n)

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import coherent
    >>> A = coherent(40, 30, rank=5, rng=0)
    >>> bool(np.array_equal(A[:5, :5], np.eye(5))), float(np.abs(A[5:]).max()) < 1e-3
    (True, True)
    """
    rng = np.random.default_rng(rng)
    A: Matrix = rng.standard_normal((m, n)) * (noise / np.sqrt(max(m, n)))
    A[:rank, :rank] = np.eye(rank)
    return A


def scaled_columns(
    m: int = 200, n: int = 300, *, exponent: float = 150.0, rng: RNG = None
) -> Matrix:
    """Gaussian columns scaled by ``10**e``, `e` evenly spaced on [-exponent, exponent].

    The scales are in random order. Squared entries over- or underflow float64 for exponents
    beyond about 150: norms have to be computed with scaling.

    Parameters
    ----------
    m, n : int
        Shape.
    exponent : float
        Largest exponent.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray, shape (m, n)

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import scaled_columns
    >>> largest = np.abs(scaled_columns(20, 30, rng=0)).max(axis=0)
    >>> bool(largest.max() > 1e149), bool(largest.min() < 1e-149)
    (True, True)
    """
    rng = np.random.default_rng(rng)
    scale = rng.permutation(10.0 ** np.linspace(-exponent, exponent, n))
    A: Matrix = rng.standard_normal((m, n)) * scale
    return A
