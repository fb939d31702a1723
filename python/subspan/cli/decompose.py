"""What ``subspan id``, ``cur`` and ``svd`` have in common: read, decompose, save, draw, print."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import click

from .output import MET, NOT_MET, check_outputs, save_plot, written
from .reading import column_names, read_matrix
from .screen import facts, progress_bar, show

_DRAWN_ENTRIES = 2**24  # a larger matrix is not drawn, only its result is


def decompose(
    routine: Callable[..., Any],
    given: dict[str, Any],
    *,
    summary: Callable[..., dict[str, Any]],
    what: str,
    details: Callable[[Any], Iterable[tuple[str, Any]]],
    draw: Callable[[Any, Any], Any],
    columns: Callable[[Any], Any] | None = None,
    **options: Any,
) -> int:
    """Run one decomposition.

    Parameters
    ----------
    routine : callable
        ``subspan.interpolative``, ``cur`` or ``svd``.
    given : dict
        The options that all of them have.
    summary, details, draw : callable
        Of the result: what ``--json`` prints, what people see, and its picture beside A.
    columns : callable, optional
        Of the result: the chosen columns, if it has any; they are named as the file names them.
    what : str
        What was found, in the plural.
    **options
        The options of the routine.
    """
    goal = {name: given[name] for name in ("rank", "rtol", "atol")}
    if all(value is None for value in goal.values()):
        click.get_current_context().fail("One of --rank, --rtol and --atol is required.")
    check_outputs(given["output"], given["plot"])
    A = read_matrix(given["file"], given["variable"])
    with warnings.catch_warnings(), progress_bar(given["progress"]) as progress:
        from ..exceptions import ToleranceNotMet

        warnings.simplefilter("ignore", ToleranceNotMet)  # the exit code and the summary say it
        start = time.perf_counter()
        options = {**options, **goal, "norm": given["norm"], "rng": given["seed"]}
        result = routine(A, **options, progress=progress)
        seconds = time.perf_counter() - start
    if given["output"]:
        with written(given["output"]) as file:
            result.save(file)
    if given["plot"]:
        save_plot(draw(result, _small(A)), given["plot"])
    found = summary(result, seconds, given["file"])
    if columns is not None:
        found["names"] = None
        names, chosen = column_names(given["file"], given["variable"]), columns(result)
        if chosen is not None and names is not None and len(names) == result.shape[1]:
            found["names"] = [names[int(j)] for j in chosen]
    if given["as_json"]:
        print(json.dumps(found, allow_nan=False))
    else:
        m, n = result.shape
        title = (
            f"{result.rank} {what} of a {m} x {n} matrix, {result.dtype.name}, in {seconds:.4g} s"
        )
        rows = [*_error(result), *details(result), ("seed", result.seed)]
        if found.get("names") is not None:
            rows.insert(-1, ("named", ", ".join(found["names"])))
        show(title, facts(rows), "", str(result.plan))
    return MET if result.converged else NOT_MET


def _small(A: Any) -> Any:
    """Return A dense, or None if it is too large for that, or not in memory."""
    if A.shape[0] * A.shape[1] > _DRAWN_ENTRIES:
        return None
    return A.toarray() if hasattr(A, "toarray") else A


def _error(result: Any) -> Iterable[tuple[str, str]]:
    e = result.error
    norm = {"fro": "Frobenius", "spectral": "spectral"}[e.norm]
    line = f"{e.relative:.4g} of the {norm} norm, {e.value:.4g} absolute ({e.kind})"
    if e.kind != "exact":
        line += f"; at most {e.upper:.4g} but with probability {e.failure_probability:g}"
    yield "error", line
    if not result.converged:
        yield "tolerance", "NOT met"
