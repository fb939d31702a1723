"""``.parquet``: columns of numbers, or one column of lists of equal length, such as embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..._optional import extra
from .entry import CHOOSE, LARGE, check_promise, positions

_ENTRIES = 2**23  # of a chunk


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Read the columns, in chunks if the table is large."""
    with extra("storage", "pyarrow"):
        import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(path)
    schema, rows = file.schema_arrow, file.metadata.num_rows
    names = schema.names
    if entry is not None:
        names = [names[j] for j in positions(entry, names)]
    if not names or not rows:
        raise ValueError("holds no numbers")
    _check_types(schema, names)
    dtype = np.result_type(*(_dtype_of(schema.field(name).type) for name in names))
    on_disk = path.stat().st_size
    check_promise((rows, len(names)), dtype, on_disk)
    if max(rows * len(names) * dtype.itemsize, on_disk) <= LARGE or by_rows:
        return _matrix(file.read(columns=names), names, dtype)
    from ...chunks import chunks

    def blocks() -> Iterator[Any]:
        for batch in file.iter_batches(max(1, _ENTRIES // len(names)), columns=names):
            yield _matrix(pyarrow.Table.from_batches([batch]), names, dtype)

    width = next(iter(blocks())).shape[1]
    return chunks(blocks, shape=(rows, width), dtype=np.result_type(dtype, np.float32))


def names(path: Path, entry: str | None) -> list[str] | None:
    """Return the names of the columns that are read, unless one column holds the whole matrix."""
    import pyarrow.parquet

    schema = pyarrow.parquet.read_schema(path)
    found = list(schema.names)
    if entry is not None:
        found = [found[j] for j in positions(entry, found)]
    return None if any(_is_list(schema.field(name).type) for name in found) else found


def _check_types(schema: Any, names: list[str]) -> None:
    lists = [name for name in names if _is_list(schema.field(name).type)]
    if lists and len(names) > 1:
        raise ValueError(f"column {lists[0]} holds lists: choose it alone with --variable")
    wrong = [name for name in names if _dtype_of(schema.field(name).type).kind not in "biuf"]
    if wrong:
        raise ValueError(f"column {wrong[0]} holds {schema.field(wrong[0]).type}; {CHOOSE}")


def _is_list(kind: Any) -> bool:
    import pyarrow.types as of

    return bool(of.is_list(kind) or of.is_large_list(kind) or of.is_fixed_size_list(kind))


def _dtype_of(kind: Any) -> np.dtype[Any]:
    entries: np.dtype[Any] = np.dtype(
        (kind.value_type if _is_list(kind) else kind).to_pandas_dtype()
    )
    return entries


def _matrix(table: Any, names: list[str], dtype: np.dtype[Any]) -> Any:
    columns = [table.column(name) for name in names]
    if not _is_list(columns[0].type):
        return np.column_stack([column.to_numpy() for column in columns]).astype(dtype, copy=False)
    import pyarrow.compute

    column = columns[0].combine_chunks()
    lengths = set(pyarrow.compute.list_value_length(column).unique().to_pylist())
    if len(lengths) != 1 or None in lengths:
        raise ValueError(f"the lists of column {names[0]} differ in length or are missing")
    return column.flatten().to_numpy(zero_copy_only=False).reshape(table.num_rows, -1)
