"""Weights for the units that stay, so that the output changes least."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np

from .._array import as_tolerance, library_of, to_caller
from ..exceptions import callers_level
from .blas import apply, inner, product
from .damping import factor, scale_of, solve
from .exceptions import FewSamples, NotEnoughSamples, SingularMoments
from .inputs import Array, Indices, as_kept, others, real_array, second_moment_of
from .moments import Moments
from .result import PredictedError, Reconstruction

MODES = ("none", "bias", "ls", "ls+bias")
GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
DEFAULT_DAMPING = 1e-1


def reconstruct(
    W: Any,
    moments: Any,
    keep: Any,
    *,
    bias: Any = None,
    mode: str = "ls",
    damping: float | str = "auto",
    held_out: Any = None,
) -> Reconstruction:
    """Repair the matrix that reads the units of a module after some of them are gone.

    Parameters
    ----------
    W : array, shape (outputs, m)
        The matrix before; it is not changed.
    moments : Moments, or array of shape (m, m)
        Of the units, on the rows to fit; an array is their second moment. Modes with a bias need the mean,
        hence Moments.
    keep : array of int, shape (k,)
        Units that stay.
    bias : array of shape (outputs,), optional
        The bias before; zero if a mode with a bias makes one.
    mode : {"ls", "ls+bias", "bias", "none"}
        "none" drops; "bias" adds what the lost units contribute on average (FLAP); "ls" fits the kept
        columns to the whole output by least squares; "ls+bias" both at once.
    damping : float or "auto"
        Pull towards dropping, in units of the median mean square of the units: the fit minimises the
        error plus ``damping * scale * |change of W|^2``. 0 is least squares, infinity is dropping. "auto":
        the one of 1e-4 .. 10 and infinity with the least error on `held_out`; 0.1 without held-out rows.
    held_out : Moments or array, optional
        Moments of rows that take no part in the fit.

    Returns
    -------
    Reconstruction
        ``W, bias = r``, in the dtype of W, W of shape (outputs, k).

    Raises
    ------
    ValueError
        If an argument is out of range or does not fit.
    NotEnoughSamples
        Without damping, from fewer rows than kept units.
    SingularMoments
        Without enough damping, if the kept units depend on each other.

    Warns
    -----
    FewSamples
        If fewer than 4 k rows were seen and nothing is held out: the fit may do harm on other rows.

    Notes
    -----
    With P the lost units and C the covariance (or second moment), ``W_K + W_P C_PK (C_KK + lam I)^-1``. The
    error on the rows of the fit never exceeds that of dropping, for any damping; on the held-out rows it does
    not either if damping is chosen there. Per damping ``k^3 / 3 + 2 d k (k + d)`` flops and as much again
    for the held-out error.

    References
    ----------
    Hassibi and Stork, NIPS 1992 (Optimal Brain Surgeon); An et al., arXiv 2312.11983 ("bias").

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import gram, reconstruct
    >>> h = np.random.default_rng(0).standard_normal((100, 2))
    >>> h = np.c_[h, h[:, 0] - h[:, 1]]
    >>> r = reconstruct(np.ones((1, 3)), gram(h), [0, 1], damping=0)
    >>> bool(np.allclose(r.W, [[2, 0]])), r.predicted.relative < 1e-12
    (True, True)
    """
    if mode not in MODES:
        raise ValueError(f"mode={mode!r} is not known; expected one of {MODES}")
    library, given = library_of(W), real_array(W, "W")
    m = given.shape[1]
    b = None if bias is None else real_array(bias, "bias", 1)
    if b is not None and len(b) != len(given):
        raise ValueError(f"bias has shape {b.shape}; expected {(len(given),)}")
    with_bias = mode.endswith("bias")
    wide = given.astype(np.float64)
    module = _Module(wide, as_kept(keep, m), _Rows.of(moments, m, with_bias), with_bias)
    test = None if held_out is None else _Rows.of(held_out, m, with_bias, "held_out")
    tried: dict[str, float] = {}
    fitted = None
    if mode in ("none", "bias"):
        chosen = np.inf
    elif isinstance(damping, str):
        if damping != "auto":
            raise ValueError(f"damping={damping!r} must be a number or 'auto'")
        module.warn_few(test)
        chosen = DEFAULT_DAMPING
        if test is not None:
            chosen, fitted, tried = _best(module, test, test.energy(wide))
    else:
        chosen = np.inf if damping == np.inf else as_tolerance(damping, "damping")
        module.require_rows(chosen)
    change, shift = module.fit(chosen) if fitted is None else fitted
    predicted = _predict(module, test, change, shift)
    new_bias = None if b is None else np.array(b)
    if with_bias:
        new_bias = (shift if b is None else b + shift).astype(given.dtype)
    result = Reconstruction(
        W=(wide[:, module.kept] + change).astype(given.dtype),
        bias=new_bias,
        keep=module.kept,
        damping=float(chosen),
        scale=module.scale,
        predicted=predicted,
        tried=tried,
    )
    return to_caller(result, library)


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Moments of one set of rows: their number, mean and second moment."""

    S: Array
    mean: Array | None
    n: float

    @classmethod
    def of(cls, moments: Any, m: int, with_mean: bool, name: str = "moments") -> _Rows:
        S = second_moment_of(moments, m, name)
        if isinstance(moments, Moments):
            return cls(S, moments.mean, moments.n)
        if with_mean:
            raise TypeError(f"{name} is an array without a mean; a bias needs Moments")
        return cls(S, None, np.inf)

    def energy(self, W: Array) -> float:
        return max(_inner(W, self.S), 0.0)


