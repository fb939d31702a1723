"""Empty figures, what all panels have in common, and grids of small images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .style import OURS, palette_of

TITLE, SMALL = 10.5, 8.5  # sizes of type, in points


def new_figure(width: float, height: float) -> Any:
    """Return an empty matplotlib figure of that many inches.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message says how to get it.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("a plot needs matplotlib: pip install 'subspan[demo]'") from None
    return Figure(figsize=(width, height), layout="constrained")


def single(ax: Any, width: float = 6.0, height: float = 4.2) -> Any:
    """The caller's axes, or those of a new figure."""
    if ax is None:
        return new_figure(width, height).subplots()
    _check(ax)
    return ax


def panels(ax: Any, count: int, width: float, height: float, **layout: Any) -> NDArray[Any]:
    """The caller's axes, as many as there are panels, or those of a new figure, side by side."""
    if ax is None:
        return np.atleast_1d(new_figure(width, height).subplots(1, count, **layout))
    given = np.atleast_1d(np.asarray(ax, object)).ravel()
    if len(given) != count:
        raise ValueError(f"ax holds {len(given)} axes; expected {count}, one per panel")
    for each in given:
        _check(each)
    return given


def _check(ax: Any) -> None:
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"ax is a {type(ax).__name__}; expected matplotlib Axes")


def label(ax: Any, title: str, x: str, y: str = "", *, grid: bool = True) -> None:
    """Title, names of the axes and a faint grid behind the data."""
    ax.set_title(title, fontsize=TITLE, color=ax.xaxis.label.get_color())
    ax.set_xlabel(x)
    if y:
        ax.set_ylabel(y)
    if grid:
        ax.grid(alpha=0.25)
        ax.set_axisbelow(True)


def legend(place: Any, **options: Any) -> Any:
    """Legend of axes or of a figure, on their paper, so that curves behind it do not cut its words."""
    ax = place if hasattr(place, "xaxis") else place.axes[0]
    paper, ink = ax.get_facecolor(), ax.xaxis.label.get_color()
    options = {"fontsize": SMALL, "framealpha": 0.85, "edgecolor": "none", **options}
    return place.legend(facecolor=paper, labelcolor=ink, **options)


def headline(axes: NDArray[Any], text: str) -> None:
    """Bold title over all panels of a figure."""
    first = axes.ravel()[0]
    first.figure.suptitle(text, color=palette_of(first).ink, fontweight="bold")


def save(drawn: Any, path: str | Path, *, dpi: int = 120) -> None:
    """Write the figure of one or several Axes to a file, by its suffix ``.png``, ``.svg``, ``.pdf``, ...

    Parameters
    ----------
    drawn : Axes or array of Axes
        What a function of this module returned.
    path : str or path-like
    dpi : int
        Dots per inch, of pictures made of dots.

    Raises
    ------
    ValueError
        If matplotlib does not write files of that kind.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> from subspan import plots
    >>> r = subspan.interpolative(np.vander(np.linspace(1, 2, 50), 20), 5, rng=0)
    >>> plots.save(plots.interpolative(r), "columns.png")  # doctest: +SKIP
    """
    figure = np.atleast_1d(np.asarray(drawn, object)).ravel()[0].figure
    figure.savefig(path, dpi=dpi, facecolor=figure.get_facecolor())


def montage(
    ax: Any, images: NDArray[Any], columns: int, frames: Sequence[str] | None = None
) -> None:
    """Lay small gray images out in a grid, dark on white, each in a thin frame.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    images : array, shape (count, height, width)
        Values from 0 (white) to 1 (black).
    columns : int
        Images per row of the grid.
    frames : sequence of str, optional
        Color of the frame of each image.
    """
    from matplotlib.patches import Rectangle

    count, height, width = images.shape
    rows = -(-count // columns)
    gap = 0.14 * width
    for i, image in enumerate(images):
        x, y = (i % columns) * (width + gap), (i // columns) * (height + gap)
        ax.imshow(
            image,
            extent=(x, x + width, y + height, y),
            cmap="Greys",
            vmin=0,
            vmax=1,
            interpolation="nearest",
        )
        color = "#c8c8c8" if frames is None else frames[i]
        ax.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=color, linewidth=1.6))
    ax.set_xlim(-gap / 2, columns * (width + gap) - gap / 2)
    ax.set_ylim(rows * (height + gap) - gap / 2, -gap / 2)
    ax.set_aspect("equal", anchor="N")
    ax.set_axis_off()


def photograph(ax: Any, image: NDArray[Any], columns: NDArray[np.int64] | None = None) -> None:
    """Show a gray image, with marks above it for the columns that were kept.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    image : array, shape (m, n)
        Values from 0 (black) to 1 (white).
    columns : array of int, optional
    """
    m, n = image.shape
    ax.imshow(image, cmap="gray", vmin=0, vmax=1, extent=(0, n, m, 0), interpolation="antialiased")
    if columns is not None:
        ax.vlines(np.asarray(columns) + 0.5, -0.06 * m, -0.01 * m, color=OURS, linewidth=0.9)
    ax.set_xlim(0, n)
    ax.set_ylim(m, -0.07 * m)
    ax.set_anchor("N")
    ax.set_axis_off()
