"""Measured risks of the four estimators over numbers of labels, pseudo-labels and seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from .._array import as_rank, as_tolerance
from .._progress import Progress
from ..result import Result
from ..selection.rows import Rows
from .heads import Head, check_head, classification_head, leading_directions, regression_head
from .losses import softmax
from .ratios import gap_recovered, outperforming

Array = NDArray[np.float64]
NAMES = ("weak", "w2s", "strong_baseline", "strong_ceiling")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Measurements(Result):
    """Test errors of the four estimators; unpacks into their means over the seeds.

    Attributes
    ----------
    errors : array, shape (4, len(n), len(N), seeds)
        Mean squared error, or part of wrong classes, on the test rows: weak teacher, student, strong
        baseline, strong ceiling.
    n, N : array of int
    seeds : array of int
    metric : {"squared error", "error rate"}
    d_strong, d_weak : int
        Directions that the models were fitted on.
    head : str
        What was fitted on them; empty for least squares or softmax regression.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s import W2SExperiment
    >>> x = np.random.default_rng(0).standard_normal((900, 12))
    >>> found = W2SExperiment().run(x[:, :8], x[:, 4:], x[:, 5], n=[20, 40], N=[400], seeds=range(3))
    >>> found.weak.shape, found.standard_error("w2s").shape
    ((2, 1), (2, 1))
    """

    errors: Array
    n: NDArray[np.int64]
    N: NDArray[np.int64]
    seeds: NDArray[np.int64]
    metric: str
    d_strong: int
    d_weak: int
    head: str = ""

    _unpacks: ClassVar[tuple[str, ...]] = NAMES

    def __len__(self) -> int:
        return 4

    def _mean(self, name: str) -> Array:
        return np.asarray(self.errors[NAMES.index(name)].mean(axis=-1))

    @property
    def weak(self) -> Array:
        """Mean error of the teacher, shape (len(n), len(N))."""
        return self._mean("weak")

    @property
    def w2s(self) -> Array:
        """Mean error of the student."""
        return self._mean("w2s")

    @property
    def strong_baseline(self) -> Array:
        """Mean error of the strong model on the labels."""
        return self._mean("strong_baseline")

    @property
    def strong_ceiling(self) -> Array:
        """Mean error of the strong model on labels of all rows."""
        return self._mean("strong_ceiling")

    def standard_error(self, name: str) -> Array:
        """Standard error of the mean of an estimator, shape (len(n), len(N)).

        Parameters
        ----------
        name : {"weak", "w2s", "strong_baseline", "strong_ceiling"}

        Returns
        -------
        array
        """
        sample = self.errors[NAMES.index(name)]
        return np.asarray(sample.std(axis=-1, ddof=1) / np.sqrt(sample.shape[-1]))

    def pgr(self, level: float = 0.95) -> tuple[Array, Array, Array]:
        """Performance gap recovery of the means, and its interval by the jackknife over seeds.

        NaN, with a warning, where the gap is below twice its standard error.

        Parameters
        ----------
        level : float
            Of the interval.

        Returns
        -------
        (pgr, low, high) : tuple of arrays, shape (len(n), len(N))
        """
        weak, w2s, _, ceiling = self.errors
        gap = weak - ceiling
        noise = 2 * gap.std(axis=-1, ddof=1) / np.sqrt(gap.shape[-1])
        whole = gap_recovered(weak.mean(-1), w2s.mean(-1), ceiling.mean(-1), noise)
        return self._jackknife(whole, [weak - w2s, gap], level)

    def opr(self, level: float = 0.95) -> tuple[Array, Array, Array]:
        """Outperforming ratio of the mean errors, and its interval by the jackknife over seeds.

        Parameters
        ----------
        level : float
            Of the interval.

        Returns
        -------
        (opr, low, high) : tuple of arrays, shape (len(n), len(N))
        """
        _, w2s, strong, _ = self.errors
        return self._jackknife(outperforming(strong.mean(-1), w2s.mean(-1)), [strong, w2s], level)

    def _jackknife(
        self, whole: Any, parts: list[Array], level: float
    ) -> tuple[Array, Array, Array]:
        top, bottom = (part.sum(axis=-1, keepdims=True) - part for part in parts)
        with np.errstate(divide="ignore", invalid="ignore"):
            left = top / bottom
        count = left.shape[-1]
        error = np.sqrt((count - 1) ** 2 / count * left.var(axis=-1, ddof=1))
        reach = student_t.ppf((1 + level) / 2, count - 1) * error
        middle = np.asarray(whole)
        return middle, middle - reach, middle + reach

    def table(self) -> str:
        """One line for each n and N, as text."""
        pgr, low, high = self.pgr()
        columns = ("n", "N", *NAMES)
        lines = ["".join(f"{name:>16}" for name in columns) + f"{'PGR (95 %)':>24}"]
        for i, n in enumerate(self.n):
            for j, N in enumerate(self.N):
                values = "".join(f"{getattr(self, name)[i, j]:>16.4g}" for name in NAMES)
                ratio = f"{pgr[i, j]:.2f} ({low[i, j]:.2f}, {high[i, j]:.2f})"
                lines.append(f"{n:>16}{N:>16}{values}{ratio:>24}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        better = np.mean(self.w2s < self.weak)
        return (
            f"<Measurements: {self.metric} for {len(self.n)} n, {len(self.N)} N, {len(self.seeds)} seeds; "
            f"student ahead of teacher in {better:.0%}" + (f"; {self.head}>" if self.head else ">")
        )


@dataclasses.dataclass(frozen=True)
class W2SExperiment:
    """Weak-to-strong training on subsets of a labelled pool.

    Parameters
    ----------
    task : {"regression", "classification"}
        Least squares, or softmax regression.
    ridge : float
        Of all models; 0 for ridgeless least squares. Classification takes at least 1e-6.
    energy : float
        Features are truncated to the directions of the pool that hold this part of the trace.
    rank : (int, int), optional
        Numbers of directions (strong, weak) instead.
    intercept : bool
        Fit intercepts; leading directions are then those of centered features.
    loss : str
        Of the student in classification, see :class:`WeakToStrongClassifier`.
    head : TorchHead, optional
        Trains all models by gradient descent in PyTorch, linear or with a hidden layer, instead.

    Raises
    ------
    TypeError, ValueError
        If `task` is unknown, `ridge` is negative or `head` cannot be fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s import W2SExperiment
    >>> x = np.random.default_rng(0).standard_normal((3000, 30))
    >>> y = x[:, 10] + np.random.default_rng(1).standard_normal(3000)
    >>> found = W2SExperiment().run(x[:, :15], x[:, 10:], y, n=[50], N=[500], seeds=range(5))
    >>> bool(found.w2s < found.weak)
    True
    """

    task: str = "regression"
    ridge: float = 0.0
    energy: float = 1.0
    rank: tuple[int, int] | None = None
    intercept: bool = False
    loss: str = "xent"
    head: Any = None

    def __post_init__(self) -> None:
        if self.task not in ("regression", "classification"):
            raise ValueError(f"task={self.task!r} must be 'regression' or 'classification'")
        as_tolerance(self.ridge, "ridge")
        check_head(self.head)

    def run(
        self,
        strong: Any,
        weak: Any,
        labels: Any,
        *,
        n: Sequence[int],
        N: Sequence[int],
        seeds: Sequence[int] = range(10),
        test: float = 0.3,
        progress: Any = None,
    ) -> Measurements:
        """Train and test on a grid.

        Parameters
        ----------
        strong, weak : array, shape (m, D_s) and (m, D_w)
            Features of the pool, row by row.
        labels : array, shape (m,)
            Of all rows: numbers, or integer classes.
        n, N : sequence of int
            Numbers of labels and pseudo-labels.
        seeds : sequence of int
            Each divides the pool anew into labelled, pseudo-labelled and test rows; at least two.
        test : float
            Part of the pool that is kept for the test, in (0, 1).
        progress : None, bool or callable

        Returns
        -------
        Measurements

        Raises
        ------
        ValueError
            If rows do not agree, or the pool is too small for the largest n and N.
        """
        S, W = Rows(strong, "strong"), Rows(weak, "weak")
        y = np.asarray(labels)
        m = len(S)
        if len(W) != m or y.shape != (m,):
            raise ValueError(
                f"strong, weak and labels have shapes {S.shape}, {W.shape} and {y.shape}; "
                "expected the same number of rows"
            )
        if not 0 < test < 1:
            raise ValueError(f"test={test} must lie between 0 and 1")
        sizes, pseudo = (
            np.array([as_rank(x, m, name) for x in given], np.int64)
            for name, given in (("n", n), ("N", N))
        )
        held = round(test * m)
        if not len(sizes) or not len(pseudo) or min(*sizes, *pseudo) < 1:
            raise ValueError("n and N must not be empty, and at least 1")
        if len(seeds) < 2:
            raise ValueError(f"seeds={seeds!r} must be at least two, to tell the uncertainty")
        if sizes.max() + pseudo.max() > m - held:
            raise ValueError(
                f"n + N = {sizes.max() + pseudo.max()} must not exceed the {m - held} rows that are left "
                f"of {m} after {held} for the test"
            )
        targets = self._targets(y)
        ranks = (None, None) if self.rank is None else self.rank
        s, w = (self._coordinates(X.dense(), rank) for X, rank in zip((S, W), ranks, strict=True))
        errors = np.empty((4, len(sizes), len(pseudo), len(seeds)))
        bar = Progress(progress, len(seeds))
        for at, seed in enumerate(seeds):
            with bar.stage(f"seed {seed}"):
                order = np.random.default_rng(seed).permutation(m)
                errors[..., at] = self._one_seed(
                    s, w, targets, order, held, sizes, pseudo, int(seed)
                )
        metric = "squared error" if self.task == "regression" else "error rate"
        return Measurements(
            errors=errors,
            n=sizes,
            N=pseudo,
            seeds=np.array(list(seeds), np.int64),
            metric=metric,
            d_strong=s.shape[1],
            d_weak=w.shape[1],
            head="" if self.head is None else repr(self.head),
        )

    def _targets(self, y: NDArray[Any]) -> Array:
        if self.task == "regression":
            values = y.astype(np.float64)[:, None]
            if not np.isfinite(values).all():
                raise ValueError("labels must be finite")
            return np.asarray(values)
        classes, index = np.unique(y, return_inverse=True)
        return np.asarray(np.eye(len(classes))[index])

    def _coordinates(self, X: NDArray[Any], rank: int | None) -> Array:
        if self.energy == 1 and rank is None:
            return np.asarray(X, np.float64)
        return np.asarray(X @ leading_directions(X, self.energy, rank, self.intercept))

    def _fit(self, x: Array, target: Array, seed: int, loss: str = "xent") -> Head:
        if self.task == "regression":
            return regression_head(
                self.head, x, target, self.ridge, intercept=self.intercept, seed=seed
            )
        ridge = max(self.ridge, 1e-6)
        return classification_head(self.head, x, target, seed=seed, loss=loss, ridge=ridge)

    def _error(self, outputs: Array, target: Array) -> float:
        if self.task == "regression":
            return float(np.mean(np.sum((outputs - target) ** 2, axis=1)))
        return float(np.mean(outputs.argmax(axis=1) != target.argmax(axis=1)))

    def _one_seed(
        self,
        s: Array,
        w: Array,
        y: Array,
        order: NDArray[np.int64],
        held: int,
        sizes: NDArray[np.int64],
        pseudo: NDArray[np.int64],
        seed: int,
    ) -> Array:
        test, pool = order[:held], order[held:]
        unlabelled = pool[sizes.max() :]
        errors = np.empty((4, len(sizes), len(pseudo)))
        for i, n in enumerate(sizes):
            known = pool[:n]
            teacher, baseline = (self._fit(x[known], y[known], seed) for x in (w, s))
            errors[0, i], errors[2, i] = (
                self._error(head(x[test]), y[test]) for head, x in ((teacher, w), (baseline, s))
            )
            for j, N in enumerate(pseudo):
                rest = unlabelled[:N]
                taught = teacher(w[rest])
                if self.task == "classification":
                    taught = softmax(taught)
                student = self._fit(s[rest], taught, seed, self.loss)
                both = np.concatenate([known, rest])
                ceiling = self._fit(s[both], y[both], seed)
                errors[1, i, j] = self._error(student(s[test]), y[test])
                errors[3, i, j] = self._error(ceiling(s[test]), y[test])
        return errors
