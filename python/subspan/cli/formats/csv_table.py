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
    labels, heading = _labels(first)
    if heading and not second.strip():
        raise ValueError("holds no numbers")
    used = None if entry is None else positions(entry, labels)
    _check_numbers(labels, _fields(second if heading else first), used)
    if path.stat().st_size <= LARGE or by_rows:
        return _parsed(path, used, skiprows=int(heading), encoding="utf-8-sig")
    from ...chunks import chunks

    rows = max(1, _CHUNK // len(labels))
    return chunks(lambda: _blocks(path, int(heading), rows, used), dtype=np.float64)


def names(path: Path, entry: str | None) -> list[str] | None:
    """Return the headings of the columns that are read; without headings, the numbers of chosen ones."""
    labels, heading = _labels(_first_lines(path)[0])
    if entry is not None:
        return [labels[j] for j in positions(entry, labels)]
    return labels if heading else None


def _labels(first: str) -> tuple[list[str], bool]:
    """Return headings if nothing in the first line is a number, else numbers; and which of both."""
    fields = _fields(first.lstrip("# "))  # as NumPy writes them
    if any(map(_is_number, fields)):
        return [str(j) for j in range(len(fields))], False
    return fields, True


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


def _check_numbers(labels: list[str], fields: list[str], used: list[int] | None) -> None:
    """Name a column that holds words, by the first line below the headings."""
    chosen = range(len(labels)) if used is None else used
    words = [j for j in chosen if j < len(fields) and fields[j] and not _is_number(fields[j])]
    if words:
        raise ValueError(f"column {labels[words[0]]} holds {fields[words[0]]!r}; {CHOOSE}")


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
