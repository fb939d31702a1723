"""``sklearn.utils.extmath.randomized_svd`` and ``sklearn.decomposition.TruncatedSVD``, by subspan.

What differs: complex input is right, powers are stabilised at every step unless ``"none"`` is asked
for, an A whose squares leave the range of its precision is scaled, and NaN and infinity raise
``ValueError``. As in scikit-learn, ``random_state=None`` draws from numpy's global generator.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import decomposition
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from .._array import library_of, to_caller, to_host
from .._rng import seed_word
from ..estimators.defaults import rng_of
from ..estimators.randomized_svd import explained, positive_columns
from ..sketch import SparseSign
from ..source import as_source
from ..svd import svd

__all__ = ["TruncatedSVD", "randomized_svd"]

_NORMALIZERS = ("auto", "LU", "QR", "none")
_DRIVERS = ("gesdd", "gesvd")


def randomized_svd(
    M: Any,
    n_components: int,
    *,
    n_oversamples: int = 10,
    n_iter: int | str = "auto",
    power_iteration_normalizer: str = "auto",
    transpose: bool | str = "auto",
    flip_sign: bool = True,
    random_state: Any = None,
    svd_lapack_driver: str = "gesdd",
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Leading singular values and vectors by randomized subspace iteration.

    Parameters
    ----------
    M : array or sparse matrix, shape (m, n)
        Whatever :func:`subspan.svd` takes.
    n_components : int
        Triplets wanted; beyond ``min(m, n)`` that many come back.
    n_oversamples : int
        Directions followed beyond `n_components`.
    n_iter : int or "auto"
        Power iterations. "auto": 7 if `n_components` is below a tenth of ``min(m, n)``, else 4, unless
        the whole decomposition costs less, which then is computed.
    power_iteration_normalizer : {"auto", "QR", "LU", "none"}
        "none" multiplies powers without stabilising them, which loses all but the leading vectors when
        there are many. The others are one and the same here: an orthonormal basis at every step.
    transpose : bool or "auto"
        Checked, and without effect: the orientation with fewer columns is always the one worked on.
    flip_sign : bool
        Make the entry of largest modulus of every column of U positive.
    random_state : int, RandomState or None
    svd_lapack_driver : {"gesdd", "gesvd"}
        Checked, and without effect: the small decomposition is subspan's.

    Returns
    -------
    U : array, shape (m, n_components)
    s : array, shape (n_components,)
        Descending.
    Vt : array, shape (n_components, n)
        ``M ~ U * s @ Vt``; for complex M the rows are conjugated singular vectors.

    Raises
    ------
    ValueError
        If an argument is out of range or M is not finite.
    numpy.linalg.LinAlgError
        If powers overflow that were not to be stabilised.

    See Also
    --------
    subspan.svd : the same with an error certificate; costs and papers are stated there.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.compat.sklearn import randomized_svd
    >>> U, s, Vt = randomized_svd(np.diag([3.0, 2.0, 1.0]), 2, random_state=0)
    >>> s.round(9)
    array([3., 2.])
    """
    if power_iteration_normalizer not in _NORMALIZERS:
        raise ValueError(
            f"power_iteration_normalizer={power_iteration_normalizer!r} is not known; "
            f"expected one of {_NORMALIZERS}"
        )
    if svd_lapack_driver not in _DRIVERS:
        raise ValueError(
            f"svd_lapack_driver={svd_lapack_driver!r} is not known; expected one of {_DRIVERS}"
        )
    if transpose not in (True, False, "auto"):
        raise ValueError(f"transpose={transpose!r} must be True, False or 'auto'")
    library = library_of(M)
    M = _fast_format(to_host(M, "M"))
    rank = min(n_components, *M.shape)
    flipped = M.shape[0] < M.shape[1]
    A = M.T if flipped else M
    iterations = n_iter
    if isinstance(n_iter, str):
        if n_iter != "auto":
            raise ValueError(f"n_iter={n_iter!r} must be an int or 'auto'")
        iterations = 7 if n_components < 0.1 * min(M.shape) else 4
    seed = seed_word(rng_of(check_random_state(None) if random_state is None else random_state))
    if power_iteration_normalizer == "none":
        U, s, Vt = _unstabilised(A, rank, n_oversamples, int(iterations), seed)
    else:
        U, s, Vt = svd(
            A,
            rank,
            oversampling=n_oversamples,
            power_iterations=iterations,
            method="auto" if n_iter == "auto" else "subspace",
            rng=seed,
        )
    if flipped:
        U, Vt = Vt.T, U.T
    if flip_sign:
        U, Vt = positive_columns(U, Vt)
    return to_caller((U, s, Vt), library)


