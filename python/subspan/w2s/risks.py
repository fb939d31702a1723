"""Expected excess risks before anything is trained."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._array import as_tolerance
from .._rng import seed_word
from ..exceptions import callers_level
from ..result import Result
from . import formulas
from .bias import Bias, as_bias
from .ratios import gap_recovered, outperforming
from .spread import draw_risks

Array = NDArray[np.float64]
NAMES = ("weak", "w2s", "strong_baseline", "strong_ceiling")
METHODS = {"exact": formulas.exact, "asymptotic": formulas.asymptotic}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Risks(Result):
    """Expected excess risks of four estimators; unpacks into them.

    Attributes
    ----------
    weak : float or array
        Teacher: weak features, n labels. Arrays have the common shape of n and N.
    w2s : float or array
        Student: strong features, N pseudo-labels of the teacher.
    strong_baseline : float or array
        Strong features, the n labels of the teacher.
    strong_ceiling : float or array
        Strong features, n + N labels.
    pgr, opr : float or array
        Performance gap recovery and outperforming ratio of the expectations.
    d_strong, d_weak, d_overlap : float
        Intrinsic dimensions and correlation dimension.
    n, N : int or array
    noise_var : float
    bias : Bias
    method : {"exact", "asymptotic", "equivalent"}
        The last for ridge regression, see :func:`predict_ridge_risk`.
    overlap_error : float
        Standard error of `d_overlap`, which :meth:`interval` takes into account.
    label_covariance : array, shape (5, 5), or None
        Covariance of the estimates of `noise_var` and of the four squares of `bias`, which :meth:`interval`
        and the refusal of a `pgr` without a gap take into account; None where they are given.

    Examples
    --------
    >>> from subspan.w2s import predict_risk
    >>> r = predict_risk(100, 200, 10, n=400, N=4000, noise_var=0.01)
    >>> weak, w2s, strong_baseline, strong_ceiling = r
    >>> r.happens, r.gain == weak - w2s
    (True, True)
    >>> low, high = r.interval("pgr", 0.9)
    >>> low < r.pgr < high
    True
    """

    weak: Any
    w2s: Any
    strong_baseline: Any
    strong_ceiling: Any
    pgr: Any
    opr: Any
    d_strong: float
    d_weak: float
    d_overlap: float
    n: Any
    N: Any
    noise_var: float
    bias: Bias
    method: str
    overlap_error: float = 0.0
    label_covariance: Array | None = None

    _unpacks: ClassVar[tuple[str, ...]] = NAMES

    def __len__(self) -> int:
        return 4

    @property
    def gain(self) -> Any:
        """``ER_w - ER_w2s``: positive where the student surpasses its teacher."""
        return self.weak - self.w2s

    @property
    def happens(self) -> Any:
        """Whether the student is expected to surpass its teacher."""
        return self.gain > 0

    @functools.cached_property
    def paper(self) -> Risks:
        """The first-order formulas of the paper for the same setting."""
        return _risks(
            "asymptotic",
            (self.d_strong, self.d_weak, self.d_overlap, self.n, self.N, self.noise_var),
            self.bias,
            self.overlap_error,
            self.label_covariance,
        )

    @property
    def lower_bounds(self) -> tuple[Any, Any]:
        """The paper's first-order lower bounds of `pgr` and `opr`."""
        setting = (
            self.d_strong,
            self.d_weak,
            self.d_overlap,
            self.n,
            self.N,
            self.noise_var,
            self.bias,
        )
        pgr, opr = formulas.lower_bounds(*setting)
        return (float(pgr), float(opr)) if np.ndim(pgr) == 0 else (pgr, opr)

    def draw(self, runs: int = 2000, *, rng: Any = 0) -> dict[str, Array]:
        """Draw single training runs: the four risks, `pgr`, `opr` and `gain`, runs along the first axis.

        The law is that of Gaussian features; see :func:`subspan.w2s.spread.draw_risks` for what is
        assumed. Each run draws the correlation dimension anew with the standard error `overlap_error`, and
        noise and bias with `label_covariance`, negative ones being put at zero.

        Parameters
        ----------
        runs : int
        rng : int, numpy.random.Generator or None

        Returns
        -------
        dict of str to array, shape (runs, ...)

        Raises
        ------
        ValueError
            For predictions with ridge.
        """
        if self.method == "equivalent":
            raise ValueError("single runs can be drawn without ridge only")
        generator = np.random.default_rng(seed_word(rng))
        shape = np.broadcast_shapes(np.shape(self.n), np.shape(self.N))
        d_sw = self.d_overlap + self.overlap_error * generator.standard_normal(
            (runs, *(1,) * len(shape))
        )
        d_sw = np.broadcast_to(np.clip(d_sw, 0, min(self.d_strong, self.d_weak)), (runs, *shape))
        noise, bias = self._settings(runs, len(shape), generator)
        dims = self.d_strong, self.d_weak, d_sw
        drawn = draw_risks(*dims, self.n, self.N, noise, bias, generator)
        found = dict(zip(NAMES, drawn, strict=True))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a run may lack a gap
            found["pgr"] = gap_recovered(found["weak"], found["w2s"], found["strong_ceiling"])
        found["opr"] = outperforming(found["strong_baseline"], found["w2s"])
        found["gain"] = found["weak"] - found["w2s"]
        return found

    def _settings(self, runs: int, grid: int, rng: np.random.Generator) -> tuple[Any, Bias]:
        """Noise and bias of every run, as far as the labels tell them."""
        if self.label_covariance is None:
            return self.noise_var, self.bias
        b = self.bias
        values, vectors = np.linalg.eigh(self.label_covariance)
        spread = vectors * np.sqrt(np.maximum(values, 0))
        centre = np.array([self.noise_var, b.weak, b.strong, b.student, b.leak])
        drawn = np.maximum(centre + rng.standard_normal((runs, 5)) @ spread.T, 0)
        noise, *squares = (part.reshape(runs, *(1,) * grid) for part in drawn.T)
        weak, strong, student, leak = squares
        return noise, Bias(weak, strong, student, leak, b.exact)

    def interval(
        self, name: str = "pgr", level: float = 0.9, *, runs: int = 2000, rng: Any = 0
    ) -> tuple[Any, Any]:
        """Return the interval that holds a quantity of one training run with probability `level`.

        Parameters
        ----------
        name : {"weak", "w2s", "strong_baseline", "strong_ceiling", "pgr", "opr", "gain"}
        level : float
            Between 0 and 1.
        runs : int
        rng : int, numpy.random.Generator or None

        Returns
        -------
        (low, high) : floats or arrays of the shape of n and N

        Raises
        ------
        ValueError
            If `name` is unknown or `level` is out of range.
        """
        if name not in (*NAMES, "pgr", "opr", "gain"):
            raise ValueError(f"name={name!r} must be one of {(*NAMES, 'pgr', 'opr', 'gain')}")
        if not 0 < level < 1:
            raise ValueError(f"level={level} must lie between 0 and 1")
        values = self.draw(runs, rng=rng)[name]
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)

    def table(self) -> str:
        """Risks beside the paper's first-order formulas, as text.

        For arrays of n and N one line each, without the paper's.
        """
        if np.ndim(self.weak) == 0:
            lines = [f"{'':<16}{self.method:>12}{'first order':>14}"]
            for name in (*NAMES, "pgr", "opr"):
                lines.append(
                    f"{name:<16}{getattr(self, name):>12.4g}{getattr(self.paper, name):>14.4g}"
                )
            return "\n".join(lines)
        columns = ("n", "N", *NAMES, "pgr", "opr")
        values = np.broadcast_arrays(*(getattr(self, name) for name in columns))
        lines = ["".join(f"{name:>16}" for name in columns)]
        lines += [
            "".join(f"{value:>16.4g}" for value in row)
            for row in zip(*(np.ravel(v) for v in values), strict=True)
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        if np.ndim(self.weak):
            happens = np.mean(self.happens)
            return f"<Risks: grid of shape {np.shape(self.weak)}, student ahead of teacher in {happens:.0%}>"
        student = "ahead of" if self.happens else "not ahead of"
        return (
            f"<Risks: teacher {self.weak:.3g}, student {self.w2s:.3g} ({student} it), baseline "
            f"{self.strong_baseline:.3g}, ceiling {self.strong_ceiling:.3g}; PGR {self.pgr:.3g}, "
            f"OPR {self.opr:.3g}>"
        )


def predict_risk(
    d_strong: float,
    d_weak: float,
    d_overlap: float,
    n: Any,
    N: Any,
    noise_var: float,
    *,
    bias: Any = None,
    method: str = "exact",
    overlap_error: float = 0.0,
    label_covariance: Any = None,
) -> Risks:
    """Expected excess risks of teacher, student, strong baseline and strong ceiling, before training.

    All four are ridgeless least squares, the teacher on n labels, the student on N of its pseudo-labels.

    Parameters
    ----------
    d_strong, d_weak : float
        Intrinsic dimensions of the features.
    d_overlap : float
        Correlation dimension, the sum of squared canonical correlations; from :func:`diagnose`.
    n, N : int or array of int
        Numbers of labels and pseudo-labels; arrays broadcast to a grid.
    noise_var : float
        Variance of the labels around the target.
    bias : Bias, or (weak, strong), or (weak, strong, student, leak), optional
        What the features cannot express of the target; none by default. Two numbers bound the others, and
        then `w2s` is an upper bound.
    method : {"exact", "asymptotic"}
        Expectations for Gaussian features at any n and N, or the first-order formulas of the paper, that
        of the student being an upper bound.
    overlap_error : float
        Standard error of `d_overlap`.
    label_covariance : array, shape (5, 5), optional
        Covariance of the estimates of `noise_var` and of the four squares (weak, strong, student, leak) of
        `bias`, if they come from labels; :meth:`W2SReport.predict` gives it.

    Returns
    -------
    Risks
        Infinite at the peaks of double descent, ``d <= samples <= d + 1``; NaN, with a warning, for fewer
        samples, where least squares interpolates and no formula in the dimensions alone exists. The
        recovery `pgr` is NaN, with a warning, where teacher and ceiling do not differ, or by less than
        twice the standard error that `label_covariance` gives their difference.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, negative, or `d_overlap` exceeds the smaller dimension.

    Notes
    -----
    Features ``V_w^T z`` and ``V_s^T z`` of a white Gaussian z, orthonormal V. With
    ``t = (noise_var + bias.weak)/(n - d_w - 1)``, the variance of a whitened coordinate of the teacher,
    the student's risk is ``bias.student + t d_sw + (bias.leak + t (d_w - d_sw)) d_s/(N - d_s - 1)``: it
    inherits the teacher's variance where their features correlate and averages it out elsewhere.
    O(1) per entry of the grid.

    References
    ----------
    Dong, Li, Lee, "Discrepancies are virtue", arXiv 2502.05075, for the setting and the first order.

    Examples
    --------
    >>> from subspan.w2s import predict_risk
    >>> r = predict_risk(100, 200, 10, n=400, N=4000, noise_var=0.01)
    >>> round(r.weak / r.w2s, 1), round(r.pgr, 3)
    (13.4, 0.948)
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} must be one of {tuple(METHODS)}")
    dims = [as_tolerance(d_strong, "d_strong"), as_tolerance(d_weak, "d_weak")]
    overlap = as_tolerance(d_overlap, "d_overlap")
    if overlap > min(dims) * (1 + 1e-12):
        raise ValueError(
            f"d_overlap={overlap:g} must not exceed the dimensions d_strong={dims[0]:g}, d_weak={dims[1]:g}"
        )
    n, N = as_sizes(n, "n"), as_sizes(N, "N")
    noise = as_tolerance(noise_var, "noise_var")
    setting = (*dims, min(overlap, *dims), n, N, noise)
    error = as_tolerance(overlap_error, "overlap_error")
    result = _risks(method, setting, as_bias(bias), error, _as_covariance(label_covariance))
    if np.isnan(result.weak).any() or np.isnan(result.w2s).any():
        warnings.warn(
            "some sample sizes are below the dimension of the features: least squares interpolates there "
            "and the risk is NaN",
            RuntimeWarning,
            stacklevel=callers_level(),
        )
    return result


def as_sizes(value: Any, name: str) -> Any:
    """Check numbers of samples: one integer, or an array of them."""
    sizes = np.asarray(value)
    if sizes.dtype.kind not in "iuf":
        raise TypeError(f"{name} has dtype {sizes.dtype}; expected integers")
    if not (np.isfinite(sizes).all() and (sizes >= 1).all() and (sizes == np.floor(sizes)).all()):
        raise ValueError(f"{name}={value!r} must be integers, at least 1")
    return int(sizes) if sizes.ndim == 0 else sizes.astype(np.int64)


def _as_covariance(given: Any) -> Array | None:
    if given is None:
        return None
    C = np.asarray(given, np.float64)
    if C.shape != (5, 5) or not np.isfinite(C).all() or not np.allclose(C, C.T):
        raise ValueError(
            f"label_covariance has shape {C.shape}; expected a finite symmetric matrix, 5 x 5"
        )
    return C


def _risks(
    method: str,
    setting: tuple[Any, ...],
    bias: Bias,
    overlap_error: float,
    covariance: Array | None,
) -> Risks:
    d_s, d_w, d_sw, n, N, noise = setting
    four = np.broadcast_arrays(*METHODS[method](d_s, d_w, d_sw, n, N, noise, bias))
    weak, w2s, strong, ceiling = (float(x) if x.ndim == 0 else np.array(x) for x in four)
    unsure = 0.0 if covariance is None else 2 * _gap_error(method, setting, covariance)
    pgr, opr = gap_recovered(weak, w2s, ceiling, unsure), outperforming(strong, w2s)
    return Risks(
        weak=weak,
        w2s=w2s,
        strong_baseline=strong,
        strong_ceiling=ceiling,
        pgr=pgr,
        opr=opr,
        d_strong=d_s,
        d_weak=d_w,
        d_overlap=d_sw,
        n=n,
        N=N,
        noise_var=noise,
        bias=bias,
        method=method,
        overlap_error=overlap_error,
        label_covariance=covariance,
    )


def _gap_error(method: str, setting: tuple[Any, ...], covariance: Array) -> Any:
    """Standard error of ``weak - ceiling``, which is linear in noise and bias."""
    slopes = []
    d_s, d_w, d_sw, n, N, _ = setting
    for noise, weak, strong, student, leak in np.eye(5):
        with np.errstate(invalid="ignore"):
            unit = Bias(weak, strong, student, leak)
            risks = METHODS[method](d_s, d_w, d_sw, n, N, noise, unit)
            slopes.append(risks[0] - risks[3])
    a = np.stack(np.broadcast_arrays(*slopes))
    a = np.where(np.isfinite(a), a, 0.0)  # where there is no gap at all
    return np.sqrt(np.maximum(np.einsum("i...,ij,j...", a, covariance, a), 0))
