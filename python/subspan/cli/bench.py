"""The command ``subspan bench``: the benchmarks of the repository, which are not installed."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import NoReturn

import click

from .output import FAILED, MET


@click.command(
    short_help="time this machine against SciPy and others",
    context_settings={"ignore_unknown_options": True},
)
@click.option(
    "--suite",
    metavar="NAME",
    multiple=True,
    help="Which benchmarks (default: all); standard is brief.",
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="Default: cpu.")
@click.option("--out", metavar="DIR", type=click.Path(), help="Folder for the results.")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
def command(
    suite: tuple[str, ...], device: str | None, out: str | None, more: tuple[str, ...]
) -> int:
    """Run the benchmarks: in a clone of the repository, with `pip install '.[bench]'`.

    Further words are those of `python -m bench`: `subspan bench --small`, `subspan bench compare OLD NEW`.
    """
    options = [("--suite", suite), ("--device", (device,)), ("--out", (out,))]
    words = [*more, *(str(w) for name, values in options if any(values) for w in (name, *values))]
    folder = _checkout()
    sys.path.insert(0, str(folder))
    try:
        bench = importlib.import_module("bench.__main__")
    except ModuleNotFoundError as missing:
        raise ImportError(f"{missing.name} is missing: pip install '{folder}[bench]'") from None
    finally:
        sys.path.remove(str(folder))
    parser = bench.parser()
    parser.error = _refuse  # in one line; the usage is that of another command
    try:
        if not more or more[0].startswith(
            "-"
        ):  # else it is compare or report, with a parser of its own
            parser.parse_args(words)
        return int(bench.main(words) or MET)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else FAILED if done.code else MET


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)


def _checkout() -> Path:
    """Return the clone of the repository: the one around here, or where this package comes from."""
    here, source = Path.cwd(), Path(__file__).resolve()
    for folder in (here, *here.parents, *source.parents):
        if (folder / "bench" / "__main__.py").is_file() and (folder / "pyproject.toml").is_file():
            return folder
    raise ValueError(
        "the benchmarks are not installed with the package: clone the repository, "
        "pip install '.[bench]' and run this command there"
    )
