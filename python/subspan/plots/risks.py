"""Weak-to-strong: curves of predicted risks, and which directions of two models overlap."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..w2s import Risks, W2SReport
from .figure import label, legend, single
from .style import palette_of

CURVES = {
    "weak": "weak teacher",
    "w2s": "student",
    "strong_baseline": "strong, n labels",
    "strong_ceiling": "ceiling",
}


def risks(predicted: Risks, *, runs: int = 500, ax: Any = None) -> Any:
    """Draw the four predicted excess risks against the number of labels or pseudo-labels.

    Parameters
    ----------
    predicted : Risks
        From :meth:`W2SReport.predict` or :func:`subspan.w2s.predict_risk`, one of n and N an array.
    runs : int
        Simulated runs behind the band that holds 90 % of the students; 0 for no band.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Curves end where least squares interpolates and the risk has no formula.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If `predicted` is no curve of risks.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import plots, w2s
    >>> r = w2s.predict_risk(100, 150, 50, np.arange(200, 3000, 100), 5000, 0.1)
    >>> ax = plots.risks(r)
    >>> ax.get_xlabel()
    'labels n (N = 5000 pseudo-labels)'
    """
    if not isinstance(predicted, Risks):
        raise TypeError(f"predicted is a {type(predicted).__name__}; expected Risks")
    over = [name for name in ("n", "N") if np.ndim(getattr(predicted, name)) == 1]
    if len(over) != 1 or np.ndim(predicted.weak) != 1:
        shape = np.shape(predicted.weak)
        raise ValueError(f"predicted has shape {shape}; expected a curve: an array of n or of N")
    ax = single(ax)
    palette = palette_of(ax)
    samples = np.asarray(getattr(predicted, over[0]))
    order = (2, 0, 1, 3)  # blue for the student, whatever place it has
    colours = (palette.other, palette.ours, palette.best, palette.ink)
    for (name, text), i, colour in zip(CURVES.items(), order, colours, strict=True):
        values = np.asarray(getattr(predicted, name), np.float64)
        line = {**palette.line(i), "color": colour, "markevery": max(1, len(samples) // 8)}
        ax.plot(samples, np.where(np.isfinite(values), values, np.nan), label=text, **line)
    if runs:
        low, high = predicted.interval("w2s", runs=runs)
        ax.fill_between(
            samples, low, high, color=palette.ours, alpha=0.15, lw=0, label="student, 90 % of runs"
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    plain_ticks(ax.xaxis)
    x = f"labels n (N = {predicted.N} pseudo-labels)"
    if over[0] == "N":
        x = f"pseudo-labels N (n = {predicted.n} labels)"
    label(ax, "Predicted risks", x, "excess risk")
    legend(ax, fontsize=8)
    return ax


def overlap(report: W2SReport, *, most: int = 60, ax: Any = None) -> Any:
    """Heat map of the squared correlations between principal directions of two models.

    Parameters
    ----------
    report : W2SReport
    most : int
        Directions of each model that are shown, the leading ones.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its image holds the squared correlation of strong direction i and weak direction j. Over all
        directions they sum up to ``report.d_overlap_raw``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If `report` is no report, or `most` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import plots, w2s
    >>> x = np.random.default_rng(0).standard_normal((500, 30))
    >>> ax = plots.overlap(w2s.diagnose(x[:, :20], x[:, 15:], energy=1))
    >>> ax.get_images()[0].get_array().shape
    (20, 15)
    """
    if not isinstance(report, W2SReport):
        raise TypeError(f"report is a {type(report).__name__}; expected a W2SReport")
    if most < 1:
        raise ValueError(f"most={most} must be at least 1")
    ax = single(ax, 6.2, 4.8)
    palette = palette_of(ax)
    squares = report.moment[: report.d_strong, report.d_strong :] ** 2
    shown = squares[:most, :most]
    down, across = shown.shape
    box = (0.5, across + 0.5, down + 0.5, 0.5)
    image = ax.imshow(
        shown, cmap=palette.heat, vmin=0, extent=box, aspect="auto", interpolation="nearest"
    )
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.9)
    bar.set_label("squared correlation", color=palette.ink)
    part = "" if shown.size == squares.size else f", {shown.sum():.1f} of it here"
    label(
        ax,
        f"What is shared: {squares.sum():.1f} directions{part}",
        f"weak principal direction (of {report.d_weak})",
        f"strong principal direction (of {report.d_strong})",
        grid=False,
    )
    return ax


def plain_ticks(axis: Any) -> None:
    """Label 1, 2 and 5 of every decade as plain numbers: ranges of n are often short."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_formatter(NullFormatter())
