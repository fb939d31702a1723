"""Where sketches go as they are made: memory, a given array, an ``.npy`` file or a Zarr group.

Files carry a note of how many samples are done and of what sketch they are. A group of rows is written
before it is counted: what an interruption leaves uncounted is written again, and nothing counts twice.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .sketches import GradientSketches

ON_BAD = ("raise", "drop", "zero")


class Store(Protocol):
    """Takes groups of rows in the order of the samples."""

    done: int  # samples that need not come again

    def write(self, sketches: Any, norms: Any, good: NDArray[np.bool_]) -> None:
        """Take the rows of the next samples; those that are not good are zero."""

    def flush(self) -> None:
        """Bring what was taken to where it is kept, also after an interruption."""

    def result(self) -> GradientSketches:
        """What was written; raises ValueError if rows are missing."""


def open_store(
    out: Any, rows: int | None, size: int, signature: dict[str, Any], resume: bool, on_bad: str
) -> Store:
    """Return the store that `out` names, after the checks that all have in common."""
    if on_bad not in ON_BAD:
        raise ValueError(f"on_bad={on_bad!r} is not known; expected one of {ON_BAD}")
    if out is None:
        if resume:
            raise ValueError("resume=True needs out, the file to go on with")
        return MemoryStore(size, on_bad == "drop")
    if on_bad == "drop":
        raise ValueError(
            "on_bad='drop' is for results in memory; choose 'zero' with out and leave out .bad_ids"
        )
    if not isinstance(out, (str, Path)):
        if resume:
            raise ValueError(
                "resume=True needs out to be a path: an array does not say how far it is"
            )
        return ArrayStore(out, size)
    path = Path(out)
    if rows is None:
        raise ValueError(f"out={str(path)!r} needs count: the loader does not tell its samples")
    if path.suffix == ".npy":
        return NpyStore(path, rows, size, signature, resume)
    if path.suffix == ".zarr":
        return ZarrStore(path, rows, size, signature, resume)
    raise ValueError(f"out={str(path)!r} must end in .npy or .zarr")


class MemoryStore:
    """Rows in memory; how many is known at the end."""

    def __init__(self, size: int, drop: bool) -> None:
        self.done, self._size, self._drop = 0, size, drop
        self._parts: list[Any] = []
        self._norms: list[Any] = []
        self._ids: list[Any] = []
        self._bad: list[int] = []

    def write(self, sketches: Any, norms: Any, good: NDArray[np.bool_]) -> None:
        """Keep the rows, or the good ones alone."""
        kept = good if self._drop else np.ones(len(good), bool)
        self._parts.append(sketches[kept])
        self._norms.append(norms[kept])
        self._ids.append(self.done + np.flatnonzero(kept))
        self._bad += (self.done + np.flatnonzero(~good)).tolist()
        self.done += len(good)

    def flush(self) -> None:
        """Nothing: the rows are where they are kept."""

    def result(self) -> GradientSketches:
        """All rows in one array."""
        if not self.done:
            raise ValueError("the loader is empty")
        rows, norms, ids = (np.concatenate(part) for part in (self._parts, self._norms, self._ids))
        return GradientSketches(rows, norms, ids, np.array(self._bad, np.int64))


class ArrayStore:
    """Rows in an array of the caller's: numpy, memory-mapped, Zarr, HDF5."""

    def __init__(self, rows: Any, size: int) -> None:
        shape = tuple(getattr(rows, "shape", ()))
        if len(shape) != 2 or shape[1] != size:
            raise ValueError(f"out has shape {shape}; expected (samples, size={size}), or a path")
        if np.dtype(rows.dtype).kind != "f":
            raise TypeError(f"out has dtype {rows.dtype}; expected float32 or float64")
        self.rows, self.norms = rows, np.zeros(shape[0])
        self.done, self.bad = 0, list[int]()

    def write(self, sketches: Any, norms: Any, good: NDArray[np.bool_]) -> None:
        """Write the rows where their samples belong."""
        self.rows[self._next(norms, good)] = sketches

    def _next(self, norms: Any, good: NDArray[np.bool_]) -> slice:
        """Take norms and bad samples; the rows that are next."""
        part = slice(self.done, self.done + len(good))
        if part.stop > len(self.norms):
            raise ValueError(f"the loader has more than count={len(self.norms)} samples")
        self.norms[part] = norms
        self.bad += (self.done + np.flatnonzero(~good)).tolist()
        self.done = part.stop
        return part

    def flush(self) -> None:
        """Nothing: the rows are where they are kept."""

    def result(self) -> GradientSketches:
        """The array itself."""
        count = len(self.norms)
        if self.done < count:
            raise ValueError(f"the loader ended after {self.done} of count={count} samples")
        return GradientSketches(
            self.rows, np.asarray(self.norms), np.arange(count), np.array(self.bad, np.int64)
        )


