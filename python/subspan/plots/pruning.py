"""Pictures of pruned models: what every module lost, and what each further cut costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .figure import label, legend, panels, single
from .style import palette_of


def pruning(report: Any, *, ax: Any = None) -> Any:
    """Draw the share of its output that every module lost, and the width that it kept.

    Parameters
    ----------
    report : subspan.torch.pruning.PruningReport
    ax : pair of matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    array of two matplotlib.axes.Axes
        First held-out shares if rows were held out, with those that were measured as points; then the
        channels that stayed. Write the figure with :func:`save`.

    Raises
    ------
    ValueError
        If the report has no layers.
    ImportError
        If matplotlib is not installed.
    """
    layers = report.layers
    if not layers:
        raise ValueError("report has no layers: nothing was pruned")
    axes = panels(ax, 2, 11, 4.2, width_ratios=(3, 2))
    lost, kept = axes
    palette = palette_of(lost)
    place = np.arange(1, len(layers) + 1)
    held = all(x.held_out is not None for x in layers)
    dropped = [x.dropped_held_out if held else x.dropped for x in layers]
    repaired = [x.held_out if held else x.predicted for x in layers]
    every = max(1, len(layers) // 16)
    curves = (("dropped, predicted", dropped, 1), ("repaired, predicted", repaired, 0))
    for name, values, i in curves:
        lost.plot(place, values, label=name, markevery=every, **palette.line(i))
    measured = [(i + 1, x.measured) for i, x in enumerate(layers) if x.measured is not None]
    if measured:
        where, found = zip(*measured, strict=True)
        style = {"color": palette.ink, "markersize": 6, "label": "repaired, measured"}
        lost.plot(where, found, "+", **style)
    if all(x.predicted > 0 and x.dropped > 0 for x in layers):
        lost.set_yscale("log")
    lost.xaxis.get_major_locator().set_params(integer=True)
    share = "share of the output lost" + (", held out" if held else "")
    label(lost, "What every module lost", "module", share)
    legend(lost)
    kept.bar(place, [x.after / x.before for x in layers], color=palette.ours)
    kept.set_ylim(0, 1)
    kept.xaxis.get_major_locator().set_params(integer=True)
    label(kept, "What it kept", "module", "share of the channels")
    return axes


def pruning_tradeoff(
    curves: Any, *, quality: str = "share of the output lost, mean of the modules", ax: Any = None
) -> Any:
    """Draw what is lost against what is cut, a curve for every method.

    Parameters
    ----------
    curves : mapping of names to sequences, or one sequence
        Of pruning reports, or of pairs (share of the parameters removed, loss), such as perplexities.
    quality : str
        Name of the loss; of reports it is the mean predicted share, held out where there is one.
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
        If a curve is empty, a point is neither a report nor a pair, or a share is not in [0, 1].

    Examples
    --------
    >>> from subspan import plots
    >>> ax = plots.pruning_tradeoff({"obs": [(0.2, 11.0), (0.4, 14.0)]}, quality="perplexity")
    >>> ax.get_lines()[0].get_ydata().tolist()
    [11.0, 14.0]
    """
    named = curves if isinstance(curves, Mapping) else {"": curves}
    points = {name: _points(curve, name) for name, curve in named.items()}
    if not points:
        raise ValueError("curves is empty: expected at least one curve")
    ax = single(ax)
    palette = palette_of(ax)
    for i, (name, xy) in enumerate(points.items()):
        ax.plot(100 * xy[:, 0], xy[:, 1], label=name, **palette.line(i))
    losses = np.concatenate([xy[:, 1] for xy in points.values()])
    if losses.min() > 0 and losses.max() > 10 * losses.min():
        ax.set_yscale("log")
    label(ax, "What is lost for what is cut", "parameters removed, %", quality)
    if any(named):
        legend(ax)
    return ax


def _points(curve: Any, name: str) -> NDArray[np.float64]:
    """Pairs (share removed, loss), ascending."""
    found = []
    for point in curve:
        if hasattr(point, "layers"):
            if not point.layers:
                raise ValueError("a report has no layers: nothing was pruned")
            losses = [x.predicted if x.held_out is None else x.held_out for x in point.layers]
            removed = 1 - point.parameters_after / point.parameters_before
            point = removed, float(np.mean(losses))
        pair = np.asarray(point, np.float64)
        if pair.shape != (2,):
            raise TypeError(f"curve {name!r} holds {point!r}; expected reports or pairs")
        if not 0 <= pair[0] <= 1 or not np.isfinite(pair[1]):
            raise ValueError(
                f"curve {name!r} holds {point!r}; expected a share in [0, 1] and a loss"
            )
        found.append(pair)
    if not found:
        raise ValueError(f"curve {name!r} is empty: expected at least one point")
    return np.array(sorted(found, key=lambda pair: float(pair[0])))
