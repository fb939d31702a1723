"""Run the benches: ``python -m bench --small`` takes seconds, the full set some twenty minutes."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import report
from .run import ROUNDS, Options, Results

SUITES = (
    "sketch",
    "interp",
    "pivot",
    "blas",
    "quality",
    "svd",
    "angles",
    "qr",
    "cur",
    "cholesky",
    "chunks",
    "batch",
    "selection",
    "gradients",
    "w2s",
    "pruning",
)
PUBLISHED = Path(__file__).parent / "results"


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    p.add_argument("--suite", nargs="+", choices=SUITES, default=SUITES, metavar="NAME")
    p.add_argument("--small", action="store_true", help="sizes that take seconds: does it run?")
    p.add_argument("--full", action="store_true", help="also the peers that take minutes")
    p.add_argument(
        "--out",
        type=Path,
        help="folder for NAME.jsonl and NAME.png; default bench/results, with --small none",
    )
    p.add_argument("--rounds", type=int, help=f"even; default {ROUNDS}, with --small 2")
    p.add_argument("--only", default="", metavar="TEXT", help="cases whose label contains TEXT")
    p.add_argument("--no-memory", action="store_true", help="leave out the peak memory")
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    p = parser()
    asked = p.parse_args(arguments)
    rounds = asked.rounds if asked.rounds is not None else 2 if asked.small else ROUNDS
    try:
        options = Options(asked.small, asked.full, rounds, not asked.no_memory, asked.only)
    except ValueError as wrong:
        p.error(str(wrong))
    with contextlib.ExitStack() as stack:
        folder = asked.out
        if folder is None and asked.small:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in asked.suite:
            suite = importlib.import_module(f"bench.bench_{name}")
            results = Results(name, folder or PUBLISHED, options, suite.__doc__ or "")
            suite.run(results, options)
            results.finish()
            report.main([str(results.path)])


if __name__ == "__main__":
    main()
