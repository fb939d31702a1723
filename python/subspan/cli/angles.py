"""The command ``subspan angles``: between two subspaces, or of singular vectors to the true ones."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from . import options
from .formats.entry import HoldsResult
from .output import MET, check_outputs, plain, save_plot, written
from .reading import FILE, read_matrix
from .screen import listing, show


@click.command(
    short_help="angles between subspaces, or how far to trust an SVD",
    epilog=f"{FILE}.",
)
@options.file
@click.argument("other", metavar="[OTHER]", required=False, type=click.Path())
@click.option(
    "--svd",
    metavar="RESULT",
    type=click.Path(),
    help="Singular vectors of FILE, as `subspan svd -o` saved them.",
)
@click.option("--rank", type=int, metavar="K", help="With --svd: the leading K (default: all).")
@options.results
def command(file: str, other: str | None, svd: str | None, rank: int | None, **given: Any) -> int:
    """Canonical angles between the columns of FILE and of OTHER.

    Either may be a saved SVD, which stands for its left vectors; two are compared on both sides.

    With --svd: bounds and estimates of the angles between the singular vectors in RESULT and the true
    ones of FILE; -o saves the bounds.
    """
    if (other is None) == (svd is None):
        click.get_current_context().fail("Either OTHER or --svd is required, and not both.")
    if rank is not None and svd is None:
        click.get_current_context().fail("--rank is for --svd.")
    check_outputs(given["output"], given["plot"])
    start = time.perf_counter()
    if svd is not None:
        found = _of_vectors(read_matrix(file, given["variable"]), svd, rank, given["seed"])
    else:
        assert other is not None
        found = {"exact": _between(file, other, given["variable"])}
    seconds = time.perf_counter() - start
    if given["output"]:
        with written(given["output"]) as name:
            next(iter(found.values())).save(name)
    if given["plot"]:
        from .. import plots

        first, *more = found.values()
        save_plot(plots.angles(first, None, *more), given["plot"])
    if given["as_json"]:
        print(json.dumps(_summary(found, file, other or svd, seconds), allow_nan=False))
    else:
        show(*_tables(found))
    return MET


def _between(file: str, other: str, variable: str | None) -> Any:
    from ..angles import canonical_angles

    X, Y = _read(file, variable), _read(other, variable)
    if hasattr(X, "U") != hasattr(Y, "U"):  # vectors against a matrix: on the left side alone
        X, Y = (getattr(side, "U", side) for side in (X, Y))
    return canonical_angles(X, Y)


def _read(file: str, variable: str | None) -> Any:
    """Read a saved decomposition, or a matrix whose columns span the subspace."""
    try:
        A = read_matrix(file, variable, by_rows=True)
    except HoldsResult:
        return _load(file)
    return A.toarray() if hasattr(A, "toarray") else A[:]


def _load(file: str) -> Any:
    from ..result import load

    found = load(file)
    if not all(hasattr(found, name) for name in ("U", "s", "Vh")):
        kind = type(found).__name__
        raise ValueError(f"{file}: holds a {kind}; expected singular vectors, see subspan svd -o")
    return found


def _of_vectors(A: Any, svd: str, rank: int | None, seed: int | None) -> dict[str, Any]:
    from ..angles import posterior_bounds, posterior_estimates

    vectors = _load(svd)
    return {
        "bound": posterior_bounds(A, *vectors, rank=rank, rng=seed),
        "estimate": posterior_estimates(A, *vectors, rank=rank, rng=seed),
    }


def _summary(found: dict[str, Any], file: str, other: str | None, seconds: float) -> dict[str, Any]:
    names = ("kind", "rigorous", "method", "failure_probability", "left", "right", "note")
    return {
        "file": str(file),
        "other": str(other),
        "rank": next(iter(found.values())).rank,
        **{
            kind: {name: plain(getattr(angles, name)) for name in names}
            for kind, angles in found.items()
        },
        "seconds": seconds,
    }


def _tables(found: dict[str, Any]) -> list[Any]:
    sides = [
        (f"{kind}, {side}", getattr(angles, side).tolist())
        for kind, angles in found.items()
        for side in ("left", "right")
        if getattr(angles, side) is not None
    ]
    header = ["sine", *(name for name, _ in sides)]
    rows = [(i + 1, *row) for i, row in enumerate(zip(*(s for _, s in sides), strict=True))]
    notes = [f"\n{kind}: {angles.note}" for kind, angles in found.items() if angles.note]
    return [listing(header, rows), *notes]
