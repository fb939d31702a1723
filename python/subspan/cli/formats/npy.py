"""``.npy``: mapped, not read; of a type that has to be converted, read in chunks when large."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .entry import LARGE, check_promise, stored


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Map the array."""
    with open(path, "rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError("is not an .npy file")
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as problem:
        if "mmap length" in str(problem):
            raise ValueError("is truncated: shorter than its header says") from None
        raise
    check_promise(mapped.shape, mapped.dtype, stored(path))
    return mapped if by_rows else in_chunks_if_converted(mapped)


def in_chunks_if_converted(mapped: Any) -> Any:
    """Wrap a large array of integers or half precision, whose conversion would be a copy of it all."""
    converted = mapped.ndim == 2 and mapped.dtype.kind in "biuf" and mapped.dtype.char not in "fd"
    if not converted or mapped.nbytes <= LARGE:
        return mapped
    from ...chunks import chunks

    return chunks(mapped)