class NpyStore(ArrayStore):
    """Rows in ``NAME.npy``, squared norms in ``NAME.norms.npy``, the note in ``NAME.json``."""

    def __init__(
        self, path: Path, rows: int, size: int, signature: dict[str, Any], resume: bool
    ) -> None:
        self._note = path.with_suffix(".json")
        self._told = {"rows": rows, "signature": signature}
        known = json.loads(self._note.read_text()) if resume and self._note.exists() else None
        _same(known, self._told, path)
        mode = "w+" if known is None else "r+"
        self.rows = _mapped(path, mode, np.float32, (rows, size))
        self.norms = _mapped(path.with_name(f"{path.stem}.norms.npy"), mode, np.float64, (rows,))
        self.done, self.bad = (known["done"], known["bad"]) if known else (0, [])
        self._tell()

    def write(self, sketches: Any, norms: Any, good: NDArray[np.bool_]) -> None:
        """Write the rows, then count them."""
        super().write(sketches, norms, good)
        self.rows.flush()
        self.norms.flush()  # type: ignore[attr-defined]
        self._tell()

    def _tell(self) -> None:
        fresh = self._note.with_suffix(".json.part")
        fresh.write_text(json.dumps({**self._told, "done": self.done, "bad": self.bad}))
        fresh.replace(self._note)


class ZarrStore(ArrayStore):
    """Arrays ``sketches`` and ``squared_norms`` of a Zarr group, the note among its attributes.

    Rows wait in memory until they fill a chunk, which is compressed as a whole.
    """

    _ROWS = 1024  # of a chunk

    def __init__(
        self, path: Path, rows: int, size: int, signature: dict[str, Any], resume: bool
    ) -> None:
        try:
            import zarr
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                f"out={str(path)!r} needs the package zarr: pip install 'subspan[storage]'"
            ) from None
        self._told = {"rows": rows, "signature": signature}
        known: Any = None
        if resume and path.exists():
            self._group: Any = zarr.open_group(path, mode="r+")
            known = self._group.attrs.get("subspan")
        _same(known, self._told, path)
        if known is None:
            self._group = zarr.open_group(path, mode="w")
            for name, dtype, shape in (
                ("sketches", "float32", (rows, size)),
                ("squared_norms", "float64", (rows,)),
            ):
                chunks = (min(self._ROWS, max(rows, 1)), *shape[1:])
                self._group.create_array(name, shape=shape, dtype=dtype, chunks=chunks)
        self._kept, self._kept_norms = self._group["sketches"], self._group["squared_norms"]
        self.done, self.bad = (known["done"], known["bad"]) if known else (0, [])
        self._counted, self._waiting = self.done, list[Any]()
        self.rows, self.norms = self._kept, np.asarray(self._kept_norms[:])
        self._tell()

    def write(self, sketches: Any, norms: Any, good: NDArray[np.bool_]) -> None:
        """Let rows wait for the others of their chunk."""
        self._next(norms, good)
        self._waiting.append(sketches)
        if self.done - self._counted >= self._ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait, then count them."""
        if self._waiting:
            part = slice(self._counted, self.done)
            self._kept[part] = np.concatenate(self._waiting)
            self._kept_norms[part] = self.norms[part]
            self._waiting = []
            self._tell()

    def _tell(self) -> None:
        self._group.attrs["subspan"] = {**self._told, "done": self.done, "bad": self.bad}
        self._counted = self.done


def _same(known: Any, told: dict[str, Any], path: Path) -> None:
    if known is not None and any(known[name] != told[name] for name in told):
        raise ValueError(f"out={str(path)!r} holds the rows of another sketch")


def _mapped(path: Path, mode: Any, dtype: Any, shape: tuple[int, ...]) -> Any:
    """A memory map; numpy takes dtype and shape for new files only."""
    new = mode == "w+"
    return np.lib.format.open_memmap(path, mode, np.dtype(dtype) if new else None, shape)
