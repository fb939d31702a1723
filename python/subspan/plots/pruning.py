"""Picture of a pruned model: what every module lost, predicted and measured."""

from __future__ import annotations

from typing import Any

from .figure import INK, OTHER, OURS, new_figure


def pruning(report: Any) -> Any:
    """Draw the share of its output that every module lost, and the width that it kept.

    Parameters
    ----------
    report : subspan.torch.pruning.PruningReport

    Returns
    -------
    matplotlib.figure.Figure
        Above, held-out shares if rows were held out, with those that were measured as points; below, the
        channels that stayed.

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
    figure = new_figure(8, 5)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    place = range(len(layers))
    held = all(x.held_out is not None for x in layers)
    above.plot(
        place, [x.dropped_held_out if held else x.dropped for x in layers], "--", color=OTHER
    )
    above.lines[-1].set_label("dropped, predicted")
    above.plot(place, [x.held_out if held else x.predicted for x in layers], color=OURS)
    above.lines[-1].set_label("repaired, predicted")
    measured = [(i, x.measured) for i, x in enumerate(layers) if x.measured is not None]
    if measured:
        above.plot(*zip(*measured, strict=True), ".", color=INK, label="repaired, measured")
    if all(x.predicted > 0 and x.dropped > 0 for x in layers):
        above.set_yscale("log")
    above.set_ylabel("share of the output lost" + (", held out" if held else ""))
    above.legend(frameon=False)
    below.bar(place, [x.after / x.before for x in layers], color=OURS)
    below.set_ylim(0, 1)
    below.set_ylabel("kept")
    below.set_xlabel("module")
    return figure
