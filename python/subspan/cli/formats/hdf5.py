"""``.h5``: datasets of HDF5 files, read in chunks when large."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..._optional import extra
from .entry import LARGE, check_promise, one_of, size_of


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Read a small dataset; return a large one as it is, open."""
    dataset = _dataset(path, entry)
    return dataset if size_of(dataset.shape, dataset.dtype) > LARGE else dataset[()]


def read_transposed(path: Path, entry: str | None) -> Any:
    """Read what MATLAB wrote, which stores columns one after the other."""
    dataset = _dataset(path, entry)
    if size_of(dataset.shape, dataset.dtype) <= LARGE:
        return dataset[()].T
    from ...chunks import chunks

    return chunks(dataset).T


def _dataset(path: Path, entry: str | None) -> Any:
    with extra("storage", "h5py"):
        import h5py

    names: list[str] = []

    def note(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and len(node.shape or ()) == 2:
            names.append(name)

    file = h5py.File(path, "r")
    file.visititems(note)
    dataset = file[one_of(sorted(names), None if entry is None else entry.strip("/"))]
    if dataset.dtype.kind not in "biufc":
        raise ValueError(f"{dataset.name} has dtype {dataset.dtype}; expected numbers")
    check_promise(dataset.shape, dataset.dtype, dataset.id.get_storage_size())
    return dataset
