"""What all readers ask: which entry, is it as large as it says, does it fit."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LARGE = 2**28  # bytes; what is larger stays on disk where it can
_HOLLOW = 2**34  # bytes; what is smaller may be as empty as it likes
_COMPRESSION = 1000  # no real data are compressed further


class HoldsResult(ValueError):
    """The file was written by ``result.save``; it holds no matrix but a result."""

    def __init__(
        self, text: str = "holds a result of subspan, not a matrix; open it with subspan.load"
    ) -> None:
        super().__init__(text)


def one_of(names: Sequence[str], variable: str | None) -> str:
    """Return the entry that was asked for, or the only one."""
    if variable is not None:
        if variable not in names:
            raise ValueError(f"--variable {variable!r} is not one of {_listed(names)}")
        return variable
    if len(names) != 1:
        found = _listed(names)
        raise ValueError(
            f"expected one matrix, found {found}; choose with --variable or FILE::NAME"
        )
    return names[0]


CHOOSE = "choose columns of numbers with --variable NAME,NAME, or ^NAME,NAME for all but these"


def positions(entry: str, names: Sequence[str]) -> list[int]:
    """Return where the columns are that were asked for: names between commas, after ^ what to leave out."""
    wanted = [name.strip() for name in entry.removeprefix("^").split(",")]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(f"--variable {', '.join(missing)}: not among the columns {_listed(names)}")
    if not entry.startswith("^"):
        return [names.index(name) for name in wanted]
    others = [j for j, name in enumerate(names) if name not in wanted]
    if not others:
        raise ValueError(f"--variable {entry} leaves no column")
    return others


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown or "none"


def size_of(shape: Sequence[int], dtype: Any) -> int:
    """Return the bytes of an array."""
    return math.prod(int(n) for n in shape) * int(dtype.itemsize)


def stored(path: Path) -> int:
    """Return the bytes that a file takes on disk, without holes where the system knows of them."""
    status = path.stat()
    return int(status.st_blocks * 512 if hasattr(status, "st_blocks") else status.st_size)


def check_promise(shape: Sequence[int], dtype: Any, there: int) -> None:
    """Refuse an array that promises far more than is stored: a pass over it could take days."""
    promised = size_of(shape, dtype)
    if promised > max(_HOLLOW, _COMPRESSION * there):
        raise ValueError(
            f"promises an array of shape {tuple(shape)}, {in_words(promised)}, but stores "
            f"{in_words(there)} of it: damaged, or empty"
        )


def check_memory(wanted: int, advice: str) -> None:
    """Refuse what has to be read whole and does not fit into the memory of this machine."""
    if not hasattr(os, "sysconf"):
        return  # the system will say so itself
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if wanted > there:
        raise MemoryError(
            f"needs {in_words(wanted)} of memory, of which there are {in_words(there)}; {advice}"
        )


def in_words(size: int) -> str:
    """Return a number of bytes in the unit that fits."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
    power = min(max(size.bit_length() - 1, 0) // 10, len(units) - 1)
    return f"{size / 2 ** (10 * power):.3g} {units[power]}"
