"""``.mtx``: Matrix Market, dense or by coordinates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .entry import check_memory


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Read the matrix, sparse if it is stored by coordinates."""
    from scipy.io import mminfo, mmread

    with open(path, "rb") as file:
        if file.read(14).lower() != b"%%matrixmarket":
            raise ValueError("is not a Matrix Market file: it must start with %%MatrixMarket")
    rows, columns, entries, form, *_ = mminfo(path)
    least = 2 if form == "array" else 4  # bytes of a line
    if least * entries > path.stat().st_size:
        raise ValueError(f"is truncated: its header promises {entries} entries")
    if form != "array":  # compressed by columns, on the way by coordinates
        check_memory(8 * columns + 32 * entries, f"it has {rows} rows and {columns} columns")
    A = mmread(path)
    return A.tocsc() if hasattr(A, "tocsc") else A
