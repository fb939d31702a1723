"""The command ``subspan id``: an interpolative decomposition of a matrix in a file."""

from __future__ import annotations

import argparse
import json
import time
import warnings
from typing import TYPE_CHECKING, Any

from .output import MET, NOT_MET, check_outputs, plain, seed
from .reading import FORMATS, read_matrix

if TYPE_CHECKING:
    from ..interp import InterpolativeDecomposition
    from ..result import ErrorEstimate

_PLOT_ENTRIES = 2**24  # a larger matrix is not drawn, only its result is


def add_to(commands: Any) -> None:
    """Add the command and its options."""
    from ..interp import COEFFICIENTS
    from ..pivot import PIVOTING

    identify = commands.add_parser(
        "id",
        help="interpolative decomposition of a matrix in a file",
        description="Interpolative decomposition: columns, rows or both that span the matrix.",
        epilog="at least one of --rank and --rtol; with both, whichever is reached first",
    )
    identify.add_argument("file", metavar="FILE", help=f"a matrix: {' '.join(FORMATS)}")
    identify.add_argument("--rank", type=int, metavar="K", help="how many to choose")
    identify.add_argument("--rtol", type=float, metavar="T", help="relative error to reach")
    identify.add_argument("--norm", choices=("fro", "spectral"), default="fro", help="default: fro")
    identify.add_argument(
        "--pivoting", metavar="P", default="auto", choices=("auto", *PIVOTING),
        help=f"auto (default), {', '.join(PIVOTING)}",
    )  # fmt: skip
    identify.add_argument(
        "--axis", choices=("0", "1", "both"), default="1", help="1 columns (default), 0 rows, both"
    )
    identify.add_argument(
        "--coefficients", choices=COEFFICIENTS, default="auto", help="default: auto"
    )
    identify.add_argument("--oversampling", type=int, metavar="N", help="more rows in the sketch")
    identify.add_argument("--seed", type=seed, metavar="N", help="repeats a result (default: new)")
    identify.add_argument("--variable", metavar="NAME", help="which one, in .npz and .mat files")
    identify.add_argument("-o", "--output", metavar="OUT", help="save to .npz or .safetensors")
    identify.add_argument("--plot", metavar="OUT.png", help="picture of the choice and the error")
    identify.add_argument("--json", action="store_true", help="summary as JSON")
    identify.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Decompose, save, draw and print."""
    from ..exceptions import ToleranceNotMet
    from ..interp import interpolative

    if arguments.rank is None and arguments.rtol is None:
        raise ValueError("one of --rank and --rtol is required (see subspan id --help)")
    check_outputs(arguments.output, arguments.plot)
    A = read_matrix(arguments.file, arguments.variable)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ToleranceNotMet)  # the exit code and the summary say it
        start = time.perf_counter()
        result = interpolative(
            A,
            arguments.rank,
            rtol=arguments.rtol,
            norm=arguments.norm,
            axis={"0": 0, "1": 1, "both": None}[arguments.axis],
            pivoting=arguments.pivoting,
            coefficients=arguments.coefficients,
            oversampling=arguments.oversampling,
            rng=arguments.seed,
        )
        seconds = time.perf_counter() - start
    if arguments.output:
        result.save(arguments.output)
    if arguments.plot:
        from .. import plots

        small = A.shape[0] * A.shape[1] <= _PLOT_ENTRIES
        dense = A.toarray() if small and hasattr(A, "toarray") else A if small else None
        plots.save(plots.interpolative(result, dense), arguments.plot)
    if arguments.json:
        print(json.dumps(summary(result, seconds, arguments.file), allow_nan=False))
    else:
        _print_result(result, seconds)
    return MET if result.converged else NOT_MET


def summary(result: InterpolativeDecomposition, seconds: float, file: str) -> dict[str, Any]:
    """Return what ``--json`` prints: plain numbers, strings, lists and dictionaries.

    Parameters
    ----------
    result : InterpolativeDecomposition
    seconds : float
        Time of the call, without reading the file.
    file : str
        Where the matrix came from.

    Returns
    -------
    dict
        Keys file, rank, axis, indices, shapes, dtype, error, converged, stop_reason, seed, seconds,
        plan. With ``axis`` "both", `indices` and ``shapes["coefficients"]`` are dictionaries with
        rows and columns.
    """
    both = result.axis is None
    indices, coefficients = result.indices, result.coefficients
    return {
        "file": str(file),
        "rank": result.rank,
        "axis": "both" if both else result.axis,
        "indices": (
            {"rows": indices[0].tolist(), "columns": indices[1].tolist()}
            if both
            else indices.tolist()
        ),
        "shapes": {
            "A": list(result.shape),
            "skeleton": list(result.skeleton.shape),
            "coefficients": (
                {"rows": list(coefficients[0].shape), "columns": list(coefficients[1].shape)}
                if both
                else list(coefficients.shape)
            ),
        },
        "dtype": result.dtype.name,
        "error": _plain_error(result.error),
        "converged": bool(result.converged),
        "stop_reason": result.stop_reason,
        "seed": result.seed,
        "seconds": seconds,
        "plan": {
            "choices": {key: plain(value) for key, value in result.plan.choices.items()},
            "reasons": dict(result.plan.reasons),
            "passes": result.plan.passes,
            "seconds": {key: float(value) for key, value in result.plan.seconds.items()},
        },
    }


def _plain_error(error: ErrorEstimate) -> dict[str, Any]:
    return {
        "value": plain(error.value),
        "relative": plain(error.relative),
        "upper": plain(error.upper),
        "norm": error.norm,
        "kind": error.kind,
        "failure_probability": plain(error.failure_probability),
    }


def _print_result(result: InterpolativeDecomposition, seconds: float) -> None:
    m, n = result.shape
    what = {1: "columns", 0: "rows", None: "rows and columns"}[result.axis]
    e = result.error
    norm = {"fro": "Frobenius", "spectral": "spectral"}[e.norm]
    print(f"{result.rank} {what} of a {m} x {n} matrix, {result.dtype.name}, in {seconds:.4g} s")
    line = f"error      {e.relative:.4g} of the {norm} norm, {e.value:.4g} absolute ({e.kind})"
    if e.kind != "exact":
        line += f"; at most {e.upper:.4g} but with probability {e.failure_probability:g}"
    print(line)
    if not result.converged:
        print("tolerance  NOT met")
    sides = zip(("rows", "columns"), result.indices, strict=True) if result.axis is None else None
    for name, indices in sides or [(what, result.indices)]:
        print(f"{name:<9}  {' '.join(map(str, indices.tolist()))}")
    print(f"seed       {result.seed}\n")
    print(result.plan)
