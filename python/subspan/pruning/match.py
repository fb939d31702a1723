"""Weights whose outputs on changed inputs come closest to those of the dense network."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._array import as_tolerance, library_of, to_caller
from .blas import apply, inner, product
from .damping import factor, scale_of, solve
from .exceptions import NotEnoughSamples, SingularMoments
from .inputs import Array, as_kept, real_array
from .moments import Moments
from .reconstruct import DEFAULT_DAMPING, GRID
from .result import PredictedError, Reconstruction


def match_outputs(
    W: Any,
    moments: Moments,
    *,
    keep: Any = None,
    bias: Any = None,
    damping: float | str = "auto",
    held_out: Moments | None = None,
) -> Reconstruction:
    """Refit a linear layer to targets, from inputs that are no longer those it was made for.

    The step of the two-step reconstruction of GOA, at either level of a module, before or after units have
    been removed.

    Parameters
    ----------
    W : array, shape (outputs, m)
    moments : Moments with ``outputs``
        Of the inputs as they are now, x, and of the targets y: what the dense layer gave, its bias included.
    keep : array of int, optional
        Inputs that stay; all by default.
    bias : array, shape (outputs,), optional
        Refitted with the weights if given.
    damping : float or "auto"
        Pull towards W as it is, in units of the median mean square of the inputs, see :func:`reconstruct`.
    held_out : Moments, optional
        Where "auto" is judged.

    Returns
    -------
    Reconstruction
        Errors are shares of ``E |y - b|^2``; "dropped" is that of W as it is, without the lost inputs.

    Raises
    ------
    ValueError
        If shapes do not fit, or the moments hold no targets.
    NotEnoughSamples, SingularMoments
        As :func:`reconstruct`.

    Notes
    -----
    ``W_K + (E y x_K^T - W_K S_KK) (S_KK + lam I)^-1``, about the means if there is a bias. With the inputs
    of the dense layer it equals :func:`reconstruct`.

    References
    ----------
    Li, Dong, Lei, arXiv 2407.19126, Algorithm 1, whose ridge pulls towards zero.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import Moments, match_outputs
    >>> x = np.random.default_rng(0).standard_normal((50, 2))
    >>> moments = Moments(2, outputs=1).update(2 * x, x @ np.ones((2, 1)))
    >>> match_outputs(np.ones((1, 2)), moments, damping=0).W.round(6)
    array([[0.5, 0.5]])
    """
    library, given = library_of(W), real_array(W, "W")
    m = given.shape[1]
    kept = np.arange(m, dtype=np.int64) if keep is None else as_kept(keep, m)
    b = None if bias is None else real_array(bias, "bias", 1).astype(np.float64)
    wide = given.astype(np.float64)[:, kept]
    fit = _Targets(moments, kept, given.shape, b, "moments")
    test = None if held_out is None else _Targets(held_out, kept, given.shape, b, "held_out")
    tried: dict[str, float] = {}
    if damping == "auto":
        chosen, tried = _best(fit, test, wide) if test is not None else (DEFAULT_DAMPING, tried)
    else:
        chosen = np.inf if damping == np.inf else as_tolerance(damping, "damping")
    if chosen == 0 and fit.n < len(kept):
        raise NotEnoughSamples(
            f"{fit.n} rows do not determine {len(kept)} weights; give damping > 0"
        )
    change, shift = fit.solve(wide, chosen)
    new = wide + change
    nothing = np.zeros_like(shift)
    predicted = PredictedError(
        absolute=fit.loss(new, shift),
        relative=fit.share(new, shift),
        held_out=None if test is None else test.share(new, shift),
        dropped=fit.share(wide, nothing),
        dropped_held_out=None if test is None else test.share(wide, nothing),
    )
    result = Reconstruction(
        W=new.astype(given.dtype),
        bias=None if b is None else (b + shift).astype(given.dtype),
        keep=kept,
        damping=float(chosen),
        scale=fit.scale,
        predicted=predicted,
        tried=tried,
    )
    return to_caller(result, library)


class _Targets:
    """Moments of the kept inputs x and of ``t = y - b``, what the weights are to give."""

    def __init__(
        self, moments: Moments, kept: Any, shape: tuple[int, ...], bias: Array | None, name: str
    ) -> None:
        if not isinstance(moments, Moments) or (moments.outputs, moments.dim) != shape:
            raise ValueError(f"{name} must be Moments of {shape[1]} inputs with outputs={shape[0]}")
        self.n, self.free = moments.n, bias is not None
        b = np.zeros(shape[0]) if bias is None else bias
        self.S = moments.second_moment()[np.ix_(kept, kept)]
        self.x = moments.mean[kept]
        self.t = moments.mean_outputs() - b
        self.cross = moments.cross()[kept].T - np.outer(b, self.x)
        self.energy = max(
            moments.outputs_squared() - 2 * float(b @ moments.mean_outputs()) + float(b @ b), 0.0
        )
        self.scale = scale_of(self.S)

    def solve(self, W: Array, damping: float) -> tuple[Array, Array]:
        """Change of the weights and of the bias."""
        change = np.zeros_like(W)
        S, cross = self.S, self.cross
        if self.free:
            S, cross = S - np.outer(self.x, self.x), cross - np.outer(self.t, self.x)
        if damping < np.inf and self.scale > 0:
            change = solve(factor(S, damping * self.scale), (cross - product(W, S)).T).T
        shift = self.t - apply(W + change, self.x) if self.free else np.zeros(len(W))
        return change, shift

    def loss(self, W: Array, shift: Array) -> float:
        """``E |t - W x - shift|^2``."""
        fitted = inner(product(W, self.S) - 2 * self.cross, W)
        moved = float(shift @ (shift - 2 * (self.t - apply(W, self.x))))
        return max(self.energy + fitted + moved, 0.0)

    def share(self, W: Array, shift: Array) -> float:
        return self.loss(W, shift) / self.energy if self.energy > 0 else 0.0


def _best(fit: _Targets, test: _Targets, W: Array) -> tuple[float, dict[str, float]]:
    """The damping with the least held-out error; the larger of equal ones."""
    errors: dict[float, float] = {}
    for damping in (np.inf, *reversed(GRID)):
        try:
            change, shift = fit.solve(W, damping)
        except SingularMoments:
            break
        errors[damping] = test.share(W + change, shift)
    best = min(errors, key=errors.__getitem__)
    return best, {f"{d:g}": e for d, e in errors.items()}