class _Module:
    """A matrix W whose columns P are lost, and the rows by which the others make up for it."""

    def __init__(self, W: Array, kept: Indices, rows: _Rows, with_bias: bool) -> None:
        self.W, self.kept, self.rows = W, kept, rows
        self.lost = others(kept, W.shape[1])
        self.mean = rows.mean if with_bias else None
        C = rows.S if self.mean is None else rows.S - np.outer(self.mean, self.mean)
        self.among = C[np.ix_(kept, kept)]
        self.owed = product(W[:, self.lost], C[np.ix_(self.lost, kept)])
        self.scale = scale_of(self.among)

    def require_rows(self, damping: float) -> None:
        if damping == 0 and self.rows.n < len(self.kept):
            raise NotEnoughSamples(
                f"{self.rows.n} rows do not determine the weights of {len(self.kept)} units; show at "
                "least as many, better 4 times, or give damping > 0"
            )

    def warn_few(self, test: _Rows | None) -> None:
        if test is None and self.rows.n < 4 * len(self.kept):
            warnings.warn(
                f"least squares for {len(self.kept)} units from {self.rows.n} rows, none held out: the "
                "error on other rows may be larger than that of dropping; give held_out",
                FewSamples,
                stacklevel=callers_level(),
            )

    def fit(self, damping: float) -> tuple[Array, Array]:
        """Change of the kept columns, and of the bias."""
        change = np.zeros((len(self.W), len(self.kept)))
        if damping < np.inf and self.scale > 0 and len(self.lost):
            L = factor(self.among, damping * self.scale)
            change = solve(L, self.owed.T).T
        shift = np.zeros(len(self.W))
        if self.mean is not None:
            shift = apply(self.W[:, self.lost], self.mean[self.lost]) - apply(
                change, self.mean[self.kept]
            )
        return change, shift

    def dropped(self, rows: _Rows) -> float:
        """``E |W_P h_P|^2`` over these rows: the loss without a repair."""
        return max(_inner(self.W[:, self.lost], rows.S[np.ix_(self.lost, self.lost)]), 0.0)

    def loss(self, rows: _Rows, change: Array, shift: Array) -> float:
        """``E |(W - W') h - shift|^2`` over these rows."""
        E = self.W.copy()
        E[:, self.kept] = -change
        squared = rows.energy(E)
        if rows.mean is not None and shift.any():
            squared += float(shift @ (shift - 2 * apply(E, rows.mean)))
        return max(squared, 0.0)


class _Trial:
    """Losses of many repairs on the same rows, ``|C|_KK^2 - 2 <C, W_P S_PK> + |W_P|_PP^2`` and the shift.

    Cheaper than the loss of one repair, and as good to a few roundings of the loss of dropping.
    """

    def __init__(self, module: _Module, rows: _Rows) -> None:
        kept, lost = module.kept, module.lost
        self.among = rows.S[np.ix_(kept, kept)]
        self.owed = product(module.W[:, lost], rows.S[np.ix_(lost, kept)])
        self.dropped = module.dropped(rows)
        self.mean, self.kept = rows.mean, kept
        self.missing = np.zeros(len(module.W))
        if rows.mean is not None:
            self.missing = apply(module.W[:, lost], rows.mean[lost])

    def loss(self, change: Array, shift: Array) -> float:
        squared = self.dropped + _inner(change, self.among) - 2 * inner(change, self.owed)
        if self.mean is not None and shift.any():
            left = self.missing - apply(change, self.mean[self.kept])
            squared += float(shift @ (shift - 2 * left))
        return squared


def _best(
    module: _Module, test: _Rows, reference: float
) -> tuple[float, tuple[Array, Array], dict[str, float]]:
    """The damping with the least held-out error, the larger of equal ones; its fit; the errors of all."""
    chosen, fitted = np.inf, module.fit(np.inf)
    trial = _Trial(module, test)
    errors = {chosen: trial.loss(*fitted)}
    for damping in reversed(GRID):
        try:
            candidate = module.fit(damping)
        except SingularMoments:
            break  # less damping is no better
        errors[damping] = trial.loss(*candidate)
        if errors[damping] < errors[chosen]:
            chosen, fitted = damping, candidate
    return chosen, fitted, {f"{d:g}": _share(e, reference) for d, e in errors.items()}


def _predict(module: _Module, test: _Rows | None, change: Array, shift: Array) -> PredictedError:
    reference = module.rows.energy(module.W)
    absolute = module.loss(module.rows, change, shift)
    held_out = dropped_held_out = None
    if test is not None:
        size = test.energy(module.W)
        held_out = _share(module.loss(test, change, shift), size)
        dropped_held_out = _share(module.dropped(test), size)
    return PredictedError(
        absolute=absolute,
        relative=_share(absolute, reference),
        held_out=held_out,
        dropped=_share(module.dropped(module.rows), reference),
        dropped_held_out=dropped_held_out,
    )


def _inner(W: Array, S: Array) -> float:
    """``tr(W S W^T)``."""
    return inner(product(W, S), W)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
