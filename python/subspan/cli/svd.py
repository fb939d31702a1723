"""The command ``subspan svd``: leading singular values and vectors of a matrix in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from ..svd import svd
from . import options
from .decompose import decompose
from .summaries import of_svd


@click.command(epilog=options.EPILOG, short_help="leading singular values and vectors")
@options.decomposition
@click.option(
    "--method",
    type=click.Choice(["auto", "subspace", "block_krylov", "single_pass"]),
    default="auto",
    help="Default: auto.",
)
@click.option("--oversampling", type=int, default=10, metavar="N", help="Default: 10.")
@click.option("--power-iterations", type=int, metavar="Q", help="Default: chosen by the routine.")
@click.option("--max-sine", type=float, metavar="S", help="Accuracy of the vectors to reach.")
@options.results
def command(
    method: str,
    oversampling: int,
    power_iterations: int | None,
    max_sine: float | None,
    **given: Any,
) -> int:
    """Singular values and vectors, and how many of the vectors to believe."""
    return decompose(
        svd,
        given,
        summary=of_svd,
        what="singular values",
        details=_details,
        draw=_draw,
        method=method,
        oversampling=oversampling,
        power_iterations="auto" if power_iterations is None else power_iterations,
        max_sine=max_sine,
    )


def _details(result: Any) -> Iterator[tuple[str, str]]:
    yield "values", " ".join(f"{s:.6g}" for s in result.s.tolist())
    sure = f"{result.trusted(rigorous=True)} directions for sure to a sine of 0.1"
    quick = result.angles.quickly_estimated
    yield "trusted", f"{result.trusted()} directions, {sure}" if quick else sure


def _draw(result: Any, A: Any) -> Any:
    from .. import plots

    return plots.angles(result)
