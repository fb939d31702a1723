"""Picture of a diagnosis: spectra, canonical correlations, predicted risks."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..w2s import W2SReport
from .figure import headline, label, legend, panels
from .risks import risks
from .style import Palette, palette_of


def weak_to_strong(
    report: W2SReport, *, n: Any = None, N: int | None = None, ax: Any = None
) -> Any:
    """Draw what two models have in common and what it predicts.

    Parameters
    ----------
    report : W2SReport
    n : array of int, optional
        Numbers of labels to predict for; by default from just above the weak dimension to 20 times it.
    N : int, optional
        Number of pseudo-labels, by default 20 times the strong dimension.
    ax : three matplotlib.axes.Axes, or four of sketched features, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    array of matplotlib.axes.Axes
        Spectra, canonical correlations, predicted risks; of sketched features also the canonical angles
        between their leading directions and the true ones. Write the figure with :func:`save`.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import plots, w2s
    >>> x = np.random.default_rng(0).standard_normal((500, 30))
    >>> axes = plots.weak_to_strong(w2s.diagnose(x[:, :20], x[:, 15:]))
    >>> len(axes)
    3
    """
    count = 4 if report.sketched else 3
    axes = panels(ax, count, 12.5 * count / 3, 4.0)
    spectra, correlations, predicted, *more = axes
    palette = palette_of(spectra)
    _draw_spectra(spectra, report, palette)
    _draw_correlations(correlations, report, palette)
    _draw_risks(predicted, report, n, N)
    if more:
        _draw_angles(more[0], report, palette)
    low, high = report.interval
    if ax is None:
        headline(
            axes,
            f"correlation dimension {report.d_overlap:.1f} ({low:.1f} to {high:.1f}) of strong "
            f"{report.d_strong} and weak {report.d_weak}",
        )
    return axes


def _draw_spectra(ax: Any, report: W2SReport, palette: Palette) -> None:
    sides = (
        ("strong", report.spectrum_strong, report.d_strong, palette.ours, "-", "o"),
        ("weak", report.spectrum_weak, report.d_weak, palette.other, "--", "s"),
    )
    for name, values, d, colour, dash, mark in sides:
        share = values / values.sum()
        shown = share > np.finfo(np.float64).eps
        where = np.flatnonzero(shown) + 1
        ax.plot(where, share[shown], dash, color=colour, label=f"{name}: {d} kept")
        ax.plot(d, share[d - 1], mark, color=colour, markersize=6)
    ax.set_xscale("log")
    ax.set_yscale("log")
    label(ax, "Spectra of the features", "index", "eigenvalue, part of the trace")
    legend(ax)


def _draw_correlations(ax: Any, report: W2SReport, palette: Palette) -> None:
    r = report.canonical_correlations
    ax.bar(np.arange(1, len(r) + 1), r, width=1.0, color=palette.ours, alpha=0.75)
    chance = f"chance stays below ({report.rows} rows)"
    ax.axhline(report.chance_edge, color=palette.ink, linestyle="--", label=chance)
    if report.official_warning:
        note = f"published estimator {report.official:.1f}:\nchance, {report.official_chance:.1f}. Do not use"
        ax.text(0.97, 0.78, note, transform=ax.transAxes, fontsize=8, color=palette.ink, ha="right", va="top",
                bbox={"facecolor": palette.paper, "alpha": 0.85, "edgecolor": palette.best})  # fmt: skip
    ax.set_ylim(0, 1.02 if r.max(initial=0) < 0.8 else 1.22)  # room for the legend
    ax.set_yticks(np.linspace(0, 1, 6))
    label(ax, "What the features share", "index", "canonical correlation", grid=False)
    legend(ax, loc="upper right")


def _draw_risks(ax: Any, report: W2SReport, n: Any, N: int | None) -> None:
    if N is None:
        N = 20 * report.d_strong
    if n is None:
        d = report.d_weak
        n = np.unique(np.geomspace(1.2 * d + 2, 20 * d + 20, 60).astype(np.int64))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # curves end where the risk has no formula
        risks(report.predict(np.atleast_1d(n), N), ax=ax)
    unit = "in units of the noise" if report.noise_var is None else "predicted"
    ax.set_ylabel(f"excess risk, {unit}")


def _draw_angles(ax: Any, report: W2SReport, palette: Palette) -> None:
    lines = {"strong": (palette.ours, "-"), "weak": (palette.other, "--")}
    for name, angles in report.sketched.items():
        colour, dash = lines[name]
        ax.plot(np.arange(1, angles.rank + 1), angles.left, dash, color=colour, label=name)
    ax.axhline(0.1, color=palette.best, linestyle=":")
    ax.set_yscale("log")
    ax.set_ylim(top=1.2)
    label(ax, "Angles of the sketch to the features", "index", "estimated sine")
    legend(ax)
