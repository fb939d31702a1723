"""Colours, markers and dashes of all pictures, on light and on dark paper: decided here once.

Every colour has a contrast of at least 3 with its paper, any two stay apart for the three common
kinds of colour blindness, and no series is told by its colour alone: each has a marker and a dash
of its own. A picture takes the palette that suits the ink of its axes, whoever made them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._optional import extra

Dash = str | tuple[int, tuple[float, ...]]

MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES: tuple[Dash, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))


@dataclasses.dataclass(frozen=True)
class Palette:
    """Colours for one kind of paper."""

    name: str
    paper: str
    ink: str
    ours: str
    other: str
    best: str  # references: optima, chance, what was left out
    more: tuple[str, ...]
    gray: str  # colour map from paper to ink
    heat: str  # colour map for heat maps, its low end close to the paper

    @property
    def series(self) -> tuple[str, ...]:
        """Colours of curves, in the order in which they are used."""
        return (self.ours, self.other, *self.more)

    def line(self, i: int) -> dict[str, Any]:
        """Colour, marker and dash of curve i."""
        colour = self.series[i % len(self.series)]
        dash, marker = DASHES[i % len(DASHES)], MARKERS[i % len(MARKERS)]
        return {"color": colour, "linestyle": dash, "marker": marker, "markersize": 4}


LIGHT = Palette(
    "light",
    paper="white",
    ink="#222222",
    ours="#1f5fa8",
    other="#d9772b",
    best="#7a7a7a",
    more=("#4d1b59", "#3d99cc", "#803c26", "#a849f2"),
    gray="Greys",
    heat="Blues",
)
DARK = Palette(
    "dark",
    paper="#14171c",
    ink="#e8e8e8",
    ours="#6cb0ff",
    other="#f79a4b",
    best="#9a9a9a",
    more=("#a1ff99", "#9863a6", "#a64b4b", "#5b4dff"),
    gray="gray",
    heat="magma",
)
PALETTES = {palette.name: palette for palette in (LIGHT, DARK)}
OURS, OTHER, BEST, INK = LIGHT.ours, LIGHT.other, LIGHT.best, LIGHT.ink


@contextmanager
def style(name: str) -> Iterator[Palette]:
    """Draw on light or on dark paper inside a ``with`` block.

    Without it the paper is that of matplotlib's own settings, white unless they say otherwise; a style
    of matplotlib such as ``dark_background`` works as well.

    Parameters
    ----------
    name : {"light", "dark"}

    Yields
    ------
    Palette
        The colours in use.

    Raises
    ------
    ValueError
        If there is no such style.
    ImportError
        If matplotlib is not installed.

    Notes
    -----
    Through :func:`matplotlib.rc_context`, which is global to the process: one thread at a time.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> from subspan import plots
    >>> r = subspan.svd(np.vander(np.linspace(1, 2, 50), 20), 5, rng=0)
    >>> with plots.style("dark"):
    ...     ax = plots.spectrum(r)
    >>> ax.figure.savefig("spectrum.png")  # doctest: +SKIP
    """
    if name not in PALETTES:
        raise ValueError(f"name={name!r} is no style; expected one of {tuple(PALETTES)}")
    with extra("demo", "matplotlib"):
        from matplotlib import rc_context
    palette = PALETTES[name]
    paper = ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "savefig.edgecolor")
    ink = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    settings: dict[Any, Any] = dict.fromkeys(paper, palette.paper) | dict.fromkeys(ink, palette.ink)
    settings["grid.color"] = palette.best
    with rc_context(settings):
        yield palette


def palette_of(ax: Any) -> Palette:
    """The palette for axes: dark where their labels are written in a light colour."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(ax.xaxis.label.get_color())
    return DARK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.5 else LIGHT
