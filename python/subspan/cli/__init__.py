"""The command ``subspan``: ``demo``, ``config``, ``id``, ``select`` and ``prune``.

Exit codes: 0 done and every tolerance met, 1 numerical failure, 2 bad input (one line on standard
error), 3 a tolerance is not met, 130 interrupted. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import choose, identify, prune
from .identify import summary
from .output import BAD_INPUT, FAILED, INTERRUPTED, MET, PIPE_CLOSED, seed
from .reading import read_matrix

__all__ = ["main", "read_matrix", "summary"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        The exit code.

    Examples
    --------
    >>> from subspan import cli
    >>> cli.main(["config"])  # doctest: +ELLIPSIS
    subspan ...
    0
    """
    from numpy.linalg import LinAlgError

    try:
        arguments = _parser().parse_args(argv)
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except LinAlgError as problem:
        return _complain(problem, FAILED)
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as problem:
        return _complain(problem, BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    return code


def _complain(problem: BaseException | str, code: int) -> int:
    text = " ".join(str(problem).split()) or type(problem).__name__
    print(f"subspan: error: {text}", file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    from .. import __version__

    parser = _Parser(
        prog="subspan",
        description="Columns and rows that span a matrix, with a certified error.",
        epilog="exit codes: 0 met, 1 numerical failure, 2 bad input, 3 tolerance not met",
    )
    parser.add_argument("--version", action="version", version=f"subspan {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="real data, a table and a picture")
    demo.add_argument(
        "--out", metavar="DIR", default=".", help="folder for demo.png (default: here)"
    )
    demo.add_argument("--seed", type=seed, metavar="N", default=0, help="default: 0")
    demo.add_argument("--no-plot", action="store_true", help="the table only")
    demo.set_defaults(command=_demo)

    config = commands.add_parser("config", help="BLAS, instruction set, threads, CUDA")
    config.set_defaults(command=_config)

    identify.add_to(commands)
    choose.add_to(commands)
    prune.add_to(commands)
    return parser


def _demo(arguments: argparse.Namespace) -> int:
    from .. import demo

    demo.run(Path(arguments.out), seed=arguments.seed, plot=not arguments.no_plot)
    return MET


def _config(arguments: argparse.Namespace) -> int:
    from ..config import show_config

    show_config()
    return MET
