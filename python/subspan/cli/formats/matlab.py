"""``.mat``: MATLAB files, of version 7.3 as the HDF5 files that they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .entry import one_of

_NUMBERS = {"double", "single", "logical", "sparse"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Read the matrix that is named, or the only one."""
    from scipy.io import loadmat, whosmat

    try:
        found = whosmat(path)
    except NotImplementedError:  # version 7.3
        from .hdf5 import read_transposed

        return read_transposed(path, entry)
    names = [name for name, shape, kind in found if len(shape) == 2 and kind in _NUMBERS]
    name = one_of(names, entry)
    return loadmat(path, variable_names=[name])[name]
