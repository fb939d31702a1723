"""The table of commands, read by click; a command's module is imported when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from .. import __version__

_COMMANDS = {
    "id": ("identify", "columns, rows or both that span the matrix in a file"),
    "cur": ("cur", "columns and rows of the matrix, and the small matrix between"),
    "svd": ("svd", "leading singular values and vectors"),
    "angles": ("angles", "angles between subspaces, or how far to trust an SVD"),
    "select": ("choose", "rows of a matrix to label or to finetune on"),
    "w2s": ("w2s", "will a strong model learn from a weak one's labels?"),
    "prune": ("prune", "a smaller transformer, without retraining"),
    "bench": ("bench", "time this machine against SciPy and others"),
    "demo": ("demo", "real data, a table and a picture"),
    "config": ("config", "BLAS, instruction set, threads, CUDA"),
    "completion": ("completion", "the script that completes commands in a shell"),
}
COMPLETE = "_SUBSPAN_COMPLETE"  # set by the completion script when it asks for words


class _Commands(click.Group):
    """Commands by name, imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f".{_COMMANDS[cmd_name][0]}", __package__)
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Commands,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 met, 1 numerical failure, 2 bad input, 3 tolerance not met, 130 interrupted.",
)
@click.version_option(__version__, message="subspan %(version)s")
def commands() -> None:
    """Columns and rows that span a matrix, with a certified error."""


def run(arguments: Sequence[str]) -> int:
    """Run one command; whatever is wrong with its arguments is a ValueError."""
    if COMPLETE in os.environ:
        from click.shell_completion import shell_complete

        return shell_complete(commands, {}, "subspan", COMPLETE, os.environ[COMPLETE])
    try:
        with commands.make_context("subspan", list(arguments)) as context:
            code: Any = commands.invoke(context)
            return int(code)
    except click.exceptions.Exit as done:  # --help, --version
        return done.exit_code
    except click.ClickException as wrong:
        where = getattr(wrong, "ctx", None)
        hint = f" (see {where.command_path} --help)" if where is not None else ""
        raise ValueError(wrong.format_message() + hint) from None
