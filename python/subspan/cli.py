"""The command ``subspan``: ``demo``, ``config`` and ``id``.

Exit codes: 0 done and every tolerance met, 1 numerical failure, 2 bad input (one line on standard
error), 3 a tolerance is not met, 130 interrupted. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from .interp import InterpolativeDecomposition
    from .result import ErrorEstimate

MET, FAILED, BAD_INPUT, NOT_MET, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 130, 141
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
FORMATS = (".npy", ".npz", ".mtx", ".csv", ".mat", *IMAGES)
_PLOT_ENTRIES = 2**24  # a larger matrix is not drawn, only its result is


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        The exit code.

    Examples
    --------
    >>> from subspan import cli
    >>> cli.main(["config"])  # doctest: +ELLIPSIS
    subspan ...
    0
    """
    from numpy.linalg import LinAlgError

    try:
        arguments = _parser().parse_args(argv)
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except LinAlgError as problem:
        return _complain(problem, FAILED)
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as problem:
        return _complain(problem, BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    return code


def _complain(problem: BaseException | str, code: int) -> int:
    text = " ".join(str(problem).split()) or type(problem).__name__
    print(f"subspan: error: {text}", file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    from . import __version__
    from .interp import COEFFICIENTS
    from .pivot import PIVOTING

    parser = _Parser(
        prog="subspan",
        description="Columns and rows that span a matrix, with a certified error.",
        epilog="exit codes: 0 met, 1 numerical failure, 2 bad input, 3 tolerance not met",
    )
    parser.add_argument("--version", action="version", version=f"subspan {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="real data, a table and a picture")
    demo.add_argument(
        "--out", metavar="DIR", default=".", help="folder for demo.png (default: here)"
    )
    demo.add_argument("--seed", type=_seed, metavar="N", default=0, help="default: 0")
    demo.add_argument("--no-plot", action="store_true", help="the table only")
    demo.set_defaults(command=_demo)

    config = commands.add_parser("config", help="BLAS, instruction set, threads, CUDA")
    config.set_defaults(command=_config)

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
    identify.add_argument("--seed", type=_seed, metavar="N", help="repeats a result (default: new)")
    identify.add_argument("--variable", metavar="NAME", help="which one, in .npz and .mat files")
    identify.add_argument("-o", "--output", metavar="OUT", help="save to .npz or .safetensors")
    identify.add_argument("--plot", metavar="OUT.png", help="picture of the choice and the error")
    identify.add_argument("--json", action="store_true", help="summary as JSON")
    identify.set_defaults(command=_id)
    return parser


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed < 2**64:
        raise argparse.ArgumentTypeError(f"{seed} must lie in [0, 2**64)")
    return seed


def _demo(arguments: argparse.Namespace) -> int:
    from . import demo

    demo.run(Path(arguments.out), seed=arguments.seed, plot=not arguments.no_plot)
    return MET


def _config(arguments: argparse.Namespace) -> int:
    from .config import show_config

    show_config()
    return MET


def _id(arguments: argparse.Namespace) -> int:
    from .exceptions import ToleranceNotMet
    from .interp import interpolative

    if arguments.rank is None and arguments.rtol is None:
        raise ValueError("one of --rank and --rtol is required (see subspan id --help)")
    _check_outputs(arguments)
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
        from . import plots

        small = A.shape[0] * A.shape[1] <= _PLOT_ENTRIES
        dense = A.toarray() if small and hasattr(A, "toarray") else A if small else None
        plots.interpolative(result, dense).savefig(arguments.plot, dpi=120)
    if arguments.json:
        print(json.dumps(summary(result, seconds, arguments.file), allow_nan=False))
    else:
        _print_result(result, seconds)
    return MET if result.converged else NOT_MET


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Refuse a file that could not be written, before the work is done."""
    for name in (arguments.output, arguments.plot):
        if name and not Path(name).parent.is_dir():
            raise ValueError(f"folder {Path(name).parent} does not exist")
    if arguments.output and Path(arguments.output).suffix not in (".npz", ".safetensors"):
        raise ValueError(f"--output {arguments.output}: the name must end in .npz or .safetensors")
    if arguments.output and Path(arguments.output).suffix == ".safetensors":
        import importlib.util

        if importlib.util.find_spec("safetensors") is None:
            raise ImportError(f"--output {arguments.output}: pip install safetensors")
    if arguments.plot:
        from . import plots

        known = plots.new_figure(1, 1).canvas.get_supported_filetypes()
        if Path(arguments.plot).suffix[1:].lower() not in known:
            raise ValueError(f"--plot {arguments.plot}: not a picture that matplotlib writes")


# --- reading --------------------------------------------------------------------------------------


def read_matrix(path: str | Path, variable: str | None = None) -> Any:
    """Read a matrix from a file.

    Parameters
    ----------
    path : path
        ``.npy`` (memory-mapped, not read), ``.npz`` (arrays, or a sparse matrix saved by SciPy),
        ``.mtx``, ``.csv`` (numbers, maybe a line of headings), ``.mat`` or an image (made gray).
    variable : str, optional
        Which array of an ``.npz`` or ``.mat`` file; needed if there are several.

    Returns
    -------
    array or sparse matrix

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it does not hold one matrix. The message starts with the path.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(f"{path}: unknown format; expected one of {' '.join(FORMATS)}")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if variable is not None and suffix not in (".npz", ".mat"):
        raise ValueError(f"{path}: --variable is for .npz and .mat files")
    with _named(path):
        if suffix in IMAGES:
            return _read_image(path)
        readers = {".npy": _read_npy, ".mtx": _read_mtx, ".csv": _read_csv}
        if suffix in readers:
            return readers[suffix](path)
        return {".npz": _read_npz, ".mat": _read_mat}[suffix](path, variable)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the path before what a reader complains about, whatever it raises."""
    try:
        yield
    except (ImportError, MemoryError):
        raise
    except Exception as problem:  # readers of damaged files raise anything
        text = str(problem) or type(problem).__name__
        raise ValueError(text if str(path) in text else f"{path}: {text}") from None


def _read_npy(path: Path) -> Any:
    import numpy as np

    with open(path, "rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError("is not an .npy file")
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _read_npz(path: Path, variable: str | None) -> Any:
    import numpy as np

    with np.load(path, allow_pickle=False) as file:
        names = set(file.files)
        if "subspan" in names:
            raise ValueError("holds a result of subspan, not a matrix; open it with subspan.load")
        if "format" not in names or variable is not None:
            return file[_one_of(sorted(names), variable)]
    from scipy.sparse import load_npz

    return load_npz(path)


def _read_mtx(path: Path) -> Any:
    from scipy.io import mmread

    A = mmread(path)
    return A.tocsc() if hasattr(A, "tocsc") else A


def _read_csv(path: Path) -> Any:
    import numpy as np

    with open(path, encoding="utf-8-sig") as file:
        first = file.readline()
        rest = file.readline()
    if not first.strip():
        raise ValueError("is empty or starts with an empty line")
    heading = not any(_is_number(field) for field in first.split(","))
    if heading and not rest.strip():
        raise ValueError("holds no numbers")
    return np.loadtxt(path, delimiter=",", ndmin=2, skiprows=int(heading), encoding="utf-8-sig")


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _read_mat(path: Path, variable: str | None) -> Any:
    from scipy.io import loadmat

    try:
        content = loadmat(path)
    except NotImplementedError:
        raise ValueError("is a MATLAB 7.3 file; save it with -v7, or as .npy") from None
    names = [
        name
        for name, value in content.items()
        if not name.startswith("__")
        and getattr(value, "ndim", 0) == 2
        and value.dtype.kind in "biufc"
    ]
    return content[_one_of(names, variable)]


def _one_of(names: Sequence[str], variable: str | None) -> str:
    if variable is not None:
        if variable not in names:
            raise ValueError(f"--variable {variable!r} is not one of {', '.join(names)}")
        return variable
    if len(names) != 1:
        found = ", ".join(names) if names else "none"
        raise ValueError(f"expected one matrix, found {found}; choose with --variable")
    return names[0]


def _read_image(path: Path) -> Any:
    import numpy as np

    try:
        from PIL import Image
    except ImportError:
        raise ImportError("images need pillow: pip install 'subspan[demo]'") from None
    with Image.open(path) as image:
        deep = image.mode.startswith(("I", "F"))
        gray = np.asarray(image if deep else image.convert("L"))
    return gray.astype(np.float64)


# --- reporting ------------------------------------------------------------------------------------


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
            "choices": {key: _plain(value) for key, value in result.plan.choices.items()},
            "reasons": dict(result.plan.reasons),
            "passes": result.plan.passes,
            "seconds": {key: float(value) for key, value in result.plan.seconds.items()},
        },
    }


def _plain_error(error: ErrorEstimate) -> dict[str, Any]:
    return {
        "value": _plain(error.value),
        "relative": _plain(error.relative),
        "upper": _plain(error.upper),
        "norm": error.norm,
        "kind": error.kind,
        "failure_probability": _plain(error.failure_probability),
    }


def _plain(value: Any) -> Any:
    """Make a value fit for JSON, which knows neither numpy nor infinity."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


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


if __name__ == "__main__":
    sys.exit(main())
