"""Random projection by any of the sketch operators."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..sketch import KINDS
from .random_state import rng_of

_DTYPES = (np.float64, np.float32)


class SketchTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Compress features to ``X @ S.T``, S a random matrix with ``E[S.T @ S] = I``.

    Inner products of samples are kept in expectation, with a relative error of about
    ``1 / sqrt(n_components)``. S is made entry by entry where it is needed, and never stored.

    Parameters
    ----------
    n_components : int
        Size of the sketch; it may exceed the number of features.
    kind : {"sparse_sign", "gaussian", "rademacher", "countsketch", "srht"}
        See :mod:`subspan.sketch`; "srht" takes dense data and at most as many components as the next
        power of two of the number of features.
    random_state : int, RandomState, numpy.random.Generator or None

    Attributes
    ----------
    operator_ : SketchOperator, shape (n_components, n_features)
        S; ``operator_.toarray()`` makes its entries.
    n_features_in_ : int
    feature_names_in_ : array of str
        Only if X had names.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.estimators import SketchTransformer
    >>> X = np.random.default_rng(0).standard_normal((20, 1000))
    >>> SketchTransformer(300, random_state=0).fit_transform(X).shape
    (20, 300)
    """

    def __init__(
        self, n_components: int = 100, *, kind: str = "sparse_sign", random_state: Any = None
    ) -> None:
        self.n_components = n_components
        self.kind = kind
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the operator; of X only the number of features matters.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self
        """
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=_DTYPES)
        if self.kind not in KINDS:
            raise ValueError(f"kind={self.kind!r} is not known; expected one of {sorted(KINDS)}")
        self.operator_ = KINDS[self.kind](
            self.n_components, X.shape[1], rng=rng_of(self.random_state)
        )
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Sketch samples.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        array, shape (n_samples, n_components)
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=_DTYPES, reset=False)
        return np.asarray(X @ self.operator_.T)

    @property
    def _n_features_out(self) -> int:
        return int(self.operator_.shape[0])
