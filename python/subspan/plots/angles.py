"""Picture of canonical angles: sines per index, estimated, bounded, and true if that is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..angles import CanonicalAngles
from ..svd import SVDResult
from .figure import BEST, INK, OTHER, OURS, new_figure


def angles(
    result: SVDResult | CanonicalAngles,
    truth: CanonicalAngles | None = None,
    *others: CanonicalAngles,
) -> Any:
    """Draw the sines of the canonical angles of both sides against their index.

    Parameters
    ----------
    result : SVDResult or CanonicalAngles
        A decomposition with ``angles``, whose estimate and bound are drawn, or angles by themselves.
    truth : CanonicalAngles, optional
        The true angles, from :func:`subspan.angles.canonical_angles` of the result and the whole
        decomposition.
    *others : CanonicalAngles
        Further bounds and estimates, drawn under the name of their method.

    Returns
    -------
    matplotlib.figure.Figure
        Write it with ``figure.savefig("picture.png")``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the decomposition was made without angles.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> from subspan import plots
    >>> r = subspan.svd(np.vander(np.linspace(1, 2, 50), 20), 5, rng=0)
    >>> figure = plots.angles(r)  # doctest: +SKIP
    """
    drawn: list[CanonicalAngles]
    if isinstance(result, CanonicalAngles):
        drawn, title = [result, *others], ""
    else:
        if result.angles is None:
            raise ValueError("result has no angles: decompose one matrix with angles=True")
        drawn = [result.angles.estimate, result.angles.bound, *others]
        trusted, sure = result.trusted(), result.trusted(rigorous=True)
        title = f"{trusted} of {result.rank} directions trusted to a sine of 0.1 ({sure} of them for sure)"
    sides = [side for side in ("left", "right") if any(getattr(a, side) is not None for a in drawn)]
    figure = new_figure(1.2 + 4.6 * len(sides), 4.2)
    axes = np.atleast_1d(figure.subplots(1, len(sides), sharey=True))
    for ax, side in zip(axes, sides, strict=True):
        _draw_side(ax, side, truth, drawn)
    axes[0].set_ylabel("sine of the canonical angle")
    axes[0].legend(frameon=False, fontsize=8.5)
    if title:
        figure.suptitle(title, color=INK, fontweight="bold")
    return figure


def _draw_side(ax: Any, side: str, truth: Any, drawn: list[CanonicalAngles]) -> None:
    if truth is not None and getattr(truth, side) is not None:
        _draw(ax, np.asarray(getattr(truth, side)), "true", color=INK, linewidth=1.6)
    colours = [OURS, OTHER, "#3a8f6b", "#8e5ea2", "#b8860b", BEST, "#c0504d"]
    for angles_, colour in zip(drawn, colours, strict=False):
        sines = getattr(angles_, side)
        if sines is None:
            continue
        estimate = angles_.kind == "estimate"
        name = f"{angles_.kind}: {angles_.method}"
        style = {"linestyle": "--" if estimate else "-", "marker": "" if estimate else "v"}
        _draw(ax, np.asarray(sines), name, color=colour, markersize=3, **style)
        samples = getattr(angles_, f"{side}_samples")
        if samples is not None and len(samples) > 1:
            low, high = _shown(np.min(samples, axis=0)), _shown(np.max(samples, axis=0))
            ax.fill_between(np.arange(1, len(low) + 1), low, high, color=colour, alpha=0.15)
    ax.set_yscale("log")
    ax.set_ylim(top=1.6)
    ax.set_xlabel("index i")
    ax.set_title(f"{side} singular subspace", fontsize=10.5)
    ax.grid(alpha=0.25)


def _draw(ax: Any, sines: NDArray[Any], name: str, **style: Any) -> None:
    ax.plot(np.arange(1, len(sines) + 1), _shown(sines), label=name, **style)


def _shown(sines: Any) -> NDArray[np.float64]:
    """Zeros are drawn where rounding begins."""
    return np.asarray(np.maximum(sines, np.finfo(np.float64).eps))
