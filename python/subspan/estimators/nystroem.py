"""Kernel features from landmarks chosen by randomly pivoted Cholesky."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.utils.validation import check_is_fitted, validate_data

from ..cholesky import pivoted_cholesky
from ..kernel_matrix import kernel as kernel_matrix
from .defaults import DTYPES, rng_of

_UNIT_DIAGONAL = ("rbf", "laplacian")


class NystroemRBRP(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Features Z with ``Z @ Z.T ~ K``, the kernel matrix, from few of its columns.

    What ``sklearn.kernel_approximation.Nystroem`` does with uniformly drawn landmarks, with landmarks
    drawn where the kernel matrix is not yet explained: by robust blockwise random pivoting.

    Parameters
    ----------
    kernel : str or callable
        A name that ``sklearn.metrics.pairwise.pairwise_kernels`` knows, "precomputed", or a function of
        two samples. Positive semidefinite.
    gamma, coef0, degree : float, optional
        Parameters of the kernel, as in scikit-learn.
    kernel_params : dict, optional
        Further ones, for a callable.
    n_components : int
        Landmarks, as many as there are samples at most.
    rtol : float, optional
        Fewer landmarks, if they get ``trace(K - Z Z^T) <= rtol trace(K)``.
    pivoting : {"rbrp", "rp", "accelerated", "greedy", "uniform"}
        See :func:`subspan.pivoted_cholesky`.
    random_state : int, RandomState, numpy.random.Generator or None

    Attributes
    ----------
    component_indices_ : array of int64, shape (k,)
        Landmarks among the samples of `fit`. k is lower than asked for where they explain all of K.
    components_ : array or sparse matrix, shape (k, n_features)
        These samples; with a precomputed kernel, their kernel matrix.
    factor_ : array, shape (k, k)
        Lower triangular Cholesky factor of their kernel matrix.
    error_ : ErrorEstimate
        ``trace(K - Z Z^T)`` on the samples of `fit`, exact.
    n_features_in_ : int
    feature_names_in_ : array of str
        Only if X had names.

    See Also
    --------
    subspan.pivoted_cholesky : costs and papers are stated there. `fit` evaluates the kernel k times
        for every sample.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.estimators import NystroemRBRP
    >>> X = np.linspace(0, 1, 200)[:, None]
    >>> features = NystroemRBRP(gamma=1.0, n_components=20, rtol=1e-6, random_state=0)
    >>> Z = features.fit_transform(X)
    >>> bool(np.allclose(Z @ Z.T, np.exp(-((X - X.T) ** 2)), atol=1e-3)), Z.shape[1] < 10
    (True, True)
    """

    def __init__(
        self,
        kernel: Any = "rbf",
        *,
        gamma: float | None = None,
        coef0: float | None = None,
        degree: float | None = None,
        kernel_params: dict[str, Any] | None = None,
        n_components: int = 100,
        rtol: float | None = None,
        pivoting: str = "rbrp",
        random_state: Any = None,
    ) -> None:
        self.kernel = kernel
        self.gamma = gamma
        self.coef0 = coef0
        self.degree = degree
        self.kernel_params = kernel_params
        self.n_components = n_components
        self.rtol = rtol
        self.pivoting = pivoting
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self.kernel == "precomputed"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Choose landmarks.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)
            The kernel matrix if ``kernel="precomputed"``.
        y : ignored

        Returns
        -------
        self
        """
        X = validate_data(self, X, accept_sparse="csr", dtype=DTYPES)
        K = X
        if self.kernel != "precomputed":
            diagonal = 1.0 if self.kernel in _UNIT_DIAGONAL else None
            K = kernel_matrix(self._kernel(), X, diag=diagonal, dtype=X.dtype)
        found = pivoted_cholesky(
            K,
            min(self.n_components, X.shape[0]),
            rtol=self.rtol,
            pivoting=self.pivoting,
            rng=rng_of(self.random_state),
        )
        self.component_indices_ = found.pivots
        self.components_ = X[found.pivots]
        if self.kernel == "precomputed":
            self.components_ = self.components_[:, found.pivots]
        self.factor_ = np.tril(found.F[found.pivots])
        self.error_ = found.error
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Return the kernel features of samples.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)
            Kernel values with all samples of `fit` if ``kernel="precomputed"``.

        Returns
        -------
        array, shape (n_samples, k)
            Of the samples of `fit`, the factor of their kernel matrix.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=DTYPES, reset=False)
        if self.kernel == "precomputed":
            values = X[:, self.component_indices_]
            values = values.toarray() if hasattr(values, "toarray") else values
        else:
            values = self._kernel()(X, self.components_)
        # K(X, S) = Z L^T
        return np.asarray(solve_triangular(self.factor_, values.T, lower=True).T)

    def _kernel(self) -> Any:
        names = ("gamma", "coef0", "degree")
        parameters = {name: getattr(self, name) for name in names}
        given = {name: value for name, value in parameters.items() if value is not None}
        return partial(
            pairwise_kernels,
            metric=self.kernel,
            filter_params=not callable(self.kernel),
            **given,
            **(self.kernel_params or {}),
        )

    @property
    def _n_features_out(self) -> int:
        return len(self.component_indices_)
