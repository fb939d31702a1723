"""Matrices with prescribed singular values and random singular vectors.

Conventions shared by every generator of `subspan.testing`:

* ``rng`` is an int, a `numpy.random.Generator`, a `numpy.random.SeedSequence` or ``None``;
  the same int gives the same matrix, and no global state is read or written.
* Singular values are listed in descending order and indices in formulas start at 1.
* Results are float64 or complex128, C-ordered and freshly allocated.
* Default sizes are those of the papers; `subspan.testing.MATRICES` has small versions.

References
----------
.. [RBRP] Dong, Chen, Martinsson, Pearce, "Robust blockwise random pivoting: fast and accurate
   adaptive interpolative decomposition", arXiv:2309.16002.
.. [LUPP] Pearce, Chen, Dong, Martinsson, "Adaptive parallelizable algorithms for interpolative
   decompositions via partially pivoted LU", arXiv:2310.09417.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Matrix: TypeAlias = npt.NDArray[Any]
RNG: TypeAlias = int | np.random.Generator | np.random.SeedSequence | None


def known_spectrum(
    m: int, n: int, sigma: npt.ArrayLike, *, dtype: npt.DTypeLike = np.float64, rng: RNG = None
) -> Matrix:
    """Random matrix ``U @ diag(sigma) @ Vh`` with exactly these singular values.

    Parameters
    ----------
    m, n : int
        Shape of the result.
    sigma : array_like, shape (r,)
        Nonnegative singular values, ``r <= min(m, n)``; the other ``min(m, n) - r`` are zero.
    dtype : {float64, complex128}
        Whether the orthonormal factors, Q factors of Gaussian matrices, are real or complex.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray, shape (m, n)
        Singular values agree with `sigma` to a few ``eps * max(sigma)``.

    Raises
    ------
    ValueError
        If `sigma` is not one-dimensional or longer than ``min(m, n)``.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import known_spectrum
    >>> A = known_spectrum(5, 4, [3, 2, 1], rng=0)
    >>> A.shape
    (5, 4)
    >>> bool(np.allclose(np.linalg.svd(A, compute_uv=False), [3, 2, 1, 0]))
    True
    """
    sigma = np.asarray(sigma, dtype=np.float64)
    if sigma.ndim != 1 or sigma.size > min(m, n):
        raise ValueError(
            f"sigma of shape {sigma.shape} must be one-dimensional "
            f"with at most min(m, n)={min(m, n)} entries"
        )
    rng = np.random.default_rng(rng)
    left = _orthonormal(m, sigma.size, dtype, rng)
    right = _orthonormal(n, sigma.size, dtype, rng)
    A: Matrix = (left * sigma) @ right.conj().T
    return A


def gaussian_poly(
    m: int = 1000,
    n: int = 1000,
    *,
    power: float = 1.0,
    leading: int = 100,
    floor: float = 1e-5,
    dtype: npt.DTypeLike = np.float64,
    rng: RNG = None,
) -> Matrix:
    """Polynomially decaying spectrum after a plateau ("Gaussian-poly").

    ``sigma = (1, ..., 1, max(floor, 2**-power), max(floor, 3**-power), ...)``: `leading` ones,
    then ``j**-power`` for ``j = 2, ..., r - leading + 1``, where ``r = min(m, n)``.

    Parameters
    ----------
    m, n : int
        Shape.
    power : float
        Decay; 1/2 (called "poly0" in [RBRP]), 1 and 2 are the published choices.
    leading : int
        Length of the plateau, ``leading <= min(m, n)``.
    floor : float
        Smallest singular value.
    dtype : {float64, complex128}
        Real or complex singular vectors.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray, shape (m, n)

    References
    ----------
    [RBRP]: m = n = 1000, leading 100. [LUPP]: m = n = 500, leading 20, power 1.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import gaussian_poly
    >>> A = gaussian_poly(6, 5, power=2, leading=2, rng=0)
    >>> np.linalg.svd(A, compute_uv=False).round(4).tolist()
    [1.0, 1.0, 0.25, 0.1111, 0.0625]
    """
    j = np.arange(2.0, min(m, n) - leading + 2)
    sigma = np.concatenate([np.ones(leading), np.maximum(floor, j**-power)])
    return known_spectrum(m, n, sigma, dtype=dtype, rng=rng)


def gaussian_exp(
    m: int = 1000,
    n: int = 1000,
    *,
    base: float = 0.8,
    leading: int = 100,
    floor: float = 1e-5,
    dtype: npt.DTypeLike = np.float64,
    rng: RNG = None,
) -> Matrix:
    """Exponentially decaying spectrum after a plateau ("Gaussian-exp").

    `leading` ones, then ``max(floor, base**j)`` for ``j = 1, ..., min(m, n) - leading``.

    Parameters
    ----------
    m, n : int
        Shape.
    base : float
        Ratio of successive singular values, in (0, 1).
    leading : int
        Length of the plateau, ``leading <= min(m, n)``.
    floor : float
        Smallest singular value.
    dtype : {float64, complex128}
        Real or complex singular vectors.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray, shape (m, n)

    References
    ----------
    [RBRP]: base 0.8, leading 100, m = n = 1000; studies of canonical angles use base 0.98,
    leading 20, m = n = 500.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import gaussian_exp
    >>> A = gaussian_exp(5, 6, base=0.5, leading=2, rng=0)
    >>> np.linalg.svd(A, compute_uv=False).round(4).tolist()
    [1.0, 1.0, 0.5, 0.25, 0.125]
    """
    j = np.arange(1.0, min(m, n) - leading + 1)
    sigma = np.concatenate([np.ones(leading), np.maximum(floor, base**j)])
    return known_spectrum(m, n, sigma, dtype=dtype, rng=rng)


def fast_decay(n: int = 1000, *, smallest: float = 1e-14, rng: RNG = None) -> Matrix:
    """Square matrix with ``sigma_j = smallest ** ((j - 1) / (n - 1))``.

    Parameters
    ----------
    n : int
        Order, at least 2.
    smallest : float
        Last singular value; the first is 1.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray, shape (n, n)

    References
    ----------
    [LUPP]: n = 1000 with 1e-14, n = 4096 with 1e-16.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import fast_decay
    >>> s = np.linalg.svd(fast_decay(5, smallest=1e-4, rng=0), compute_uv=False)
    >>> bool(np.allclose(s, [1, 1e-1, 1e-2, 1e-3, 1e-4]))
    True
    """
    return known_spectrum(n, n, smallest ** (np.arange(n) / (n - 1)), rng=rng)


def s_shaped(
    n: int = 1000, *, plateau: int = 100, smallest: float = 1e-14, rng: RNG = None
) -> Matrix:
    """Near-constant leading singular values followed by geometric decay.

    The first `plateau` values are uniform on (1, 1.01), sorted; then
    ``smallest ** ((j - 1) / (n - plateau - 1))`` for ``j = 1, ..., n - plateau``.

    Parameters
    ----------
    n : int
        Order, at least ``plateau + 2``.
    plateau : int
        Number of nearly equal leading singular values.
    smallest : float
        Last singular value.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray, shape (n, n)

    References
    ----------
    [LUPP]: n = 1000, plateau 100.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import s_shaped
    >>> s = np.linalg.svd(s_shaped(12, plateau=4, smallest=1e-7, rng=0), compute_uv=False)
    >>> bool(s[3] >= 1 - 1e-12 and s[0] <= 1.01), round(float(np.log10(s[-1])), 3)
    (True, -7.0)
    """
    rng = np.random.default_rng(rng)
    head = np.sort(1 + 0.01 * rng.random(plateau))[::-1]
    rest = n - plateau
    tail = smallest ** (np.arange(rest) / (rest - 1))
    return known_spectrum(n, n, np.concatenate([head, tail]), rng=rng)


def close_singular_values(
    n: int = 1000, *, rank: int = 20, gap: float = 1e-4, tail: float = 1e-3
) -> Matrix:
    """Diagonal matrix ``diag(1, ..., 1, 1 - gap, tail, ..., tail)``.

    Parameters
    ----------
    n : int
        Order, at least ``rank + 1``.
    rank : int
        Number of ones.
    gap : float
        Distance of the next singular value from one.
    tail : float
        The remaining ``n - rank - 1`` singular values.

    Returns
    -------
    ndarray, shape (n, n)
        Deterministic.

    References
    ----------
    Epperly, Tropp, "Efficient error and variance estimation for randomized matrix
    computations", SIAM J. Sci. Comput. 46 (2024).

    Examples
    --------
    >>> from subspan.testing import close_singular_values
    >>> close_singular_values(5, rank=2, gap=0.25, tail=0.5).diagonal().tolist()
    [1.0, 1.0, 0.75, 0.5, 0.5]
    """
    return np.diag(np.concatenate([np.ones(rank), [1 - gap], np.full(n - rank - 1, tail)]))


def _orthonormal(m: int, r: int, dtype: npt.DTypeLike, rng: np.random.Generator) -> Matrix:
    """Q factor of an (m, r) Gaussian matrix."""
    gaussian = rng.standard_normal((m, r))
    if np.issubdtype(dtype, np.complexfloating):
        gaussian = gaussian + 1j * rng.standard_normal((m, r))
    Q: Matrix = np.linalg.qr(gaussian)[0]
    return Q
