"""Time subspan against others and against the floors of this machine.

python -m bench --suite standard            every family, all peers, in under fifteen minutes
python -m bench                             everything, the better part of an hour, into bench/results
python -m bench --small                     seconds: does it run, are the answers right?
python -m bench --suite readme              measure the figures of the README and write them there
python -m bench compare OLD NEW             regressions between two runs: exit code 1
python -m bench report [FILE or FOLDER ...] tables, pictures and report.html from result files
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import compare, device, report, standard
from .run import ROUNDS, Options, Results, WrongAnswer

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
)
SETS = {"standard": tuple(standard.STANDARD), "readme": standard.README, "all": SUITES}
ON_TENSORS = "tensors"  # what a device other than the CPU runs
PUBLISHED = Path(__file__).parent / "results"
STANDARD_OUT = Path("bench-standard")


def parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    p = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=form)
    p.add_argument(
        "--suite",
        nargs="+",
        choices=(*SETS, *SUITES, ON_TENSORS),
        default=["all"],
        metavar="NAME",
        help=f"of {', '.join((*SETS, *SUITES, ON_TENSORS))}; default all",
    )
    p.add_argument(
        "--device",
        choices=device.DEVICES,
        default="cpu",
        help="cuda: the routines on tensors of a GPU, whatever the suite",
    )
    p.add_argument("--small", action="store_true", help="sizes that take seconds: does it run?")
    p.add_argument("--full", action="store_true", help="also the peers that take minutes")
    p.add_argument(
        "--out",
        type=Path,
        help=f"folder for NAME.jsonl, NAME.png and report.html; default bench/results, with --suite "
        f"standard or another device {STANDARD_OUT}, with --small none",
    )
    p.add_argument(
        "--rounds",
        type=int,
        help=f"even; default {ROUNDS}, of the standard suite {standard.ROUNDS}, with --small 2",
    )
    p.add_argument("--only", default="", metavar="TEXT", help="cases whose label contains TEXT")
    p.add_argument("--no-memory", action="store_true", help="leave out the peak memory")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    commands = {"compare": compare.main, "report": report.main}
    if given and given[0] in commands:
        return commands[given[0]](given[1:])
    p = parser()
    asked = p.parse_args(given)
    try:
        device.require(asked.device)
        plan = _plan(asked)
    except (ValueError, device.DeviceUnavailable) as wrong:
        print(f"bench: {wrong}", file=sys.stderr)
        return 2
    with contextlib.ExitStack() as stack:
        folder = _folder(asked)
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            ran = [_run(name, folder, options) for name, options in plan.items()]
        except WrongAnswer as wrong:
            print(f"bench: {wrong}", file=sys.stderr)
            return 1
        paths = [path for path in ran if path is not None]
        if paths:
            report.illustrate({path: report.read(path) for path in paths})
        if asked.suite == ["readme"] and asked.device == "cpu" and not asked.small:
            _write_readme(folder)
    return 0


def _plan(asked: argparse.Namespace) -> dict[str, Options]:
    """Every suite with its options, in the order in which they run."""
    if asked.device != "cpu":
        return {ON_TENSORS: _options(asked, False)}
    plan: dict[str, Options] = {}
    for name in asked.suite:
        for suite in SETS.get(name, (name,)):
            plan.setdefault(suite, _options(asked, name == "standard", suite))
    return plan


def _options(asked: argparse.Namespace, brief: bool, suite: str = "") -> Options:
    rounds = 2 if asked.small else standard.ROUNDS if brief else ROUNDS
    return Options(
        small=asked.small,
        full=asked.full,
        rounds=rounds if asked.rounds is None else asked.rounds,
        memory=not asked.no_memory and not brief,
        only=asked.only,
        labels=standard.STANDARD[suite] if brief and not asked.small else (),
        device=asked.device,
    )


def _folder(asked: argparse.Namespace) -> Path | None:
    if asked.out is not None or asked.small:
        return asked.out
    partly = "standard" in asked.suite or asked.device != "cpu"
    return STANDARD_OUT if partly else PUBLISHED


def _run(name: str, folder: Path, options: Options) -> Path | None:
    """The result file of a suite; none if a library that it stands on is missing."""
    try:
        suite = importlib.import_module(f"bench.bench_{name}")
    except ModuleNotFoundError as missing:
        print(f"[{name}] left out: {missing.name} is not installed", file=sys.stderr)
        return None
    results = Results(name, folder, options, suite.__doc__ or "")
    suite.run(results, options)
    results.finish()
    print(report.text(report.read(results.path)) + "\n", flush=True)
    return results.path


def _write_readme(folder: Path) -> None:
    """Into README.md from the published results, else beside the results."""
    from . import readme

    if folder == PUBLISHED:
        readme.main()
    else:
        path = folder / "figures.md"
        path.write_text(readme.figures(folder), encoding="utf-8")
        print(f"figures: {path}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
