"""Picture of a diagnosis: spectra, canonical correlations, predicted risks."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..w2s import W2SReport
from .figure import BEST, INK, OTHER, OURS, new_figure


def weak_to_strong(report: W2SReport, *, n: Any = None, N: int | None = None) -> Any:
    """Draw what two models have in common and what it predicts.

    Parameters
    ----------
    report : W2SReport
    n : array of int, optional
        Numbers of labels to predict for; by default from just above the weak dimension to 20 times it.
    N : int, optional
        Number of pseudo-labels, by default 20 times the strong dimension.

    Returns
    -------
    matplotlib.figure.Figure
        Write it with ``figure.savefig("picture.png")``. Of sketched features it also shows the canonical
        angles between their leading directions and the true ones.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import plots, w2s
    >>> x = np.random.default_rng(0).standard_normal((500, 30))
    >>> figure = plots.weak_to_strong(w2s.diagnose(x[:, :20], x[:, 15:]))  # doctest: +SKIP
    """
    panels = 4 if report.sketched else 3
    figure = new_figure(12.5 * panels / 3, 4.0)
    spectra, correlations, risks, *more = figure.subplots(1, panels)
    _draw_spectra(spectra, report)
    _draw_correlations(correlations, report)
    if N is None:
        N = 20 * report.d_strong
    if n is None:
        d = report.d_weak
        n = np.unique(np.geomspace(1.2 * d + 2, 20 * d + 20, 60).astype(np.int64))
    _draw_risks(risks, report, np.asarray(n), N)
    if more:
        _draw_angles(more[0], report)
    low, high = report.interval
    figure.suptitle(
        f"correlation dimension {report.d_overlap:.1f} ({low:.1f} to {high:.1f}) of strong "
        f"{report.d_strong} and weak {report.d_weak}",
        color=INK,
        fontweight="bold",
    )
    return figure


def _draw_spectra(ax: Any, report: W2SReport) -> None:
    sides = (
        ("strong", report.spectrum_strong, report.d_strong, OURS),
        ("weak", report.spectrum_weak, report.d_weak, OTHER),
    )
    for name, values, d, colour in sides:
        share = values / values.sum()
        shown = share > np.finfo(np.float64).eps
        ax.plot(np.flatnonzero(shown) + 1, share[shown], color=colour, label=f"{name}: {d} kept")
        ax.plot(d, share[d - 1], "o", color=colour, markersize=5)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("index")
    ax.set_ylabel("eigenvalue, part of the trace")
    ax.set_title("Spectra of the features", fontsize=10.5)
    ax.legend(frameon=False, fontsize=8.5)
    ax.grid(alpha=0.25)


def _draw_correlations(ax: Any, report: W2SReport) -> None:
    r = report.canonical_correlations
    ax.bar(np.arange(1, len(r) + 1), r, width=1.0, color=OURS, alpha=0.75)
    label = f"chance stays below ({report.rows} rows)"
    ax.axhline(report.chance_edge, color=BEST, linestyle="--", label=label)
    if report.official_warning:
        note = f"published estimator {report.official:.1f}:\nchance, {report.official_chance:.1f}. Do not use"
        ax.text(0.03, 0.04, note, transform=ax.transAxes, fontsize=8, color=INK,
                bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": BEST})  # fmt: skip
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("index")
    ax.set_ylabel("canonical correlation")
    ax.set_title("What the features share", fontsize=10.5)
    ax.legend(frameon=False, fontsize=8.5)


def _draw_risks(ax: Any, report: W2SReport, n: Any, N: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # curves end where the risk has no formula
        r = report.predict(n, N)
        low, high = r.interval("w2s", runs=500)
    curves = (
        ("weak teacher", r.weak, OTHER),
        ("student", r.w2s, OURS),
        ("strong, n labels", r.strong_baseline, BEST),
        ("ceiling", r.strong_ceiling, INK),
    )
    for name, values, colour in curves:
        ax.plot(n, np.where(np.isfinite(values), values, np.nan), color=colour, label=name)
    ax.fill_between(n, low, high, color=OURS, alpha=0.15, label="student, 90 % of runs")
    ax.set_xscale("log")
    ax.set_yscale("log")
    _plain_ticks(ax.xaxis)
    ax.set_xlabel(f"labels n (N = {N} pseudo-labels)")
    unit = "in units of the noise" if report.noise_var is None else "predicted"
    ax.set_ylabel(f"excess risk, {unit}")
    ax.set_title("Predicted risks", fontsize=10.5)
    ax.legend(frameon=False, fontsize=8)
    ax.grid(alpha=0.25)


def _draw_angles(ax: Any, report: W2SReport) -> None:
    colours = {"strong": OURS, "weak": OTHER}
    for name, angles in report.sketched.items():
        ax.plot(np.arange(1, angles.rank + 1), angles.left, color=colours[name], label=name)
    ax.axhline(0.1, color=BEST, linestyle="--")
    ax.set_yscale("log")
    ax.set_ylim(top=1.2)
    ax.set_xlabel("index")
    ax.set_ylabel("estimated sine")
    ax.set_title("Angles of the sketch to the features", fontsize=10.5)
    ax.legend(frameon=False, fontsize=8.5)
    ax.grid(alpha=0.25)


def _plain_ticks(axis: Any) -> None:
    """Label 1, 2 and 5 of every decade as plain numbers: ranges of n are often short."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_formatter(NullFormatter())
