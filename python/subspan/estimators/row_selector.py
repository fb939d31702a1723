"""Landmarks: samples of which the others are linear combinations."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from ..interp import interpolative
from .random_state import rng_of

_DTYPES = (np.float64, np.float32)


class RowSelector(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Select samples, and describe any sample by its coefficients in terms of them.

    ``X ~ Z @ X[I]`` with k of the rows of X. A pipeline keeps its samples: `transform` returns Z,
    which is the identity on the chosen rows; the rows themselves are `components_`.

    Parameters
    ----------
    rank : int, optional
        Samples to select, at most ``min(n_samples, n_features)``. With neither `rank` nor `rtol`: as
        many as half the features, or as there are samples.
    rtol : float, optional
        Select as many as it takes to get ``||X - Z @ X[I]||_F <= rtol ||X||_F``.
    pivoting : str
        See :func:`subspan.pivots`.
    sketch : str or None
        See :func:`subspan.interpolative`.
    random_state : int, RandomState, numpy.random.Generator or None

    Attributes
    ----------
    indices_ : array of int64, shape (k,)
        Chosen samples of the data of `fit`, in the order chosen.
    components_ : array, shape (k, n_features)
        These samples, dense.
    error_ : ErrorEstimate
        How well they give the others, on the data of `fit`.
    n_features_in_ : int
    feature_names_in_ : array of str
        Only if X had names.

    See Also
    --------
    subspan.interpolative : costs and papers are stated there.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.estimators import RowSelector
    >>> X = np.random.default_rng(0).standard_normal((50, 3)) @ np.eye(3, 8)
    >>> selector = RowSelector(3, random_state=0).fit(X)
    >>> Z = selector.transform(X)
    >>> bool(np.allclose(Z @ X[selector.indices_], X))
    True
    """

    def __init__(
        self,
        rank: int | None = None,
        *,
        rtol: float | None = None,
        pivoting: str = "auto",
        sketch: str | None = "auto",
        random_state: Any = None,
    ) -> None:
        self.rank = rank
        self.rtol = rtol
        self.pivoting = pivoting
        self.sketch = sketch
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Choose samples.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self
        """
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=_DTYPES)
        rank = self.rank
        if rank is None and self.rtol is None:
            rank = min(X.shape[0], max(1, X.shape[1] // 2))
        found = interpolative(
            X,
            rank,
            rtol=self.rtol,
            axis=0,
            pivoting=self.pivoting,
            sketch=self.sketch,
            rng=rng_of(self.random_state),
        )
        rows = found.skeleton
        self.indices_ = found.indices
        self.components_ = np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows)
        self.error_ = found.error
        self._solve = np.linalg.pinv(self.components_)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Return the least-squares coefficients of samples in terms of the chosen ones.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        array, shape (n_samples, k)
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=_DTYPES, reset=False)
        return np.asarray(X @ self._solve.astype(X.dtype))

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Approximate samples from their coefficients: ``X @ components_``.

        Parameters
        ----------
        X : array, shape (n_samples, k)

        Returns
        -------
        array, shape (n_samples, n_features)
        """
        check_is_fitted(self)
        return np.asarray(check_array(X, dtype=_DTYPES) @ self.components_)

    @property
    def _n_features_out(self) -> int:
        return len(self.indices_)
