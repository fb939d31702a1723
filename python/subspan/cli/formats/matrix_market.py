"""``.mtx``: Matrix Market, dense or by coordinates."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Read the matrix, sparse if it is stored by coordinates."""
    from scipy.io import mminfo, mmread

    with open(path, "rb") as file:
        if file.read(14).lower() != b"%%matrixmarket":
            raise ValueError("is not a Matrix Market file: it must start with %%MatrixMarket")
    _, _, entries, form, *_ = mminfo(path)
    least = 2 if form == "array" else 4  # bytes of a line
    if least * entries > path.stat().st_size:
        raise ValueError(f"is truncated: its header promises {entries} entries")
    A = mmread(path)
    return A.tocsc() if hasattr(A, "tocsc") else A
