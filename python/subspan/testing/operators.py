"""Test matrices from applications: sparse factors, graphs and integral operators.

The conventions are those of `subspan.testing.matrices`. SciPy is imported by the functions
that need it, never with the module.

References
----------
.. [RBRP] Dong, Chen, Martinsson, Pearce, "Robust blockwise random pivoting: fast and accurate
   adaptive interpolative decomposition", arXiv:2309.16002.
.. [Simpler] Dong, Martinsson, "Simpler is better: a comparative study of randomized pivoting
   algorithms for CUR and interpolative decompositions", arXiv:2104.05877.
.. [SE] Sorensen, Embree, "A DEIM induced CUR factorization", SIAM J. Sci. Comput. 38 (2016).
.. [Deserno] Deserno, "How to generate equidistributed points on the surface of a sphere" (2004).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .matrices import RNG, Matrix


def snn(
    m: int = 1000,
    n: int = 1000,
    *,
    leading: int = 100,
    scale: float = 10.0,
    tail: float = 1.0,
    density: float = 0.1,
    sparse: bool = False,
    rng: RNG = None,
) -> Any:
    """Sparse non-negative matrix with a jump in its spectrum ("SNN").

    ``A = sum_j w_j x_j y_j.T`` over ``j = 1, ..., min(m, n)`` with sparse vectors whose
    nonzeros are uniform on (0, 1); ``w_j = scale / j`` for ``j <= leading`` and ``tail / j``
    after.

    Parameters
    ----------
    m, n : int
        Shape.
    leading : int
        Number of terms with the large weight.
    scale, tail : float
        Weights before and after the jump.
    density : float
        Fraction of nonzeros in the factors.
    sparse : bool
        Return a `scipy.sparse.csr_array` with the same entries, up to rounding.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray or scipy.sparse.csr_array, shape (m, n)
        Nonnegative float64.

    References
    ----------
    [RBRP]: m = n = 1000, scale 10 or 1. [Simpler]: leading 100, scale 2, density 1e-3.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import snn
    >>> A = snn(40, 30, leading=5, density=0.05, rng=0)
    >>> bool(A.min() >= 0), A.shape
    (True, (40, 30))
    >>> S = snn(40, 30, leading=5, density=0.05, sparse=True, rng=0)
    >>> bool(np.allclose(S.toarray(), A))
    True
    """
    j = np.arange(1, min(m, n) + 1)
    weights = np.where(j <= leading, scale, tail) / j
    return _sum_of_sparse_outer_products(m, n, weights, density, sparse, rng)


def controlled_gap(
    m: int = 1000,
    n: int = 300,
    *,
    rank: int = 10,
    gap: float = 2.0,
    density: float = 0.025,
    sparse: bool = False,
    rng: RNG = None,
) -> Any:
    """Sum of sparse outer products with a gap after `rank` terms.

    ``A = sum_j f_j x_j y_j.T`` over ``j = 1, ..., min(m, n)`` with ``f_j = gap / j`` for
    ``j <= rank`` and ``1 / j`` after.

    Parameters
    ----------
    m, n : int
        Shape.
    rank : int
        Position of the gap.
    gap : float
        Size of the gap; 1 is none.
    density : float
        Fraction of nonzeros, uniform on (0, 1), in the factors.
    sparse : bool
        Return a `scipy.sparse.csr_array`.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray or scipy.sparse.csr_array, shape (m, n)

    References
    ----------
    [SE]; Saibaba, "Randomized subspace iteration: analysis of canonical angles and unitarily
    invariant norms", arXiv:1804.02614.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import controlled_gap
    >>> s = np.linalg.svd(controlled_gap(gap=1000, rng=0), compute_uv=False)
    >>> bool(s[9] > 10 * s[10])
    True
    """
    j = np.arange(1, min(m, n) + 1)
    weights = np.where(j <= rank, gap, 1.0) / j
    return _sum_of_sparse_outer_products(m, n, weights, density, sparse, rng)


def snn_operator(
    m: int = 1_000_000, n: int = 1_000_000, *, inner: int = 400, rng: RNG = None
) -> Any:
    """Sparse non-negative matrix held as two thin sparse factors, never formed ("SNN-1e6").

    ``A = X @ diag(w) @ Y`` with `X` of shape (m, inner) and `Y` of shape (inner, n), about two
    nonzeros to each row of `X` and column of `Y`, and ``w_j = 2**(-16 j / inner)``, doubled
    for ``j <= inner / 4``.

    Parameters
    ----------
    m, n : int
        Shape.
    inner : int
        Number of terms, at least 2; bounds the rank.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    scipy.sparse.linalg.LinearOperator, shape (m, n)
        Memory for about ``2 * (m + n)`` nonzeros.

    References
    ----------
    [Simpler]: m = n = 10**6, inner 400.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import snn_operator
    >>> A = snn_operator(1000, 800, inner=16, rng=0)
    >>> A.shape, (A @ np.ones((800, 2))).shape, (A.H @ np.ones(1000)).shape
    ((1000, 800), (1000, 2), (800,))
    """
    from scipy.sparse.linalg import aslinearoperator

    rng = np.random.default_rng(rng)
    j = np.arange(1, inner + 1)
    weights = 2.0 ** (-16 * j / inner) * np.where(4 * j <= inner, 2, 1)
    left = _sparse_uniform(m, inner, 2 / inner, True, rng)
    right = _sparse_uniform(inner, n, 2 / inner, True, rng)
    return aslinearoperator((left * weights).tocsr()) @ aslinearoperator(right)


def weighted_laplacian(
    n: int = 1000, *, edges: int = 4000, sparse: bool = False, rng: RNG = None
) -> Any:
    """Laplacian ``D - W`` of a random graph with uniform edge weights.

    Parameters
    ----------
    n : int
        Number of vertices.
    edges : int
        Number of distinct edges, at most ``n * (n - 1) / 2``, with weights uniform on (0, 1).
    sparse : bool
        Return a `scipy.sparse.csr_array`.
    rng : int, Generator, SeedSequence or None
        Seed.

    Returns
    -------
    ndarray or scipy.sparse.csr_array, shape (n, n)
        Symmetric positive semidefinite; rows sum to zero up to rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.testing import weighted_laplacian
    >>> L = weighted_laplacian(30, edges=60, rng=0)
    >>> bool(np.allclose(L.sum(axis=0), 0)), int(np.count_nonzero(np.triu(L, 1)))
    (True, 60)
    """
    rng = np.random.default_rng(rng)
    i, j = np.triu_indices(n, 1)
    edge = rng.choice(i.size, size=edges, replace=False, shuffle=False)
    i, j, weight = i[edge], j[edge], rng.random(edges)
    rows, columns = np.concatenate([i, j, i, j]), np.concatenate([j, i, i, j])
    values = np.concatenate([-weight, -weight, weight, weight])
    if sparse:
        from scipy.sparse import coo_array

        return coo_array((values, (rows, columns)), shape=(n, n)).tocsr()
    L = np.zeros((n, n))
    np.add.at(L, (rows, columns), values)
    return L


def helmholtz3d(
    targets: int = 4000, *, nodes: int = 20, wavenumber: float = 5.5, radius: float = 3.0
) -> Matrix:
    """Helmholtz potentials on a sphere due to sources in a cube; complex.

    ``A[i, j] = w_j exp(1j * wavenumber * rho) / (4 pi rho)``, ``rho = |x_i - y_j|``, where the
    y are a tensor Clenshaw-Curtis grid on [-1, 1]^3 with product weights w, and the x are
    equidistributed on the sphere about the origin.

    Parameters
    ----------
    targets : int
        Wanted number of points on the sphere; the construction gives nearly as many.
    nodes : int
        Clenshaw-Curtis nodes to a side, at least 2.
    wavenumber, radius : float
        Wavenumber, and radius of the sphere (greater than sqrt(3)).

    Returns
    -------
    ndarray, shape (about targets, nodes**3), complex128
        Deterministic.

    References
    ----------
    [Simpler]; sphere: [Deserno]. 4000 targets and 20 nodes.

    Examples
    --------
    >>> from subspan.testing import helmholtz3d
    >>> A = helmholtz3d(100, nodes=4)
    >>> A.shape, A.dtype.name
    ((99, 64), 'complex128')
    """
    x, w = _clenshaw_curtis(nodes)
    sources = np.stack(np.meshgrid(x, x, x, indexing="ij"), axis=-1).reshape(-1, 3)
    weights = np.einsum("i,j,k->ijk", w, w, w).ravel()
    rho = np.linalg.norm(radius * _sphere(targets)[:, np.newaxis] - sources, axis=-1)
    potentials: Matrix = np.exp(1j * wavenumber * rho) / (4 * np.pi * rho) * weights
    return potentials


def bie2d(
    kernel: Literal["laplace", "helmholtz"] = "laplace",
    *,
    panels: int = 800,
    nodes: int = 10,
    wavenumber: float = 25.0,
) -> Matrix:
    """Interaction of the two halves of a star-shaped contour in the plane.

    The contour ``gamma(t)``, t in [0, 1], is cut into equal panels with Gauss-Legendre nodes.
    With ``N = panels * nodes`` points, quadrature weights ``w`` (times ``|gamma'|``) and
    outward unit normals, the N x N matrix has entries ``K(x_i, y_j) * sqrt(w_i * w_j)``; its
    upper right quarter is returned. Rows belong to the first half of the contour, columns to
    the second. For ``d = |y - x|`` and ``c = normal(y) . (y - x)``,

    * laplace: ``K = -c / (2 pi d**2) - log(d) / (2 pi)``;
    * helmholtz: ``K = -(1j * kappa / 4) * H1(kappa d) * c / d - 1j * kappa * H0(kappa d)``.

    No quadrature correction is made where the halves touch.

    Parameters
    ----------
    kernel : {"laplace", "helmholtz"}
        Combined single and double layer of this equation.
    panels : int
        Number of panels, even.
    nodes : int
        Nodes to a panel.
    wavenumber : float
        ``kappa``, for ``kernel="helmholtz"``.

    Returns
    -------
    ndarray, shape (N / 2, N / 2), float64 or complex128
        Deterministic.

    References
    ----------
    [Simpler]: 800 panels of 10 nodes, wavenumber 25.

    Examples
    --------
    >>> from subspan.testing import bie2d
    >>> A = bie2d(panels=20, nodes=5)
    >>> A.shape, A.dtype.name
    ((50, 50), 'float64')
    """
    if panels % 2:
        raise ValueError(f"panels={panels} must be even")
    if kernel not in ("laplace", "helmholtz"):
        raise ValueError(f"kernel={kernel!r} must be 'laplace' or 'helmholtz'")
    reference, weight = np.polynomial.legendre.leggauss(nodes)
    t = ((np.arange(panels)[:, np.newaxis] + (reference + 1) / 2) / panels).ravel()
    points, velocity = _star(t)
    speed = np.hypot(velocity[0], velocity[1])
    normal = np.stack([velocity[1], -velocity[0]]) / speed
    root = np.sqrt(np.tile(weight / (2 * panels), panels) * speed)

    x, y = np.split(np.arange(t.size), 2)
    difference = points[:, np.newaxis, y] - points[:, x, np.newaxis]
    d = np.hypot(difference[0], difference[1])
    c = np.einsum("dj,dij->ij", normal[:, y], difference)
    if kernel == "laplace":
        K: Matrix = -c / (2 * np.pi * d**2) - np.log(d) / (2 * np.pi)
    else:
        from scipy.special import hankel1

        double_layer = -0.25j * wavenumber * hankel1(1, wavenumber * d) * c / d
        K = double_layer - 1j * wavenumber * hankel1(0, wavenumber * d)
    K *= root[x, np.newaxis] * root[y]
    return K


def _sparse_uniform(m: int, n: int, density: float, sparse: bool, rng: np.random.Generator) -> Any:
    """(m, n) matrix with ``round(density * m * n)`` entries uniform on (0, 1) at random places."""
    count = min(m * n, round(density * m * n))
    place = np.sort(rng.choice(m * n, size=count, replace=False, shuffle=False))
    values = rng.random(count)
    if sparse:
        from scipy.sparse import coo_array

        return coo_array((values, np.divmod(place, n)), shape=(m, n)).tocsr()
    A = np.zeros(m * n)
    A[place] = values
    return A.reshape(m, n)


def _sum_of_sparse_outer_products(
    m: int,
    n: int,
    weights: npt.NDArray[np.float64],
    density: float,
    sparse: bool,
    rng: RNG,
) -> Any:
    """``X @ diag(weights) @ Y`` with sparse random X and Y."""
    rng = np.random.default_rng(rng)
    X = _sparse_uniform(m, weights.size, density, sparse, rng)
    Y = _sparse_uniform(weights.size, n, density, sparse, rng)
    return (X * weights) @ Y


def _clenshaw_curtis(n: int) -> tuple[Matrix, Matrix]:
    """Nodes ``cos(pi j / (n - 1))`` and weights of Clenshaw-Curtis quadrature on [-1, 1]."""
    N = n - 1
    theta = np.pi * np.arange(n) / N
    k = np.arange(1, N // 2 + 1)
    b = np.where(2 * k == N, 1.0, 2.0) / (4.0 * k**2 - 1)
    weights = (1 - np.cos(2 * np.outer(theta, k)) @ b) * (2 / N)
    weights[[0, -1]] /= 2
    return np.cos(theta), weights


def _sphere(count: int) -> Matrix:
    """About `count` equidistributed points of the unit sphere, shape (count', 3)."""
    area = 4 * np.pi / count
    rings = round(np.pi / np.sqrt(area))
    d_phi = area / (np.pi / rings)
    points = []
    for theta in np.pi * (np.arange(rings) + 0.5) / rings:
        phi = np.arange(round(2 * np.pi * np.sin(theta) / d_phi))
        phi = 2 * np.pi * phi / phi.size
        ring = [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi)]
        points.append(np.stack([*ring, np.full(phi.size, np.cos(theta))], axis=-1))
    return np.concatenate(points)


def _star(t: Matrix) -> tuple[Matrix, Matrix]:
    """Points and derivatives, each of shape (2, t.size), of the star-shaped contour."""
    frequency = 2 * np.pi * np.array([[1], [6], [4]])
    cos, sin = np.cos(frequency * t), np.sin(frequency * t)
    x, y = np.array([1.5, 0.15, 0.15]), np.array([1.0, 0.15, -0.15])
    return np.stack([x @ cos, y @ sin]), np.stack([-x @ (frequency * sin), y @ (frequency * cos)])
