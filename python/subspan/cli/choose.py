"""The command ``subspan select``: rows of a matrix in a file, to label or to finetune on."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import MET, check_outputs, plain, seed
from .reading import FORMATS, read_matrix

if TYPE_CHECKING:
    from ..selection import Certificate, Selection


def add_to(commands: Any) -> None:
    """Add the command and its options."""
    select = commands.add_parser(
        "select",
        help="rows of a matrix to label or to finetune on",
        description="Rows that stand for all rows, by moment matching or another method.",
        epilog="rows are counted from 0; -n, or --costs with --budget",
    )
    select.add_argument("file", metavar="FILE", help=f"one row per candidate: {' '.join(FORMATS)}")
    select.add_argument("-n", type=int, metavar="N", help="how many to choose")
    select.add_argument(
        "--method", default="skmm", help="default: skmm; help(subspan.selection.select)"
    )
    select.add_argument("--labels", metavar="FILE", help=".npy, or .txt with a label per line")
    select.add_argument(
        "--per-group", choices=("proportional", "equal"), help="rows for every label"
    )
    select.add_argument(
        "--candidates", metavar="FILE", help="rows that may be chosen: .npy or .txt"
    )
    select.add_argument(
        "--already-selected", metavar="FILE", help="rows chosen before: .npy or .txt"
    )
    select.add_argument("--costs", metavar="FILE", help="cost of every row: .npy or .txt")
    select.add_argument("--budget", type=float, metavar="B", help="what the rows may cost together")
    select.add_argument("--scores", metavar="FILE", help="for --method scores: .npy or .txt")
    select.add_argument("--target", metavar="FILE", help="rows for --method influence and glister")
    select.add_argument("--sketch-size", type=int, metavar="M", help="columns to sketch rows to")
    select.add_argument("--ridge", type=float, default=0.0, metavar="R", help="default: 0")
    select.add_argument("--seed", type=seed, metavar="N", help="repeats a result (default: new)")
    select.add_argument("--variable", metavar="NAME", help="which one, in .npz and .mat files")
    select.add_argument(
        "-o", "--output", metavar="OUT", help="indices and weights: .csv, .npz or .safetensors"
    )
    select.add_argument("--json", action="store_true", help="summary as JSON")
    select.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Choose, save and print."""
    from ..selection import select

    check_outputs(arguments.output, None, ".csv")
    X = read_matrix(arguments.file, arguments.variable)
    options = {
        name: read_list(given)
        for name in ("labels", "candidates", "already_selected", "costs", "scores")
        if (given := getattr(arguments, name)) is not None
    }
    if arguments.target is not None:
        options["target"] = read_matrix(arguments.target)
    start = time.perf_counter()
    chosen = select(
        X,
        arguments.n,
        method=arguments.method,
        sketch_size="auto" if arguments.sketch_size is None else arguments.sketch_size,
        ridge=arguments.ridge,
        per_group=arguments.per_group,
        budget=arguments.budget,
        rng=arguments.seed,
        **options,
    )
    seconds = time.perf_counter() - start
    if arguments.output:
        _save(chosen, Path(arguments.output))
    if arguments.json:
        print(json.dumps(summary(chosen, seconds, arguments.file), allow_nan=False))
    else:
        _print(chosen, X.shape, seconds)
    return MET


def read_list(name: str) -> Any:
    """Read numbers or words, one per row, from .npy or .txt."""
    import numpy as np

    path = Path(name)
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if path.suffix != ".txt":
        raise ValueError(f"{path}: unknown format; expected .npy, or .txt with one value per line")
    words = path.read_text(encoding="utf-8").split("\n")
    if words and not words[-1]:
        words.pop()
    for kind in (int, float):
        try:
            return np.array([kind(word) for word in words])
        except ValueError:
            continue
    return np.array(words)


def _save(chosen: Selection, path: Path) -> None:
    if path.suffix != ".csv":
        chosen.save(path)
        return
    lines = [
        f"{i},{w!r}" for i, w in zip(chosen.indices.tolist(), chosen.weights.tolist(), strict=True)
    ]
    path.write_text("\n".join(["index,weight", *lines, ""]), encoding="utf-8")


def summary(chosen: Selection, seconds: float, file: str) -> dict[str, Any]:
    """Return what ``--json`` prints: plain numbers, strings, lists and dictionaries."""
    return {
        "file": str(file),
        "method": chosen.method,
        "indices": chosen.indices.tolist(),
        "weights": chosen.weights.tolist(),
        "objective": plain(chosen.objective),
        "dual": plain(chosen.dual),
        "certificate": _criteria(chosen.certificate),
        "uniform": _criteria(chosen.certificate.uniform),
        "groups": {name: list(pair) for name, pair in chosen.certificate.groups.items()},
        "settings": {name: plain(value) for name, value in chosen.settings.items()},
        "seed": chosen.seed,
        "seconds": seconds,
    }


def _criteria(found: Certificate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    names = ("coverage", "variance", "moment_error", "rank", "subset_rank")
    return {name: plain(getattr(found, name)) for name in names}


def _print(chosen: Selection, shape: tuple[int, int], seconds: float) -> None:
    found, uniform = chosen.certificate, chosen.certificate.uniform
    print(f"{len(chosen.indices)} of {shape[0]} rows by {chosen.method}, in {seconds:.4g} s\n")
    print(f"{'':<14}{'subset':>10}{'uniform':>10}{'ideal':>10}")
    for name, ideal in (("coverage", 1), ("variance", found.rank), ("moment_error", 0)):
        other = getattr(uniform, name) if uniform is not None else float("nan")
        print(f"{name:<14}{getattr(found, name):>10.4g}{other:>10.4g}{ideal:>10}")
    for name, (inside, size) in found.groups.items():
        other = uniform.groups[name][0] if uniform is not None else ""
        print(f"{name:<14}{inside:>10}{other:>10}{f'of {size}':>10}")
    print(f"\nrows  {' '.join(map(str, chosen.indices.tolist()))}")
    print(f"seed  {chosen.seed}")
