"""``.csv``: numbers between commas, maybe below a line of headings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .entry import LARGE

_LINE = 2**26  # characters
_CHUNK = 2**23  # entries


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Read the table, in chunks if it is large: then its text is parsed once per pass."""
    with open(path, encoding="utf-8-sig") as file:
        first, second = file.readline(_LINE), file.readline(_LINE)
    if len(first) >= _LINE:
        raise ValueError(f"starts with a line of more than {_LINE} characters")
    if not first.strip():
        raise ValueError("is empty or starts with an empty line")
    fields = first.split(",")
    heading = not any(_is_number(field) for field in fields)
    if heading and not second.strip():
        raise ValueError("holds no numbers")
    if path.stat().st_size <= LARGE or by_rows:
        return np.loadtxt(path, delimiter=",", ndmin=2, skiprows=int(heading), encoding="utf-8-sig")
    from ...chunks import chunks

    return chunks(lambda: _blocks(path, heading, max(1, _CHUNK // len(fields))), dtype=np.float64)


def _blocks(path: Path, heading: bool, rows: int) -> Iterator[Any]:
    with open(path, encoding="utf-8-sig") as file:
        lines = iter(lambda: file.readline(_LINE), "")
        if heading:
            next(lines)
        while block := list(itertools.islice(lines, rows)):
            yield np.loadtxt(block, delimiter=",", ndmin=2)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
