"""``.npz``: one array of several, or a sparse matrix that SciPy saved."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from .entry import LARGE, HoldsResult, check_memory, check_promise, one_of, size_of, stored
from .npy import in_chunks_if_converted

_LOCAL_HEADER = 30  # bytes, followed by a name and extra data whose lengths are in the last four


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Read the entry; map it if it is large and not compressed."""
    with zipfile.ZipFile(path) as archive:
        parts = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
    if entry is None and "subspan" in parts:
        raise HoldsResult
    if entry is None and "format" in parts:
        check_memory(sum(part.file_size for part in parts.values()), "save it as several")
        from scipy.sparse import load_npz

        return load_npz(path)
    name = one_of(sorted(parts), entry)
    part = parts[name]
    if part.file_size > LARGE and part.compress_type == zipfile.ZIP_STORED:
        mapped = _mapped(path, part)
        return mapped if by_rows else in_chunks_if_converted(mapped)
    check_memory(part.file_size, "save it with numpy.savez, without compression")
    with zipfile.ZipFile(path) as archive, archive.open(part) as start:
        shape, _, dtype = _header(start)
    if size_of(shape, dtype) > part.file_size:
        raise ValueError(f"is truncated: promises an array of shape {shape}")
    with np.load(path, allow_pickle=False) as file:  # checks its sum, which mapping does not
        return file[name]


def _mapped(path: Path, part: zipfile.ZipInfo) -> Any:
    with open(path, "rb") as file:
        file.seek(part.header_offset)
        header = file.read(_LOCAL_HEADER)
        lengths = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
        file.seek(part.header_offset + _LOCAL_HEADER + sum(lengths))
        shape, fortran, dtype = _header(file)
        check_promise(shape, dtype, stored(path))
        order: Any = "F" if fortran else "C"
        return np.memmap(path, dtype, "r", offset=file.tell(), shape=shape, order=order)


def _header(file: Any) -> Any:
    """Read shape, order and type at the start of an .npy file."""
    version = npy_format.read_magic(file)
    readers = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"holds an .npy file of version {version}; expected 1.0 or 2.0")
    shape, fortran, dtype = readers[version](file)
    if dtype.hasobject:
        raise ValueError("holds Python objects, which are not loaded")
    return shape, fortran, dtype
