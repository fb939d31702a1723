"""The command ``subspan completion``: what a shell needs to complete commands, options and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .output import MET


@click.command(short_help="the script that completes commands in a shell")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the completion script of a shell.

    Bash and zsh, in ~/.bashrc or ~/.zshrc: eval "$(subspan completion bash)". Fish: subspan completion
    fish > ~/.config/fish/completions/subspan.fish.
    """
    from .app import COMPLETE, commands

    script = get_completion_class(shell)
    assert script is not None  # the choices are those that click knows
    click.echo(script(commands, {}, "subspan", COMPLETE).source())
    return MET
