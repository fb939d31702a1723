"""Feature selection by an interpolative decomposition."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from ..interp import interpolative
from .random_state import rng_of

_DTYPES = (np.float64, np.float32)


class InterpolativeSelector(SelectorMixin, BaseEstimator):  # type: ignore[misc]
    """Select features whose linear combinations give all the others.

    ``X ~ X[:, J] @ W`` with k of the columns of X, which are neither centred nor scaled. Labels are
    not looked at.

    Parameters
    ----------
    rank : int, optional
        Features to select, at most ``min(n_samples, n_features)``. With neither `rank` nor `rtol`:
        half of the features, as many as there are samples at most.
    rtol : float, optional
        Select as many as it takes to get ``||X - X[:, J] @ W||_F <= rtol ||X||_F``.
    pivoting : str
        See :func:`subspan.pivots`.
    sketch : str or None
        See :func:`subspan.interpolative`.
    random_state : int, RandomState, numpy.random.Generator or None

    Attributes
    ----------
    indices_ : array of int64, shape (k,)
        Chosen features, in the order chosen.
    coefficients_ : array, shape (k, n_features)
        W; rows in the order of `indices_`.
    error_ : ErrorEstimate
        How well the chosen features give the others, on the data of `fit`.
    n_features_in_ : int
    feature_names_in_ : array of str
        Only if X had names.

    See Also
    --------
    subspan.interpolative : costs and papers are stated there.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.estimators import InterpolativeSelector
    >>> X = np.random.default_rng(0).standard_normal((50, 3)) @ np.ones((3, 8))
    >>> selector = InterpolativeSelector(rtol=1e-8, random_state=0).fit(X)
    >>> selector.transform(X).shape
    (50, 1)
    >>> bool(np.allclose(selector.inverse_transform(selector.transform(X)), X))
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
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Choose features.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self
        """
        X = validate_data(self, X, accept_sparse=["csc", "csr"], dtype=_DTYPES)
        rank = self.rank
        if rank is None and self.rtol is None:
            rank = min(X.shape[0], max(1, X.shape[1] // 2))
        found = interpolative(
            X,
            rank,
            rtol=self.rtol,
            pivoting=self.pivoting,
            sketch=self.sketch,
            rng=rng_of(self.random_state),
        )
        self.indices_, self.coefficients_ = found
        self.error_ = found.error
        return self

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Approximate all features from the selected ones.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, k)
            Selected features, as `transform` returns them.

        Returns
        -------
        array, shape (n_samples, n_features)
        """
        check_is_fitted(self)
        X = check_array(X, accept_sparse=["csr"], dtype=_DTYPES)
        if X.shape[1] != len(self.indices_):
            raise ValueError(f"X has {X.shape[1]} features; expected {len(self.indices_)}")
        return np.asarray(X @ self.coefficients_[np.argsort(self.indices_)])

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        mask = np.zeros(self.n_features_in_, bool)
        mask[self.indices_] = True
        return mask
