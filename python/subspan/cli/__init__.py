"""The command ``subspan``: see ``subspan --help``.

Exit codes: 0 done and every tolerance met, 1 numerical failure, 2 bad input (one line on standard
error), 3 a tolerance is not met, 130 interrupted. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from .._optional import extra
from .output import BAD_INPUT, FAILED, INTERRUPTED, PIPE_CLOSED
from .reading import read_matrix
from .summaries import summary

__all__ = ["main", "read_matrix", "summary"]

_LONGEST = 1000  # characters of a complaint, which may quote a damaged file


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
    try:
        return _run(argv)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)


def _run(argv: Sequence[str] | None) -> int:
    """Run it, and turn what goes wrong into a line and an exit code."""
    from numpy.linalg import LinAlgError

    from ..exceptions import DeviceUnavailable

    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            with extra("cli", "click", "rich"):
                from .app import run

                code = run(sys.argv[1:] if argv is None else argv)
            if sys.stdout is not None:
                sys.stdout.flush()
    except LinAlgError as problem:
        return _complain(problem, FAILED)
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        _discard_output()
        return PIPE_CLOSED
    except (
        *(ValueError, TypeError, OverflowError, OSError, ImportError, MemoryError),
        DeviceUnavailable,
    ) as problem:
        return _complain(problem, BAD_INPUT)
    return code


def _complain(problem: BaseException | str, code: int) -> int:
    text = " ".join(str(problem).split()) or type(problem).__name__
    print(f"subspan: error: {text[:_LONGEST]}", file=sys.stderr)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:  # what is left would be complained about once more, at exit
        _discard_output()
    return code


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _warn(message: Warning | str, *details: Any, **more: Any) -> None:
    text = " ".join(str(message).split())
    print(f"subspan: warning: {text[:_LONGEST]}", file=sys.stderr)
