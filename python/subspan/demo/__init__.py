"""``subspan demo``: real data that ships with scikit-learn, in numbers and in one picture.

Three parts. Handwritten digits: which few images stand for all, with the certified error beside the
true one and SciPy's ``interp_decomp`` beside ours. A photograph rebuilt from some of its columns.
And a stream of frames with rare events, where picking at random fails. Every number is measured in
the run that prints it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .. import plots
from . import digits, photograph, rare

__all__ = ["run"]

_PACKAGES = {"sklearn": "scikit-learn", "PIL": "pillow", "matplotlib": "matplotlib"}


def run(
    out: Path | str = ".",
    *,
    seed: int = 0,
    plot: bool = True,
    images: int | None = None,
    picks: int = 40,
    ranks: Sequence[int] = (20, 60, 120),
    frames: int = 2000,
    draws: int = 20,
    repeats: int = 5,
) -> dict[str, Any]:
    """Run the three parts, print a table of each and save one picture.

    Parameters
    ----------
    out : path
        Folder for ``demo.png``; made if it does not exist.
    seed : int
        Seeds everything that is random.
    plot : bool
        Save the picture (needs matplotlib).
    images : int, optional
        How many of the 1797 handwritten digits to use; all by default.
    picks : int
        How many of them to choose.
    ranks : sequence of int
        How many columns of the photograph to keep.
    frames : int
        Length of the stream with rare events, at least 500.
    draws : int
        Seeds over which randomly chosen rows are averaged.
    repeats : int
        Timed runs of each method, after one that is not timed; medians are printed.

    Returns
    -------
    dict
        The printed numbers: "digits", "photograph", "rare", and "picture", a path or None. Errors
        are relative, in the Frobenius norm; times in seconds.

    Raises
    ------
    ImportError
        If scikit-learn, pillow or matplotlib is missing; the message says how to get them.
    """
    _require(["sklearn", "PIL", *(["matplotlib"] if plot else [])])
    out = Path(out)
    if plot:
        out.mkdir(parents=True, exist_ok=True)
    found = {"digits": digits.measure(seed, images, picks, draws, repeats)}
    digits.show(found["digits"])
    found["photograph"] = photograph.measure(seed, ranks, repeats)
    photograph.show(found["photograph"])
    found["rare"] = rare.measure(seed, frames, draws)
    rare.show(found["rare"])
    picture = None
    if plot:
        picture = out / "demo.png"
        _draw(found).savefig(picture, dpi=110)
        print(f"\nPicture: {picture}")
    return {**found, "picture": picture}


def _require(modules: Iterable[str]) -> None:
    missing = [_PACKAGES[name] for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f"the demo needs {', '.join(missing)}: pip install 'subspan[demo]'")


def _draw(found: dict[str, dict[str, Any]]) -> Any:
    figure = plots.new_figure(15, 12.6)
    figure.suptitle(
        "A few rows or columns stand for the whole matrix", fontsize=19, color=plots.INK
    )
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=[1.0, 0.86, 1.1])
    digits.draw(top, found["digits"])
    photograph.draw(middle, found["photograph"])
    rare.draw(bottom, found["rare"])
    return figure
