"""Matrices from files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
FORMATS = (".npy", ".npz", ".mtx", ".csv", ".mat", *IMAGES)


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
