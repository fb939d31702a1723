"""``.csv``: numbers between commas, maybe below a line of headings."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .entry import CHOOSE, LARGE, positions

_LINE = 2**26  # characters
_CHUNK = 2**23  # entries


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Read the table, in chunks if it is large: then its text is parsed once per pass."""
    first, second = _first_lines(path)
    headings = names(path)
    fields = _fields(first)
    if headings is None:
        if entry is not None:
            raise ValueError(f"--variable {entry}: there is no line of headings to choose from")
        used = None
    else:
        if not second.strip():
            raise ValueError("holds no numbers")
        used = None if entry is None else positions(entry, headings)
        _check_numbers(headings, _fields(second), used)
    skipped = int(headings is not None)
    if path.stat().st_size <= LARGE or by_rows:
        return _parsed(path, used, skiprows=skipped, encoding="utf-8-sig")
    from ...chunks import chunks

    rows = max(1, _CHUNK // len(fields))
    return chunks(lambda: _blocks(path, skipped, rows, used), dtype=np.float64)


def names(path: Path) -> list[str] | None:
    """Return the headings: the first line, if nothing in it is a number."""
    first, _ = _first_lines(path)
    fields = _fields(first.lstrip("# "))  # as NumPy writes them
    return None if any(map(_is_number, fields)) else fields


def _first_lines(path: Path) -> tuple[str, str]:
    with open(path, encoding="utf-8-sig") as file:
        first, second = file.readline(_LINE), file.readline(_LINE)
    if len(first) >= _LINE:
        raise ValueError(f"starts with a line of more than {_LINE} characters")
    if not first.strip():
        raise ValueError("is empty or starts with an empty line")
    return first, second


def _fields(line: str) -> list[str]:
    """What is between the commas; a comma between quotes separates nothing."""
    return [
        field.strip() for field in next(csv.reader([line.rstrip("\r\n")], skipinitialspace=True))
    ]


def _check_numbers(headings: list[str], fields: list[str], used: list[int] | None) -> None:
    """Name the columns that hold words, by what is below the headings."""
    chosen = range(len(headings)) if used is None else used
    words = [j for j in chosen if j < len(fields) and fields[j] and not _is_number(fields[j])]
    if words:
        raise ValueError(f"column {headings[words[0]]} holds {fields[words[0]]!r}; {CHOOSE}")


def _blocks(path: Path, skipped: int, rows: int, used: list[int] | None) -> Iterator[Any]:
    with open(path, encoding="utf-8-sig") as file:
        lines = itertools.islice(iter(lambda: file.readline(_LINE), ""), skipped, None)
        while block := list(itertools.islice(lines, rows)):
            yield _parsed(block, used)


def _parsed(source: Any, used: list[int] | None, **options: Any) -> Any:
    try:
        return np.loadtxt(source, delimiter=",", quotechar='"', ndmin=2, usecols=used, **options)
    except ValueError as problem:
        if "could not convert" not in str(problem):
            raise
        raise ValueError(
            f"{str(problem).rstrip('.')}; fill in what is missing, or {CHOOSE}"
        ) from None


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
