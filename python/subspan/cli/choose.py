"""The command ``subspan select``: rows of a matrix in a file, to label or to finetune on."""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING, Any

import click

from . import options
from .output import MET, check_outputs, plain, save_plot, written
from .reading import FILE, read_list, read_matrix
from .screen import facts, listing, progress_bar, show

if TYPE_CHECKING:
    from ..selection import Certificate, Selection

_LISTS = ("labels", "candidates", "already_selected", "costs", "scores")


@click.command(
    "select",
    short_help="rows of a matrix to label or to finetune on",
    epilog=f"Rows are counted from 0. -n, or --costs with --budget.\n\n{FILE}, one row per candidate.",
)
@options.file
@click.option("-n", type=int, metavar="N", help="How many to choose.")
@click.option("--method", default="skmm", help="Default: skmm; help(subspan.selection.select).")
@click.option("--labels", metavar="FILE", help=".npy, or .txt with a label per line.")
@click.option(
    "--per-group", type=click.Choice(["proportional", "equal"]), help="Rows for every label."
)
@click.option("--candidates", metavar="FILE", help="Rows that may be chosen: .npy or .txt.")
@click.option("--already-selected", metavar="FILE", help="Rows chosen before: .npy or .txt.")
@click.option("--costs", metavar="FILE", help="Cost of every row: .npy or .txt.")
@click.option("--budget", type=float, metavar="B", help="What the rows may cost together.")
@click.option("--scores", metavar="FILE", help="For --method scores: .npy or .txt.")
@click.option("--target", metavar="FILE", help="Rows for --method influence and glister.")
@click.option("--sketch-size", type=int, metavar="M", help="Columns to sketch rows to.")
@click.option("--ridge", type=float, default=0.0, metavar="R", help="Default: 0.")
@options.seed
@options.variable
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(),
    help="Indices: .npy; indices and weights: .csv, .npz or .safetensors.",
)
@options.plot
@options.as_json
@options.progress
def command(file: str, n: int | None, method: str, **given: Any) -> int:
    """Rows that stand for all rows, by moment matching or another method."""
    from ..selection import select

    check_outputs(given["output"], given["plot"], ".csv", ".npy")
    X = read_matrix(file, given["variable"], by_rows=True)
    lists = {name: read_list(given[name]) for name in _LISTS if given[name] is not None}
    if given["target"] is not None:
        lists["target"] = read_matrix(given["target"])
    start = time.perf_counter()
    with progress_bar(given["progress"]) as progress:
        chosen = select(
            X,
            n,
            method=method,
            sketch_size="auto" if given["sketch_size"] is None else given["sketch_size"],
            rng=given["seed"],
            progress=progress,
            **{name: given[name] for name in ("ridge", "per_group", "budget")},
            **lists,
        )
    seconds = time.perf_counter() - start
    if given["output"]:
        _save(chosen, given["output"])
    if given["plot"]:
        from .. import plots

        save_plot(plots.selection(X, chosen), given["plot"])
    if given["as_json"]:
        print(json.dumps(summary(chosen, seconds, file), allow_nan=False))
    else:
        _print(chosen, X.shape, seconds)
    return MET


def _save(chosen: Selection, output: str) -> None:
    with written(output) as file:
        if file.suffix == ".csv":
            file.write_text(_as_csv(chosen), encoding="utf-8")
        elif file.suffix == ".npy":
            import numpy as np

            whole = io.BytesIO()  # into a file itself numpy writes without noticing that it is full
            np.save(whole, chosen.indices)
            file.write_bytes(whole.getvalue())
        else:
            chosen.save(file)


def _as_csv(chosen: Selection) -> str:
    pairs = zip(chosen.indices.tolist(), chosen.weights.tolist(), strict=True)
    return "\n".join(["index,weight", *(f"{i},{w!r}" for i, w in pairs), ""])


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
        "settings": plain(chosen.settings),
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
    rows: list[tuple[Any, ...]] = []
    for name, ideal in (("coverage", 1), ("variance", found.rank), ("moment_error", 0)):
        other = float("nan") if uniform is None else float(getattr(uniform, name))
        rows.append((name, float(getattr(found, name)), other, ideal))
    for name, (inside, size) in found.groups.items():
        others = uniform.groups[name][0] if uniform is not None else ""
        rows.append((name, inside, others, f"of {size}"))
    show(
        f"{len(chosen.indices)} of {shape[0]} rows by {chosen.method}, in {seconds:.4g} s",
        "",
        listing(("", "subset", "uniform", "ideal"), rows),
        "",
        facts([("rows", " ".join(map(str, chosen.indices.tolist()))), ("seed", chosen.seed)]),
    )
