"""Moment matching with the manners of scikit-learn, for rows that arrive in pieces."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from .._rng import seed_word
from .result import Selection
from .rows import Rows
from .skmm import moment_matching, sketched


class SkMM(BaseEstimator):  # type: ignore[misc]
    """Sketchy moment matching of rows that are given at once or in pieces.

    Parameters
    ----------
    n_select : int
        Rows to choose.
    sketch_size, sketch, coverage, weighting, solver, rounding, restarts, per_group
        See :func:`moment_matching`; the labels of `per_group` are y.
    random_state : int, numpy.random.Generator or None

    Attributes
    ----------
    selection_ : Selection
        Made when first asked for after the last rows.
    indices_ : array of int64, shape (n_select,)
        Chosen rows, counted over all pieces.
    weights_ : array, shape (n_select,)
    certificate_ : Certificate

    Notes
    -----
    Only the sketch of the rows is kept, `sketch_size` numbers each. One operator sketches all pieces, so
    that the result does not depend on how the rows are divided.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.selection import SkMM
    >>> X = np.random.default_rng(0).standard_normal((500, 100))
    >>> whole = SkMM(40, random_state=0).fit(X)
    >>> parts = SkMM(40, random_state=0).partial_fit(X[:200]).partial_fit(X[200:])
    >>> bool((whole.indices_ == parts.indices_).all())
    True
    """

    def __init__(
        self,
        n_select: int,
        *,
        sketch_size: int | str = "auto",
        sketch: str = "gaussian",
        coverage: float = 0.999,
        weighting: str = "relative",
        solver: str = "auto",
        rounding: str = "cube",
        restarts: int = 4,
        per_group: str | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_select = n_select
        self.sketch_size = sketch_size
        self.sketch = sketch
        self.coverage = coverage
        self.weighting = weighting
        self.solver = solver
        self.rounding = rounding
        self.restarts = restarts
        self.per_group = per_group
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        candidates: Any = None,
        already_selected: Any = None,
    ) -> Self:
        """Forget earlier rows and take these; y are labels that the certificate counts.

        `candidates` and `already_selected` are as in :func:`moment_matching`.
        """
        for name in ("_pieces", "_labels", "_chosen", "_seed"):
            self.__dict__.pop(name, None)
        self._limits = {"candidates": candidates, "already_selected": already_selected}
        return self.partial_fit(X, y)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Take further rows."""
        rows = Rows(X)
        if not hasattr(self, "_pieces"):
            self._pieces: list[Any] = []
            self._labels: list[Any] = []
            self._seed = seed_word(self.random_state)
            self._limits = getattr(self, "_limits", {})
            self.n_features_in_ = rows.shape[1]
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {rows.shape[1]} features; earlier rows had {self.n_features_in_}"
            )
        if y is not None and len(y) != len(rows):
            raise ValueError(f"y has {len(y)} labels for {len(rows)} rows")
        if (y is None) != (not self._labels) and self._pieces:
            raise ValueError("y must be given with all pieces or with none")
        small = sketched(rows, self.n_select, self.sketch_size, self.sketch, self._seed)
        self._pieces.append(small.dense())
        if y is not None:
            self._labels.append(np.asarray(y))
        self._chosen: Selection | None = None
        return self

    @property
    def selection_(self) -> Selection:
        """The subset of all rows so far."""
        if not hasattr(self, "_pieces"):
            raise AttributeError("no rows yet: call fit or partial_fit first")
        if self._chosen is None:
            rows = np.concatenate(self._pieces)
            self._chosen = moment_matching(
                rows,
                self.n_select,
                sketch_size=max(1, rows.shape[1]),
                coverage=self.coverage,
                weighting=self.weighting,
                solver=self.solver,
                rounding=self.rounding,
                restarts=self.restarts,
                labels=np.concatenate(self._labels) if self._labels else None,
                per_group=self.per_group,
                **self._limits,
                rng=self._seed,
            )
        return self._chosen

    @property
    def indices_(self) -> Any:
        """Chosen rows, ascending."""
        return self.selection_.indices

    @property
    def weights_(self) -> Any:
        """Weights of the chosen rows."""
        return self.selection_.weights

    @property
    def certificate_(self) -> Any:
        """How good the subset is."""
        return self.selection_.certificate

    def transform(self, X: Any) -> Any:
        """Return the chosen rows of X, the rows in the order in which they were given."""
        return X[self.indices_]

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Choose rows and return them."""
        return self.fit(X, y).transform(X)
