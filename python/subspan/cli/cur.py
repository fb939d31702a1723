"""The command ``subspan cur``: columns and rows of a matrix in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from ..cur import cur
from ..pivot import PIVOTING
from . import options
from .decompose import decompose
from .summaries import of_cur


@click.command(
    epilog=options.EPILOG, short_help="columns and rows of the matrix, and the small matrix between"
)
@options.decomposition
@click.option(
    "--pivoting", metavar="P", type=click.Choice(["auto", *PIVOTING]), default="auto",
    help=f"auto (default), {', '.join(PIVOTING)}.",
)  # fmt: skip
@click.option(
    "--core",
    type=click.Choice(["stable", "cross", "id"]),
    default="stable",
    help="What is between columns and rows (default: stable).",
)
@click.option("--oversampling", type=int, metavar="N", help="More rows in the sketch.")
@options.results
def command(pivoting: str, core: str, oversampling: int | None, **given: Any) -> int:
    """CUR decomposition: columns C and rows R of the matrix, and U, so that C U R is close to it."""
    return decompose(
        cur,
        given,
        summary=of_cur,
        what="columns and rows",
        details=_details,
        draw=_draw,
        columns=lambda result: result.columns,
        pivoting=pivoting,
        core=core,
        oversampling=oversampling,
    )


def _details(result: Any) -> Iterator[tuple[str, str]]:
    for name in ("rows", "columns"):
        yield name, " ".join(map(str, getattr(result, name).tolist()))


def _draw(result: Any, A: Any) -> Any:
    from .. import plots

    return plots.interpolative(result, A)
