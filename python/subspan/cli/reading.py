"""Matrices from files: which reader, which entry, and what is wrong with the file."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from .formats.entry import HoldsResult

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_MODULES = {
    ".npy": "npy",
    ".npz": "npz",
    ".mtx": "matrix_market",
    ".mat": "matlab",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".zarr": "zarr_store",
    ".parquet": "parquet",
    ".csv": "csv_table",
    ".safetensors": "safetensors_file",
    ".pt": "torch_file",
    ".pth": "torch_file",
    **dict.fromkeys(IMAGES, "image"),
}
FORMATS = tuple(_MODULES)
TABLES = (".csv", ".parquet")
SEVERAL = (".npz", ".mat", ".h5", ".hdf5", ".zarr", *TABLES, ".safetensors", ".pt", ".pth")
FILE = (
    "FILE: .npy .npz .mtx .mat .h5 .zarr .parquet .csv .safetensors .pt or an image; "
    "FILE::NAME chooses one of several arrays"
)


def read_matrix(path: str | Path, variable: str | None = None, *, by_rows: bool = False) -> Any:
    """Read a matrix from a file; nothing in it is executed.

    Parameters
    ----------
    path : path
        ``.npy`` (memory-mapped, not read), ``.npz`` (arrays, or a sparse matrix saved by SciPy),
        ``.mtx``, ``.mat``, ``.h5``, ``.zarr``, ``.parquet``, ``.csv`` (numbers, maybe a line of
        headings), ``.safetensors``, ``.pt`` or an image (made gray). ``FILE::NAME`` names an entry.
    variable : str, optional
        The entry of a file of several arrays, needed if there are several; columns, separated by
        commas, of ``.parquet`` and ``.csv``: by default all, after ``^`` all others. Without headings
        they are numbered from 0.
    by_rows : bool
        Return what can be sliced by rows: large tables are read whole, not in chunks.

    Returns
    -------
    array, sparse matrix, dataset on disk, or matrix read in chunks
        What is larger than 256 MiB stays on disk where its format permits: memory-mapped, or read
        in chunks of rows.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it does not hold one matrix, is damaged, or promises far more than it holds. The message
        starts with the path.
    ImportError
        If the library that reads the format is missing; the message names the extra that brings it.
    """
    path, variable = _split(path, variable)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(f"{path}: unknown format; expected one of {' '.join(FORMATS)}")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if path.is_dir() and suffix != ".zarr":
        raise IsADirectoryError(f"{path}: is a directory")
    if variable is not None and suffix not in SEVERAL:
        raise ValueError(f"{path}: an entry can be chosen of {' '.join(SEVERAL)} files only")
    with _named(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of readers, about their formats
        reader = import_module(f".formats.{_MODULES[suffix]}", __package__)
        return reader.read(path, variable, by_rows)


def column_names(path: str | Path, variable: str | None = None) -> list[str] | None:
    """Return the names of the columns that :func:`read_matrix` reads, if the file has names for them."""
    path, variable = _split(path, variable)
    if path.suffix.lower() not in TABLES:
        return None
    reader = import_module(f".formats.{_MODULES[path.suffix.lower()]}", __package__)
    names: list[str] | None = reader.names(path, variable)
    return names


def read_list(name: str) -> Any:
    """Read numbers or words, one per row, from .npy or .txt."""
    import numpy as np

    path = Path(name)
    if path.suffix not in (".npy", ".txt"):
        raise ValueError(f"{path}: unknown format; expected .npy, or .txt with one value per line")
    with _named(path):
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        words = path.read_text(encoding="utf-8").split("\n")
    if words and not words[-1]:
        words.pop()
    for kind in (int, float):
        try:
            return np.array([kind(word) for word in words])
        except ValueError:
            continue
    return np.array(words)


def _split(path: str | Path, variable: str | None) -> tuple[Path, str | None]:
    """Separate FILE::NAME, unless there is a file of that very name."""
    file, mark, name = str(path).rpartition("::")
    if not mark or Path(path).exists():
        return Path(path), variable
    if variable is not None:
        raise ValueError(f"{path}: names an entry, and so does --variable {variable}")
    return Path(file), name


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the path before what a reader complains about, whatever it raises."""
    try:
        yield
    except ImportError:
        raise
    except Exception as problem:  # readers of damaged files raise anything
        text = str(problem) or type(problem).__name__
        if not isinstance(problem, (ValueError, TypeError, OSError, MemoryError)):
            text = f"is damaged: {type(problem).__name__}: {problem}"
        kinds = [kind for kind in (MemoryError, HoldsResult) if isinstance(problem, kind)]
        kind = kinds[0] if kinds else ValueError
        raise kind(text if str(path) in text else f"{path}: {text}") from None
