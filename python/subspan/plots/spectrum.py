"""Picture of a spectrum: the singular values that are known, and what is assumed of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import to_host
from ..angles.spectrum import as_spectrum
from .figure import label, legend, single
from .style import palette_of

TAILS = {"energy": "the energy left over, spread evenly", "pad": "the last one repeated"}


def spectrum(
    values: Any,
    *,
    size: int | None = None,
    residual: float | None = None,
    tail: str = "energy",
    truth: Any = None,
    ax: Any = None,
) -> Any:
    """Draw singular values against their index, and the model of the tail that bounds use.

    Parameters
    ----------
    values : SVDResult, or array of shape (k,)
        Known singular values. A decomposition brings `size` and `residual` with it.
    size : int, optional
        Number of singular values in all, the smaller dimension; without it there is no tail.
    residual : float, optional
        Frobenius norm of the matrix without the known part, for ``tail="energy"``.
    tail : {"energy", "pad"}
        "energy": values like the last known one, as many as the residual allows. "pad": like the last
        known one to the end.
    truth : array, optional
        All true singular values.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If the values are no singular values, `size` is smaller than their number, or `tail` is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import plots
    >>> ax = plots.spectrum(1 / np.arange(1.0, 11), size=100, residual=0.3)
    >>> [line.get_label() for line in ax.get_lines()]
    ['10 known', 'tail: the energy left over, spread evenly (9)']
    """
    if tail not in TAILS:
        raise ValueError(f"tail={tail!r} is not known; expected one of {tuple(TAILS)}")
    if hasattr(values, "s") and hasattr(values, "error"):
        if np.ndim(values.error.value):
            raise ValueError("values is of a batch: draw one of its matrices")
        size = min(values.shape) if size is None else size
        if residual is None and values.error.norm == "fro":
            residual = float(values.error.value)
        values = values.s
    known = _singular_values(values, "values")
    ax = single(ax)
    palette = palette_of(ax)
    if truth is not None:
        true = _singular_values(truth, "truth")
        style = {"color": palette.ink, "linewidth": 1.4, "label": "true"}
        ax.plot(np.arange(1, len(true) + 1), _visible(true), **style)
    ax.plot(
        np.arange(1, len(known) + 1),
        _visible(known),
        **{**palette.line(0), "linestyle": "none", "label": f"{len(known)} known"},
    )
    model = _tail(known, size, residual, tail)
    if len(model):
        where = np.arange(len(known), len(known) + len(model) + 1)
        name = f"tail: {TAILS[tail]} ({len(model)})"
        style = {"color": palette.other, "linestyle": "--", "linewidth": 1.6, "label": name}
        style |= {"marker": "s", "markersize": 4, "markevery": [-1]}
        ax.plot(where, [known[-1], *model], **style)
        ax.fill_between(where, [known[-1], *model], color=palette.other, alpha=0.12, lw=0)
    ax.set_yscale("log")
    label(ax, "Spectrum", "index", "singular value")
    legend(ax)
    return ax


def _singular_values(values: Any, name: str) -> NDArray[np.float64]:
    given = np.asarray(to_host(values, name))
    if given.ndim != 1 or not given.size:
        raise ValueError(f"{name} has shape {given.shape}; expected at least one singular value")
    if given.dtype.kind not in "fiu":
        raise TypeError(f"{name} has dtype {given.dtype}; singular values are real")
    given = given.astype(np.float64)
    if not np.isfinite(given).all() or (given < 0).any():
        raise ValueError(f"{name} has entries that are negative or not finite")
    return np.sort(given)[::-1]


def _tail(
    known: NDArray[np.float64], size: int | None, residual: float | None, tail: str
) -> NDArray[np.float64]:
    """Values beyond the known ones, as the bounds assume them."""
    if size is None or (tail == "energy" and residual is None) or known[-1] == 0:
        return np.zeros(0)
    model = as_spectrum(known, len(known), size=size, tail=tail, residual=residual)
    return np.repeat(model.tail, model.counts)


def _visible(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Zeros have no place on a logarithmic axis, and rounding noise none in the picture."""
    return np.where(values > values[0] * np.finfo(np.float64).eps, values, np.nan)
