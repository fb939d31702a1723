"""Enhanced weak-to-strong training: once more, on the samples that the student is sure of."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ..._rng import seed_word
from ...selection.rows import Rows
from ..heads import LinearHead, softmax_regression
from ..losses import entropy, softmax

Array = NDArray[np.float64]


class EnhancedW2S(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Student retrained on its most confident part of the pseudo-labelled data, without group labels.

    A first student is trained on all pseudo-labels with cross-entropy. A second one is trained from where it
    began, on the fraction of samples with the lowest predictive entropy, with the generalized cross-entropy,
    which discounts pseudo-labels that the student contradicts.

    Parameters
    ----------
    fraction : float
        Part of the samples that is kept, in (0, 1].
    q : float
        Of the generalized cross-entropy, in (0, 1]; cross-entropy for q -> 0.
    folds : int
        The entropy of a sample is that of a student which has not seen it, trained on the other folds; with
        1 that of the first student itself, which is sure of wrong labels that it has memorised.
    ridge : float
    rng : int, numpy.random.Generator or None
        Of the folds.

    Attributes
    ----------
    vanilla_ : LinearHead
        The first student.
    student_ : LinearHead
    selected_ : array of int
        Rows that the second student was trained on.
    entropy_ : array, shape (N,)
    classes_ : array

    References
    ----------
    "Does weak-to-strong generalization happen under spurious correlations?", arXiv 2509.24005.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s.spurious import EnhancedW2S
    >>> x = np.random.default_rng(0).standard_normal((400, 5))
    >>> pseudo = np.column_stack([x[:, 0] < 0, x[:, 0] >= 0]) * 0.8 + 0.1
    >>> model = EnhancedW2S(rng=0).fit(x, pseudo)
    >>> len(model.selected_), model.score(x, x[:, 0] >= 0) > 0.95
    (200, True)
    """

    def __init__(
        self,
        fraction: float = 0.5,
        *,
        q: float = 0.7,
        folds: int = 5,
        ridge: float = 1e-3,
        rng: Any = 0,
    ) -> None:
        self.fraction = fraction
        self.q = q
        self.folds = folds
        self.ridge = ridge
        self.rng = rng

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on pseudo-labels.

        Parameters
        ----------
        X : array, shape (N, D)
            Features of the student.
        y : array, shape (N, k) or (N,)
            The teacher's probabilities of the classes, or its hard predictions.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If rows do not agree, or `fraction` or `folds` is out of range.
        """
        x = Rows(X, "X").dense().astype(np.float64)
        soft = self._soft(y, len(x))
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction={self.fraction} must lie in (0, 1]")
        if not 1 <= self.folds <= len(x) // 2:
            raise ValueError(f"folds={self.folds} must lie between 1 and half the {len(x)} samples")
        self.n_features_in_ = x.shape[1]
        self.vanilla_ = softmax_regression(x, soft, ridge=self.ridge)
        self.entropy_ = self._entropies(x, soft)
        count = max(1, round(self.fraction * len(x)))
        self.selected_ = np.sort(np.argsort(self.entropy_, kind="stable")[:count])
        chosen = self.selected_
        self.student_ = softmax_regression(
            x[chosen], soft[chosen], loss="gce", q=self.q, ridge=self.ridge
        )
        return self

    def _soft(self, y: Any, count: int) -> Array:
        y = np.asarray(y)
        if len(y) != count or y.ndim not in (1, 2):
            raise ValueError(f"y has shape {y.shape}; expected {count} rows")
        if y.ndim == 2:
            soft = y.astype(np.float64)
            if not (np.isfinite(soft).all() and (soft >= 0).all()):
                raise ValueError("y must hold probabilities")
            self.classes_ = np.arange(y.shape[1])
            return np.asarray(soft)
        self.classes_, index = np.unique(y, return_inverse=True)
        return np.asarray(np.eye(len(self.classes_))[index])

    def _entropies(self, x: Array, soft: Array) -> Array:
        if self.folds == 1:
            return entropy(softmax(self.vanilla_(x)))
        order = np.random.default_rng(seed_word(self.rng)).permutation(len(x))
        found = np.empty(len(x))
        for held in np.array_split(order, self.folds):
            rest = np.setdiff1d(order, held)
            head = softmax_regression(x[rest], soft[rest], ridge=self.ridge)
            found[held] = entropy(softmax(head(x[held])))
        return found

    def _logits(self, X: Any) -> Array:
        check_is_fitted(self)
        head: LinearHead = self.student_
        rows = Rows(X, "X").dense()
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {rows.shape[1]} features; expected {self.n_features_in_}")
        return head(rows)

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes for features X of shape (n, D), shape (n, classes)."""
        return softmax(self._logits(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Classes for features X of shape (n, D), shape (n,)."""
        return np.asarray(self.classes_[np.argmax(self._logits(X), axis=1)])
