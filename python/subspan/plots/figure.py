"""Empty figures, the colours of all of them, and grids of small images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OURS, OTHER, BEST, INK = "#1f5fa8", "#d9772b", "#7a7a7a", "#222222"


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
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


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
