"""Features and samples that give all the others, by a CUR decomposition."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from ..cur import cur
from .defaults import DTYPES, rank_or_half, rng_of


class CURDecomposer(SelectorMixin, BaseEstimator):  # type: ignore[misc]
    """Select features, and samples in terms of which all features follow from the selected ones.

    ``X ~ C @ U @ R`` with columns C and rows R of X, which is neither centred nor scaled. `transform`
    returns the selected features C; `inverse_transform` returns ``C @ U @ R``.

    Parameters
    ----------
    rank : int, optional
        Features and samples to select, at most ``min(n_samples, n_features)``. With neither `rank` nor
        `rtol`: half of the features, as many as there are samples at most.
    rtol : float, optional
        Select as many as it takes to get ``||X - C @ U @ R||_F <= rtol ||X||_F``.
    pivoting : str
        See :func:`subspan.pivots`.
    sketch : str or None
    core : {"stable", "cross", "id"}
        See :func:`subspan.cur`.
    random_state : int, RandomState, numpy.random.Generator or None

    Attributes
    ----------
    columns_, rows_ : array of int64, shape (k,)
        Chosen features, and chosen samples of the data of `fit`, in the order chosen.
    core_ : array, shape (k, k)
        U.
    components_ : array or sparse array, shape (k, n_features)
        R, the chosen samples as they are.
    error_ : ErrorEstimate
        Of the decomposition, on the data of `fit`.
    n_features_in_ : int
    feature_names_in_ : array of str
        Only if X had names.

    See Also
    --------
    subspan.cur : costs and papers are stated there.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.estimators import CURDecomposer
    >>> X = np.random.default_rng(0).standard_normal((50, 3)) @ np.vander([1.0, 2.0, 3.0], 8)
    >>> decomposer = CURDecomposer(rtol=1e-8, random_state=0).fit(X)
    >>> decomposer.transform(X).shape, decomposer.components_.shape
    ((50, 3), (3, 8))
    >>> bool(np.allclose(decomposer.inverse_transform(decomposer.transform(X)), X))
    True
    """

    def __init__(
        self,
        rank: int | None = None,
        *,
        rtol: float | None = None,
        pivoting: str = "auto",
        sketch: str | None = "auto",
        core: str = "stable",
        random_state: Any = None,
    ) -> None:
        self.rank = rank
        self.rtol = rtol
        self.pivoting = pivoting
        self.sketch = sketch
        self.core = core
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Choose features and samples.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self
        """
        X = validate_data(self, X, accept_sparse=["csc", "csr"], dtype=DTYPES)
        found = cur(
            X,
            rank_or_half(self.rank, self.rtol, X.shape),
            rtol=self.rtol,
            pivoting=self.pivoting,
            sketch=self.sketch,
            core=self.core,
            rng=rng_of(self.random_state),
        )
        self.columns_, self.rows_ = found.columns, found.rows
        self.core_, self.components_ = found.U, found.R
        # C = left @ left_factor, so that C @ (this) is the approximation, without the inverse of R.
        self._features = lstsq(found.left_factor, found.middle @ found.right)[0]
        self.error_ = found.error
        return self

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Approximate all features from the selected ones: ``X @ U @ R``.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, k)
            Selected features, as `transform` returns them.

        Returns
        -------
        array, shape (n_samples, n_features)
        """
        check_is_fitted(self)
        X = check_array(X, accept_sparse=["csr"], dtype=DTYPES)
        if X.shape[1] != len(self.columns_):
            raise ValueError(f"X has {X.shape[1]} features; expected {len(self.columns_)}")
        return np.asarray(X @ self._features[np.argsort(self.columns_)])

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        mask = np.zeros(self.n_features_in_, bool)
        mask[self.columns_] = True
        return mask
