"""Roofline: how close timed work comes to what memory and arithmetic allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .figure import SMALL, label, legend, single
from .style import palette_of


def roofline(
    work: Mapping[str, tuple[float, float, float]],
    *,
    bandwidth: float,
    peak: float,
    roles: Mapping[str, str] | None = None,
    ax: Any = None,
) -> Any:
    """Draw rates of arithmetic against flops per byte, under the roof of the machine.

    Parameters
    ----------
    work : mapping of names to (flops, bytes, seconds)
        Necessary flops, bytes that must be read at least, and the time taken.
    bandwidth : float
        Bytes per second that memory gave.
    peak : float
        Flops per second that a matrix product reached.
    roles : mapping of names to {"ours", "peer"}, optional
        What is drawn filled and in blue, and what as open gray squares; all ours by default.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        In flops per byte and GFLOP/s.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If nothing was timed, or a number is not positive and finite.

    References
    ----------
    Williams, Waterman, Patterson, "Roofline", Communications of the ACM 52 (2009).

    Examples
    --------
    >>> from subspan import plots
    >>> ax = plots.roofline({"A @ x": (2e6, 8e6, 1e-3)}, bandwidth=1e10, peak=5e10)
    >>> ax.get_lines()[0].get_ydata().max()
    np.float64(50.0)
    """
    if not work:
        raise ValueError("work is empty: expected at least one timed piece of work")
    for name, numbers in {**work, "bandwidth": (bandwidth,), "peak": (peak,)}.items():
        if not all(np.isfinite(x) and x > 0 for x in numbers):
            raise ValueError(f"{name} has {numbers}; expected positive finite numbers")
    ax = single(ax, 8.0, 4.6)
    palette = palette_of(ax)
    intensities = [flops / read for flops, read, _ in work.values()]
    ridge = peak / bandwidth
    x = np.geomspace(min(*intensities, ridge) / 4, max(*intensities, ridge) * 4, 200)
    x = np.sort(np.append(x, ridge))
    roof = {"color": palette.ink, "linewidth": 1.6, "label": "what the machine gave"}
    ax.plot(x, np.minimum(bandwidth * x, peak) / 1e9, **roof)
    names = list(work)
    for name in names:
        flops, read, seconds = work[name]
        own = roles is None or roles.get(name) == "ours"
        style = {"color": palette.ours if own else palette.best, "markersize": 6}
        mark = {"marker": "o" if own else "s", "fillstyle": "full" if own else "none"}
        ax.plot(flops / read, flops / seconds / 1e9, linestyle="none", label=name, **mark, **style)
    ax.set_xscale("log")
    ax.set_yscale("log")
    label(ax, "Roofline", "necessary flops per byte read", "GFLOP/s")
    _numbers(ax, [(f / b, f / s / 1e9) for f, b, s in work.values()], palette.ink)
    if roles is not None:
        marks = {"subspan": ("o", "full", palette.ours), "others": ("s", "none", palette.best)}
        kinds = [
            ax.plot([], [], m, fillstyle=f, color=c, label=k)[0] for k, (m, f, c) in marks.items()
        ]
        legend(ax, handles=kinds, loc="lower right")
    _key(ax, names, palette.ink)
    return ax


def _numbers(ax: Any, points: list[tuple[float, float]], ink: str) -> None:
    """A number beside every point; points that all but coincide share one label, highest first."""
    low, high = np.log10(ax.get_ylim())
    near = 0.04 * (high - low)
    clusters: list[list[int]] = []
    for i in np.argsort([y for _, y in points]):
        x, y = np.log10(points[i])
        last = np.log10(points[clusters[-1][-1]]) if clusters else None
        if last is not None and abs(last[0] - x) < near and y - last[1] < near:
            clusters[-1].append(int(i))
        else:
            clusters.append([int(i)])
    for cluster in clusters:
        text = ", ".join(str(i + 1) for i in reversed(cluster))
        place = {"xytext": (7, -3), "textcoords": "offset points"}
        ax.annotate(text, points[cluster[len(cluster) // 2]], fontsize=7, color=ink, **place)


def _key(ax: Any, names: list[str], ink: str) -> None:
    """Numbers and names beside the axes: many points have the same intensity."""
    lines = [f"{i + 1}  {name}" for i, name in enumerate(names)]
    ax.annotate("\n".join(lines), (1.02, 1), xycoords="axes fraction", va="top", ha="left",
                fontsize=SMALL, color=ink)  # fmt: skip
