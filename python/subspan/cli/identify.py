"""The command ``subspan id``: an interpolative decomposition of a matrix in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from .. import interp
from ..pivot import PIVOTING
from . import options
from .decompose import decompose
from .summaries import summary

_AXES = {"0": 0, "1": 1, "both": None}


@click.command(
    "id", epilog=options.EPILOG, short_help="columns, rows or both that span the matrix in a file"
)
@options.decomposition
@click.option(
    "--pivoting", metavar="P", type=click.Choice(["auto", *PIVOTING]), default="auto",
    help=f"auto (default), {', '.join(PIVOTING)}.",
)  # fmt: skip
@click.option(
    "--axis", type=click.Choice(list(_AXES)), default="1", help="1 columns (default), 0 rows, both."
)
@click.option(
    "--coefficients",
    type=click.Choice(interp.COEFFICIENTS),
    default="auto",
    help="Default: auto.",
)
@click.option("--oversampling", type=int, metavar="N", help="More rows in the sketch.")
@options.results
def command(
    axis: str, pivoting: str, coefficients: str, oversampling: int | None, **given: Any
) -> int:
    """Interpolative decomposition: columns, rows or both that span the matrix."""
    return decompose(
        interp.interpolative,
        given,
        summary=summary,
        what={"1": "columns", "0": "rows", "both": "rows and columns"}[axis],
        details=_details,
        draw=_draw,
        columns=_columns,
        axis=_AXES[axis],
        pivoting=pivoting,
        coefficients=coefficients,
        oversampling=oversampling,
    )


def _columns(result: Any) -> Any:
    if result.axis == 0:
        return None
    return result.indices[1] if result.axis is None else result.indices


def _details(result: Any) -> Iterator[tuple[str, str]]:
    if result.axis is None:
        sides = dict(zip(("rows", "columns"), result.indices, strict=True))
    else:
        sides = {"columns" if result.axis == 1 else "rows": result.indices}
    for name, indices in sides.items():
        yield name, " ".join(map(str, indices.tolist()))


def _draw(result: Any, A: Any) -> Any:
    from .. import plots

    return plots.interpolative(result, A)
