"""The command ``subspan demo``."""

from __future__ import annotations

from pathlib import Path

import click

from .output import MET


@click.command(short_help="real data, a table and a picture")
@click.option("--out", metavar="DIR", default=".", help="Folder for demo.png (default: here).")
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), metavar="N", default=0, help="Default: 0."
)
@click.option("--no-plot", is_flag=True, help="The tables only.")
def command(out: str, seed: int, no_plot: bool) -> int:
    """Real data that ships with scikit-learn, in numbers and in one picture."""
    from .. import demo

    demo.run(Path(out), seed=seed, plot=not no_plot)
    return MET
