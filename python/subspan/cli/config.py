"""The command ``subspan config``."""

from __future__ import annotations

import json

import click

from .options import as_json
from .output import MET


@click.command(short_help="BLAS, instruction set, threads, CUDA")
@as_json
def command(as_json: bool) -> int:
    """What this installation runs on: versions, BLAS, instruction set, threads, CUDA."""
    from ..config import config
    from .screen import facts, show

    found = config()
    if as_json:
        print(json.dumps(found))
    else:
        show(facts(found.items()))
    return MET
