"""Picture of canonical angles: sines per index, estimated, bounded, and true if that is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..angles import CanonicalAngles
from ..svd import SVDResult
from .figure import headline, label, legend, panels
from .style import palette_of


def angles(
    result: SVDResult | CanonicalAngles,
    truth: CanonicalAngles | None = None,
    *others: CanonicalAngles,
    ax: Any = None,
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
    ax : matplotlib.axes.Axes, or as many of them as there are sides, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    array of matplotlib.axes.Axes
        One for each side, left before right. Write the figure with :func:`save`.

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
    >>> left, right = plots.angles(r)
    >>> left.get_title(), right.get_title()
    ('left singular subspace', 'right singular subspace')
    """
    drawn: list[CanonicalAngles]
    if isinstance(result, CanonicalAngles):
        drawn, title = [result, *others], ""
    elif getattr(result, "angles", None) is None:
        raise ValueError("result has no angles: decompose one matrix with angles=True")
    else:
        assert result.angles is not None
        drawn = [result.angles.estimate, result.angles.bound, *others]
        trusted, sure = result.trusted(), result.trusted(rigorous=True)
        title = f"{trusted} of {result.rank} directions trusted to a sine of 0.1 ({sure} of them for sure)"
    sides = [side for side in ("left", "right") if any(getattr(a, side) is not None for a in drawn)]
    axes = panels(ax, len(sides), 1.2 + 4.6 * len(sides), 4.2, sharey=True)
    for each, side in zip(axes, sides, strict=True):
        _draw_side(each, side, truth, drawn)
    for each in axes:
        each.set_ylim(top=1.6)  # when all are drawn: it ends the fitting of a shared axis to them
    axes[0].set_ylabel("sine of the canonical angle")
    if ax is not None:
        legend(axes[0])
        return axes
    below = {"loc": "outside lower center", "ncols": 3}
    legend(axes[0].figure, handles=axes[0].get_lines(), **below)  # curves may be anywhere
    if title:
        headline(axes, title)
    return axes


def _draw_side(ax: Any, side: str, truth: Any, drawn: list[CanonicalAngles]) -> None:
    palette = palette_of(ax)
    if truth is not None and getattr(truth, side) is not None:
        _draw(ax, np.asarray(getattr(truth, side)), "true", color=palette.ink, linewidth=1.6)
    for i, angles_ in enumerate(drawn):
        sines = getattr(angles_, side)
        if sines is None:
            continue
        line = palette.line(i)
        if angles_.kind == "estimate":
            line["fillstyle"] = "none"  # bounds are filled
        every = max(1, len(sines) // 16)
        _draw(ax, np.asarray(sines), f"{angles_.kind}: {angles_.method}", markevery=every, **line)
        samples = getattr(angles_, f"{side}_samples")
        if samples is not None and len(samples) > 1:
            low, high = _shown(np.min(samples, axis=0)), _shown(np.max(samples, axis=0))
            where = np.arange(1, len(low) + 1)
            ax.fill_between(where, low, high, color=line["color"], alpha=0.15, lw=0)
    ax.set_yscale("log")
    ax.xaxis.get_major_locator().set_params(integer=True)
    label(ax, f"{side} singular subspace", "index i")


def _draw(ax: Any, sines: NDArray[Any], name: str, **style: Any) -> None:
    ax.plot(np.arange(1, len(sines) + 1), _shown(sines), label=name, **style)


def _shown(sines: Any) -> NDArray[np.float64]:
    """Zeros are drawn where rounding begins."""
    return np.asarray(np.maximum(sines, np.finfo(np.float64).eps))
