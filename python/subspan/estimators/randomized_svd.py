"""Coordinates in the leading right singular vectors."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from ..svd import svd
from .defaults import DTYPES, rank_or_half, rng_of


class RandomizedSVD(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Reduce features to coordinates in the leading right singular vectors of X.

    X is neither centred nor scaled, so sparse data stay sparse. What
    ``sklearn.decomposition.TruncatedSVD`` does, with a tolerance as well and a certificate.

    Parameters
    ----------
    rank : int, optional
        Components, at most ``min(n_samples, n_features)``. With neither `rank` nor `rtol`: half of the
        features, as many as there are samples at most.
    rtol : float, optional
        As many as it takes to get ``||X - X V V^T||_F <= rtol ||X||_F``.
    oversampling : int
    power_iterations : int or "auto"
    method : str
    sketch : str
        See :func:`subspan.svd`.
    random_state : int, RandomState, numpy.random.Generator or None

    Attributes
    ----------
    components_ : array, shape (k, n_features)
        Right singular vectors; the entry of largest modulus of each is positive.
    singular_values_ : array, shape (k,)
    explained_variance_ : array, shape (k,)
        Variance of each coordinate on the data of `fit`.
    explained_variance_ratio_ : array, shape (k,)
        The same as a share of the variance of all features.
    error_ : ErrorEstimate
        Of the decomposition, on the data of `fit`.
    n_features_in_ : int
    feature_names_in_ : array of str
        Only if X had names.

    See Also
    --------
    subspan.svd : costs and papers are stated there.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.estimators import RandomizedSVD
    >>> X = np.random.default_rng(0).standard_normal((50, 3)) @ np.eye(3, 8)
    >>> reducer = RandomizedSVD(rtol=1e-8, random_state=0).fit(X)
    >>> reducer.transform(X).shape
    (50, 3)
    """

    def __init__(
        self,
        rank: int | None = None,
        *,
        rtol: float | None = None,
        oversampling: int = 10,
        power_iterations: int | str = "auto",
        method: str = "auto",
        sketch: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.rank = rank
        self.rtol = rtol
        self.oversampling = oversampling
        self.power_iterations = power_iterations
        self.method = method
        self.sketch = sketch
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the singular vectors.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self
        """
        self.fit_transform(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Find the singular vectors and return the coordinates of X in them.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        array, shape (n_samples, k)
        """
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=DTYPES)
        found = svd(
            X,
            rank_or_half(self.rank, self.rtol, X.shape),
            rtol=self.rtol,
            oversampling=self.oversampling,
            power_iterations=self.power_iterations,
            method=self.method,
            sketch=self.sketch,
            rng=rng_of(self.random_state),
        )
        self.singular_values_ = found.s
        self.components_ = positive_columns(found.Vh.T, found.U.T)[0].T
        self.error_ = found.error
        coordinates = np.asarray(X @ self.components_.T)
        self.explained_variance_, self.explained_variance_ratio_ = explained(X, coordinates)
        return coordinates

    def transform(self, X: Any) -> NDArray[Any]:
        """Return coordinates in the singular vectors.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        array, shape (n_samples, k)
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=DTYPES, reset=False)
        return np.asarray(X @ self.components_.T)

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Approximate features from coordinates: ``X @ components_``.

        Parameters
        ----------
        X : array, shape (n_samples, k)

        Returns
        -------
        array, shape (n_samples, n_features)
        """
        check_is_fitted(self)
        return np.asarray(check_array(X, dtype=DTYPES) @ self.components_)

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)


def positive_columns(U: NDArray[Any], Vt: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Move phases so that the entry of largest modulus in each column of U is positive."""
    if U.size == 0:
        return U, Vt
    largest = U[np.abs(U).argmax(axis=0), np.arange(U.shape[1])]
    phases = np.where(largest == 0, 1, largest / np.where(largest == 0, 1, np.abs(largest)))
    phases = phases.astype(U.dtype)
    return U * phases.conj(), phases[:, None] * Vt


def explained(X: Any, coordinates: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Variance of each coordinate, and as a share of the variance of all features of X."""
    variance = np.var(coordinates, axis=0)
    each = np.var(X, axis=0) if isinstance(X, np.ndarray) else mean_variance_axis(X, axis=0)[1]
    total = each.sum()
    return variance, variance / total if total > 0 else np.zeros_like(variance)
