"""What two models have in common, and what follows for weak-to-strong training."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..angles import CanonicalAngles
from ..exceptions import callers_level
from ..result import Result
from ..selection.rows import Rows
from .bias import Bias, as_bias
from .budget import best_label_budget, pseudo_labels_needed
from .labelled import explain
from .official import WARNING
from .ridge import predict_ridge_risk
from .risks import Risks, predict_risk

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class W2SReport(Result):
    """Dimensions and overlap of strong and weak features; unpacks into ``d_strong, d_weak, d_overlap``.

    Attributes
    ----------
    d_strong, d_weak : int
        Intrinsic dimensions.
    d_overlap : float
        Correlation dimension, the sum of squared canonical correlations, without the bias of finite samples.
    d_overlap_raw : float
        The same as it comes out of the samples.
    interval : (float, float)
        Confidence interval of `d_overlap` at the level `confidence`, by the jackknife over groups of rows.
        Sketches widen it, by `sketch_error` downwards and by the sum of squared sines upwards, as directions
        that the sketch turns away are lost.
    standard_error : float
        Of `d_overlap`, from the choice of rows; without what a sketch adds.
    chance_level : float
        Expected raw value for independent features, ``d_strong d_weak/rows``.
    chance_edge : float
        Canonical correlations of independent features stay below this.
    official, official_chance : float
        The published estimator and the level of chance that it measures: for comparison only, see
        `official_warning`. NaN where one of the feature sets was sketched.
    sketch_error : float
        Change of `d_overlap` when the sketches are halved; 0 where nothing was sketched.
    angles_strong, angles_weak : CanonicalAngles or None
        Estimated sines of the canonical angles between the leading directions of the sketch and those of the
        features, d of them, ascending. None where nothing was sketched, as directions are then exact.
    canonical_correlations : array, shape (min(d_strong, d_weak),)
        Raw, descending.
    spectrum_strong, spectrum_weak : array
        Eigenvalues of the second moments, descending.
    rows : int
    noise_var : float or None
        Variance of labels around the best function of both feature sets; None without labels.
    bias : Bias or None
        Relative to that function; None without labels.
    labels : int
        Number of labelled rows that `noise_var` and `bias` come from.
    target : array, shape (d_strong + d_weak, k), or None
        ``E[x f*]`` in white coordinates x, strong first, from the labels.
    target_square : float
        ``E[f*^2]``; NaN without labels.
    label_covariance : array, shape (5, 5), or None
        Covariance of the estimates of `noise_var` and of the squares weak, strong, student and leak of
        `bias`, by the jackknife over groups of labelled rows; None without labels.
    moment : array, shape (d_strong + d_weak, d_strong + d_weak)
        Second moment of the whitened features.
    map_strong, map_weak : array, shape (D, d)
        Features to white coordinates; after the sketch, where there is one.
    mean : array or None
        Mean of strong and weak features, where they were centered.
    sketch_size, confidence, seed
        Settings.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s import diagnose
    >>> x = np.random.default_rng(0).standard_normal((4000, 50))
    >>> y = x[:, 25] + np.random.default_rng(1).standard_normal(4000)
    >>> report = diagnose(x[:, :30], x[:, 20:], labels=y, energy=1)
    >>> d_strong, d_weak, d_overlap = report
    >>> report.best_label_budget(N=1000) > d_weak, report.predict(n=100, N=1000).happens
    (True, True)
    """

    d_strong: int
    d_weak: int
    d_overlap: float
    d_overlap_raw: float
    interval: tuple[float, float]
    standard_error: float
    chance_level: float
    chance_edge: float
    official: float
    official_chance: float
    sketch_error: float
    angles_strong: CanonicalAngles | None
    angles_weak: CanonicalAngles | None
    canonical_correlations: Array
    spectrum_strong: Array
    spectrum_weak: Array
    rows: int
    noise_var: float | None
    bias: Bias | None
    labels: int
    target: Array | None
    target_square: float
    label_covariance: Array | None
    moment: Array
    map_strong: Array
    map_weak: Array
    mean: Array | None
    sketch_size: int
    confidence: float
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("d_strong", "d_weak", "d_overlap")

    def __len__(self) -> int:
        return 3

    @property
    def related(self) -> bool:
        """Whether the overlap is above chance, by its confidence interval."""
        return self.interval[0] > 0

    @property
    def sketched(self) -> dict[str, CanonicalAngles]:
        """Canonical angles of the sides, "strong" and "weak", that were sketched."""
        sides = {"strong": self.angles_strong, "weak": self.angles_weak}
        return {side: angles for side, angles in sides.items() if angles is not None}

    @property
    def official_warning(self) -> str:
        """Why `official` is not to be used; empty where it was not computed."""
        return "" if np.isnan(self.official) else WARNING

    def whitened(self, strong: Any, weak: Any) -> tuple[Array, Array]:
        """White coordinates of further rows.

        Parameters
        ----------
        strong, weak : array, shape (n, D_s) and (n, D_w)

        Returns
        -------
        tuple of arrays, shape (n, d_strong) and (n, d_weak)

        Raises
        ------
        ValueError
            If the columns are not those of the diagnosed features, or rows do not agree.
        """
        from .moments import PairedMoments
        from .pairs import paired_tiles

        rows = Rows(strong, "strong"), Rows(weak, "weak")
        moments = PairedMoments((rows[0].shape[1], rows[1].shape[1]), self.sketch_size, self.seed)
        maps = self.map_strong, self.map_weak
        for name, width, map_ in zip(("strong", "weak"), moments.widths, maps, strict=True):
            if width != len(map_):
                raise ValueError(
                    f"{name} has another number of columns than the diagnosed features"
                )
        means = (0.0, 0.0) if self.mean is None else np.split(self.mean, [len(maps[0])])
        tiles = [moments.features(tile) for tile in paired_tiles(strong, weak)]
        found = [
            np.concatenate([(tile[side] - means[side]) @ maps[side] for tile in tiles])
            for side in (0, 1)
        ]
        return found[0], found[1]

    def with_labels(self, strong: Any, weak: Any, labels: Any) -> W2SReport:
        """Return the report with noise and bias estimated from labelled rows.

        Parameters
        ----------
        strong, weak : array, shape (n, D_s) and (n, D_w)
            Features of the labelled rows.
        labels : array, shape (n,) or (n, k)
            Several columns (one-hot classes, say) are summed over.

        Returns
        -------
        W2SReport

        Raises
        ------
        ValueError
            If shapes do not agree, values are not finite or there are fewer than 20 rows.

        Notes
        -----
        See :func:`subspan.w2s.labelled.explain`. With fewer labels than coordinates the estimates are
        unbiased but noisy.
        """
        x = np.concatenate(self.whitened(strong, weak), axis=1)
        y = (
            np.asarray(labels, np.float64).reshape(len(x), -1)
            if np.ndim(labels)
            else np.zeros((0, 0))
        )
        if len(y) != len(x) or not np.isfinite(y).all():
            raise ValueError(f"labels must be {len(x)} finite rows, got shape {np.shape(labels)}")
        if len(x) < 20:
            raise ValueError(
                f"labels has {len(x)} rows; at least 20 are needed to tell noise from bias"
            )
        if self.mean is not None:
            y = y - y.mean(axis=0)
        found = explain(x, y, self.moment, self.d_strong)
        return dataclasses.replace(
            self,
            noise_var=found.noise_var,
            bias=found.bias,
            labels=found.labels,
            target=found.target,
            target_square=found.square,
            label_covariance=found.covariance,
        )

    def _setting(self, noise_var: float | None, bias: Any) -> tuple[float, Bias]:
        if noise_var is None:
            noise_var = 1.0 if self.noise_var is None else self.noise_var
        return noise_var, as_bias(self.bias if bias is None else bias)

    def predict(
        self,
        n: Any,
        N: Any,
        *,
        noise_var: float | None = None,
        bias: Any = None,
        ridge: tuple[float, float] | None = None,
    ) -> Risks:
        """Predict the excess risks with n labels and N pseudo-labels.

        Parameters
        ----------
        n, N : int or array of int
        noise_var : float, optional
            By default that of the labels; without labels 1, risks being in units of the noise.
        bias : optional
            By default that from the labels; without labels none.
        ridge : (strong, weak), optional
            Ridge of either model on features along the kept directions, see :func:`predict_ridge_risk`;
            needs labels, and single numbers n and N.

        Returns
        -------
        Risks
            Without ridge its intervals take `standard_error`, `sketch_error` and, for noise and bias from
            labels, `label_covariance` into account; what a call gives counts as known. With ridge the
            direction of the target is that of least squares on the labels: have several times more labels
            than dimensions.

        Raises
        ------
        ValueError
            If ridge is given and the report has no labels.
        """
        given_noise, given_bias = noise_var is not None, bias is not None
        noise, known = self._setting(noise_var, bias)
        if ridge is not None:
            return self._predict_ridge(n, N, noise, *ridge)
        return predict_risk(
            *(self.d_strong, self.d_weak, self.d_overlap, n, N, noise),
            bias=known,
            overlap_error=float(np.hypot(self.standard_error, self.sketch_error)),
            label_covariance=self._uncertain(given_noise, given_bias),
        )

    def _uncertain(self, noise: bool, bias: bool) -> Array | None:
        """Covariance of what the labels say and the caller does not."""
        if self.label_covariance is None:
            return None
        unknown = np.array([not noise, *(not bias,) * 4])
        return self.label_covariance * np.outer(unknown, unknown)

    def _predict_ridge(self, n: int, N: int, noise: float, strong: float, weak: float) -> Risks:
        if self.target is None:
            raise ValueError("a prediction with ridge needs labels: use with_labels first")
        if self.target.shape[1] != 1:
            raise ValueError("a prediction with ridge is for one column of labels")
        d = self.d_strong
        return predict_ridge_risk(
            self.spectrum_strong[:d],
            self.spectrum_weak[: self.d_weak],
            self.moment[:d, d:],
            self.target[:d, 0],
            self.target[d:, 0],
            self.target_square,
            n,
            N,
            noise,
            ridge_strong=strong,
            ridge_weak=weak,
        )

    def best_label_budget(self, N: int, **options: Any) -> int:
        """Return the number of labels at which pseudo-labels help most, see :func:`best_label_budget`.

        Parameters
        ----------
        N : int
        **options
            `noise_var` and `bias`, by default those of the labels as for :meth:`predict`, and the options of
            the function.

        Returns
        -------
        int
        """
        noise, bias = self._setting(options.pop("noise_var", None), options.pop("bias", None))
        dims = self.d_strong, self.d_weak, self.d_overlap
        return best_label_budget(*dims, N, noise, bias=bias, **options)

    def pseudo_labels_needed(self, n: int, **options: Any) -> float:
        """Return the N from which more does not help, see :func:`pseudo_labels_needed`.

        Parameters
        ----------
        n : int
        **options
            `noise_var` and `bias`, by default those of the labels as for :meth:`predict`, and the options of
            the function.

        Returns
        -------
        float
        """
        noise, bias = self._setting(options.pop("noise_var", None), options.pop("bias", None))
        dims = self.d_strong, self.d_weak, self.d_overlap
        return pseudo_labels_needed(*dims, n, noise, bias=bias, **options)

    def table(self) -> str:
        """The main numbers as text."""
        from .report_table import table

        return table(self)

    def plot(self, **options: Any) -> Any:
        """Draw spectra, correlations and predicted risks, see :func:`subspan.plots.weak_to_strong`.

        Parameters
        ----------
        **options
            `n`, `N` and `ax` of that function.

        Returns
        -------
        array of matplotlib.axes.Axes
        """
        from ..plots import weak_to_strong

        return weak_to_strong(self, **options)

    def __repr__(self) -> str:
        low, high = self.interval
        text = (
            f"<W2SReport: strong dimension {self.d_strong}, weak {self.d_weak}, overlap "
            f"{self.d_overlap:.1f} ({low:.1f} to {high:.1f}) from {self.rows} rows"
        )
        for side, angles in self.sketched.items():
            text += f"; sketched {side} directions to a median sine of {np.median(angles.left):.2g}"
        if self.official_warning:
            text += f"; warning: the published {self.official:.1f} is chance, {self.official_chance:.1f}"
        return text + ("" if self.noise_var is None else f"; noise {self.noise_var:.3g}") + ">"


def warn(message: str) -> None:
    """Warn at the line that called the package."""
    warnings.warn(message, RuntimeWarning, stacklevel=callers_level())