def _fast_format(M: Any) -> Any:
    if getattr(M, "format", None) in ("lil", "dok"):
        from scipy.sparse import SparseEfficiencyWarning

        warnings.warn(
            f"Calculating SVD of a {type(M).__name__} is expensive. CSR format is more efficient.",
            SparseEfficiencyWarning,
            stacklevel=3,
        )
        return M.tocsr()
    return M if hasattr(M, "shape") else np.asarray(M)


def _unstabilised(
    A: Any, rank: int, oversampling: int, iterations: int, seed: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Subspace iteration as ``power_iteration_normalizer="none"`` asks: ``Q R = (A A^H)^q A S^T``."""
    source = as_source(A)
    matrix, (m, n) = source.matrix, source.shape
    size = min(rank + oversampling, m, n)
    if size == 0:
        return svd(A, rank, rng=seed)  # type: ignore[return-value]
    adjoint = matrix.conj().T
    S = SparseSign(size, n, nnz=min(size, 8), rng=seed)  # the one that `svd` takes
    Y = np.asarray(A @ S.T)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(iterations):
            Y = matrix @ (adjoint @ Y)
    if not np.isfinite(Y).all():
        source.magnitude()  # raises ValueError, saying where, if it is A that is not finite
        raise np.linalg.LinAlgError(
            f"{iterations} unstabilised power iterations overflow {source.dtype}; "
            "choose power_iteration_normalizer='auto'"
        )
    Q = np.linalg.qr(Y)[0]
    U, s, Vt = np.linalg.svd((adjoint @ Q).conj().T, full_matrices=False)
    return Q @ U[:, :rank], s[:rank], Vt[:rank]


class TruncatedSVD(decomposition.TruncatedSVD):  # type: ignore[misc]
    """scikit-learn's TruncatedSVD with subspan's singular value decomposition inside.

    Parameters, attributes and methods are those of ``sklearn.decomposition.TruncatedSVD``, of which
    this is a subclass; ``algorithm="arpack"`` is left to it.

    Parameters
    ----------
    n_components : int
        At most the number of features.
    algorithm : {"randomized", "arpack"}
    n_iter : int
        Power iterations.
    n_oversamples : int
        Directions followed beyond `n_components`.
    power_iteration_normalizer : {"auto", "QR", "LU", "none"}
        See :func:`randomized_svd`.
    random_state : int, RandomState or None
    tol : float
        For ARPACK.

    See Also
    --------
    subspan.estimators.RandomizedSVD : to a tolerance as well, with an error certificate.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.compat.sklearn import TruncatedSVD
    >>> X = np.random.default_rng(0).standard_normal((30, 8))
    >>> TruncatedSVD(3, random_state=0).fit_transform(X).shape
    (30, 3)
    """

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Fit to X and return its coordinates in the leading right singular vectors.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        array, shape (n_samples, n_components)
        """
        if self.algorithm == "arpack":
            return np.asarray(super().fit_transform(X))
        self._validate_params()
        X = validate_data(self, X, accept_sparse=["csr", "csc"], ensure_min_features=2)
        if self.n_components > X.shape[1]:
            raise ValueError(
                f"n_components={self.n_components} must be at most the number of features, {X.shape[1]}"
            )
        U, s, Vt = randomized_svd(
            X,
            self.n_components,
            n_iter=self.n_iter,
            n_oversamples=self.n_oversamples,
            power_iteration_normalizer=self.power_iteration_normalizer,
            flip_sign=False,
            random_state=self.random_state,
        )
        self.singular_values_ = s
        self.components_ = positive_columns(Vt.T, U.T)[0].T
        coordinates = np.asarray(X @ self.components_.T)
        self.explained_variance_, self.explained_variance_ratio_ = explained(X, coordinates)
        return coordinates
