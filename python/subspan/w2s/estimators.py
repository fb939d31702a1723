"""Weak-to-strong training in scikit-learn's style. Needs scikit-learn."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from .._array import as_tolerance
from ..selection.rows import Rows
from .diagnose import diagnose
from .heads import Head, check_head, classification_head, leading_directions, regression_head
from .losses import softmax
from .report import W2SReport

Array = NDArray[np.float64]


class _WeakToStrong(BaseEstimator):  # type: ignore[misc]
    """What both estimators do with features: pairs of rows, leading directions, labelled rows."""

    def _features(self, X: Any, weak: Any, known: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Coordinates of all rows along the leading directions of either set of features."""
        S, W = Rows(X, "X"), Rows(weak, "weak")
        if not len(S) == len(W) == len(known):
            raise ValueError(
                f"X, weak and y have {len(S)}, {len(W)} and {len(known)} rows; expected the same"
            )
        if not known.any() or known.all():
            raise ValueError(
                f"y must have labelled and unlabelled rows; {known.sum()} of {len(known)} are"
            )
        ranks = self.rank if isinstance(self.rank, tuple) else (self.rank, self.rank)
        found = []
        for rows, rank in zip((S, W), ranks, strict=True):
            dense = rows.dense().astype(np.float64)
            if self.energy == 1 and rank is None:
                found.append((dense, np.eye(rows.shape[1])))
            else:
                found.append(
                    (dense, leading_directions(dense, self.energy, rank, self.fit_intercept))
                )
        self.n_features_in_ = S.shape[1]
        (s, self.strong_directions_), (w, self.weak_directions_) = found
        return s @ self.strong_directions_, w @ self.weak_directions_

    def diagnose(self, X: Any, y: Any, *, weak: Any, **options: Any) -> W2SReport:
        """Return the diagnosis of the same data and settings, see :func:`diagnose`."""
        y = np.asarray(y, np.float64)
        given = {
            "energy": self.energy,
            "rank": self.rank,
            "center": self.fit_intercept,
            "labels": y,
        }
        return diagnose(X, weak, **(given | options))

    def _student(self, X: Any) -> Array:
        check_is_fitted(self)
        rows = Rows(X, "X").dense()
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {rows.shape[1]} features; expected {self.n_features_in_}")
        head: Head = self.student_
        return head(rows @ self.strong_directions_)


class WeakToStrongRegressor(RegressorMixin, _WeakToStrong):  # type: ignore[misc]
    """Least squares of a strong model on the predictions of a weak one.

    Parameters
    ----------
    ridge : float
        Of teacher and student; 0 for ridgeless least squares.
    energy : float
        Features are truncated to the directions that hold this part of the trace, over all rows.
    rank : int or (int, int), optional
        Number of directions instead, of both or (strong, weak).
    fit_intercept : bool
    head : TorchHead, optional
        Trains all three models by gradient descent instead of the closed form.

    Attributes
    ----------
    teacher_, student_, baseline_ : callable
        Weak model on the labels, strong model on its predictions for the other rows, strong model on the
        labels. All on coordinates along the leading directions.
    pseudo_labels_ : array
        The teacher's predictions for the rows without label.
    strong_directions_, weak_directions_ : array

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s import WeakToStrongRegressor
    >>> x = np.random.default_rng(0).standard_normal((500, 20))
    >>> y = np.where(np.arange(500) < 60, x[:, 0], np.nan)
    >>> model = WeakToStrongRegressor().fit(x[:, :15], y, weak=x[:, [0, 17, 18, 19]])
    >>> bool(np.allclose(model.predict(x[:, :15]), x[:, 0]))
    True
    """

    def __init__(
        self,
        ridge: float = 0.0,
        *,
        energy: float = 1.0,
        rank: Any = None,
        fit_intercept: bool = True,
        head: Any = None,
    ) -> None:
        self.ridge = ridge
        self.energy = energy
        self.rank = rank
        self.fit_intercept = fit_intercept
        self.head = head

    def fit(self, X: Any, y: Any, *, weak: Any) -> Self:
        """Fit teacher and student.

        Parameters
        ----------
        X : array, shape (m, D_s)
            Features of the strong model.
        y : array, shape (m,)
            Labels; NaN for the rows that the teacher labels.
        weak : array, shape (m, D_w)
            Features of the weak model on the same inputs.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If rows do not agree, there are none with or none without label, or a setting is out of range.
        """
        ridge = as_tolerance(self.ridge, "ridge")
        check_head(self.head)
        y = np.asarray(y, np.float64)
        if y.ndim != 1 or np.isinf(y).any():
            raise ValueError(f"y must be a vector of finite numbers and NaN, got shape {y.shape}")
        known = ~np.isnan(y)
        s, w = self._features(X, weak, known)
        self.teacher_ = self._head(w[known], y[known], ridge)
        self.pseudo_labels_ = self.teacher_(w[~known])[:, 0]
        self.student_ = self._head(s[~known], self.pseudo_labels_, ridge)
        self.baseline_ = self._head(s[known], y[known], ridge)
        return self

    def _head(self, x: Array, y: Array, ridge: float) -> Head:
        return regression_head(self.head, x, y, ridge, intercept=self.fit_intercept)

    def predict(self, X: Any) -> Array:
        """Predictions of the student for features X of shape (n, D_s), shape (n,)."""
        return np.asarray(self._student(X)[:, 0])


