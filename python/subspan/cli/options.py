"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .reading import FILE

Command = Callable[..., Any]

file = click.argument("file", metavar="FILE", type=click.Path())
seed = click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    metavar="N",
    help="Repeats a result (default: a new one).",
)
variable = click.option(
    "--variable",
    "--key",
    "variable",
    metavar="NAME",
    help="Which array of a file of several; columns of a table: NAME,NAME, or ^NAME,NAME for the others.",
)
output = click.option(
    "-o", "--output", metavar="OUT", type=click.Path(), help="Save to .npz or .safetensors."
)
plot = click.option("--plot", metavar="OUT.png", type=click.Path(), help="Draw a picture.")
as_json = click.option("--json", "as_json", is_flag=True, help="A summary as JSON.")
progress = click.option(
    "--progress/--no-progress", default=True, help="A bar, on terminals only (default: yes)."
)


def several(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Combine options, in the order in which the help lists them."""

    def decorate(command: Command) -> Command:
        for option in reversed(decorators):
            command = option(command)
        return command

    return decorate


decomposition = several(
    file,
    click.option("--rank", type=int, metavar="K", help="How many."),
    click.option("--rtol", type=float, metavar="T", help="Relative error to reach."),
    click.option("--atol", type=float, metavar="T", help="Absolute error to reach."),
    click.option(
        "--norm", type=click.Choice(["fro", "spectral"]), default="fro", help="Default: fro."
    ),
)
results = several(seed, variable, output, plot, as_json, progress)
EPILOG = f"At least one of --rank, --rtol and --atol; whichever is reached first.\n\n{FILE}."