class WeakToStrongClassifier(ClassifierMixin, _WeakToStrong):  # type: ignore[misc]
    """Softmax regression of a strong model on the soft labels of a weak one.

    Parameters
    ----------
    loss : {"xent", "kl", "logconf", "product", "gce"}
        Of the student.
    ridge : float
        Of teacher and student: ``ridge/2 ||coef||^2`` beside the mean loss.
    q : float
        Of "gce".
    weight : float
        Of the student's own predictions in "logconf" and "product".
    energy, rank
        Truncation of the features, as for :class:`WeakToStrongRegressor`.
    head : TorchHead, optional
        Trains all three models by gradient descent, with the losses of :mod:`subspan.torch`, instead of
        L-BFGS.

    Attributes
    ----------
    classes_ : array
    teacher_, student_, baseline_ : callable
    pseudo_labels_ : array, shape (unlabelled rows, classes)
        The teacher's probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s import WeakToStrongClassifier
    >>> x = np.random.default_rng(0).standard_normal((500, 20))
    >>> y = np.where(np.arange(500) < 60, x[:, 0] > 0, -1)
    >>> model = WeakToStrongClassifier().fit(x[:, :15], y, weak=x[:, [0, 17, 18, 19]])
    >>> model.score(x[60:, :15], x[60:, 0] > 0) > 0.9
    True
    """

    fit_intercept = True

    def __init__(
        self,
        loss: str = "xent",
        *,
        ridge: float = 1e-3,
        q: float = 0.7,
        weight: float = 0.5,
        energy: float = 1.0,
        rank: Any = None,
        head: Any = None,
    ) -> None:
        self.loss = loss
        self.ridge = ridge
        self.q = q
        self.weight = weight
        self.energy = energy
        self.rank = rank
        self.head = head

    def fit(self, X: Any, y: Any, *, weak: Any) -> Self:
        """Fit teacher and student.

        Parameters
        ----------
        X : array, shape (m, D_s)
            Features of the strong model.
        y : array of int, shape (m,)
            Classes; -1 for the rows that the teacher labels.
        weak : array, shape (m, D_w)
            Features of the weak model on the same inputs.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If rows do not agree, there are none with or none without label, there is one class only, or a
            setting is out of range.
        """
        y = np.asarray(y)
        if y.ndim != 1 or y.dtype.kind not in "iub":
            raise ValueError(f"y must be a vector of integers, got {y.dtype} of shape {y.shape}")
        check_head(self.head)
        known = y != -1
        s, w = self._features(X, weak, known)
        self.classes_, index = np.unique(y[known], return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only: {self.classes_}")
        hard = np.eye(len(self.classes_))[index]
        self.teacher_ = classification_head(self.head, w[known], hard, ridge=self.ridge)
        self.pseudo_labels_ = softmax(self.teacher_(w[~known]))
        self.student_ = classification_head(
            self.head,
            s[~known],
            self.pseudo_labels_,
            loss=self.loss,
            ridge=self.ridge,
            q=self.q,
            weight=self.weight,
        )
        self.baseline_ = classification_head(self.head, s[known], hard, ridge=self.ridge)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes by the student, for features X of shape (n, D_s)."""
        return softmax(self._student(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Classes by the student, for features X of shape (n, D_s)."""
        return np.asarray(self.classes_[np.argmax(self._student(X), axis=1)])


def fit(
    strong: Any, weak: Any, labels: Any, **options: Any
) -> WeakToStrongRegressor | WeakToStrongClassifier:
    """Train a teacher on the labelled rows and a student on its labels of the others.

    Parameters
    ----------
    strong, weak : array, shape (m, D_s) and (m, D_w)
        Features of the same inputs.
    labels : array, shape (m,)
        Numbers, NaN for rows without label, or integer classes, -1 for rows without label.
    **options
        Of :class:`WeakToStrongRegressor` for numbers, of :class:`WeakToStrongClassifier` for classes.

    Returns
    -------
    WeakToStrongRegressor or WeakToStrongClassifier
        Fitted.

    Raises
    ------
    TypeError, ValueError
        As the estimators do.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import w2s
    >>> x = np.random.default_rng(0).standard_normal((500, 20))
    >>> y = np.where(np.arange(500) < 60, x[:, 0], np.nan)
    >>> w2s.fit(x[:, :15], x[:, [0, 17, 18, 19]], y, energy=0.99)
    WeakToStrongRegressor(energy=0.99)
    """
    y = np.asarray(labels)
    kind = WeakToStrongClassifier if y.dtype.kind in "iub" else WeakToStrongRegressor
    fitted: WeakToStrongRegressor | WeakToStrongClassifier = kind(**options).fit(
        strong, y, weak=weak
    )
    return fitted
