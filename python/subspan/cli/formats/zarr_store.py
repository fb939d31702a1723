"""``.zarr``: arrays of a Zarr store, read in chunks when large."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..._optional import extra
from .entry import LARGE, check_promise, one_of, size_of

# A chunk may ask for any codec that is installed; that of pickles runs what it is told to.
_HARMLESS = {
    "bytes", "transpose", "sharding_indexed", "crc32c", "endian", "crc32", "adler32",
    "gzip", "zlib", "zstd", "blosc", "lz4", "lzma", "bz2", "zfpy", "pcodec",
    "shuffle", "delta", "fixedscaleoffset", "bitround", "quantize", "packbits", "astype",
}  # fmt: skip


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Read a small array; return a large one as it is, open."""
    with extra("storage", "zarr"):
        import zarr

    if not any((path / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup")):
        raise ValueError("is not a Zarr store: a folder with zarr.json, .zarray or .zgroup")
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        if entry is not None:
            raise ValueError("holds one array without a name")
        array = node
    else:
        arrays = {
            name: member
            for name, member in node.members(max_depth=None)
            if isinstance(member, zarr.Array) and member.ndim == 2
        }
        array = arrays[one_of(sorted(arrays), None if entry is None else entry.strip("/"))]
    if array.dtype.kind not in "biufc":
        raise ValueError(f"has dtype {array.dtype}; expected numbers")
    unknown = sorted(set(_codecs(array.metadata.to_dict())) - _HARMLESS)
    if unknown:
        raise ValueError(f"is stored with {', '.join(unknown)}, which is not read: it may run code")
    check_promise(array.shape, array.dtype, array.nbytes_stored())
    return array if size_of(array.shape, array.dtype) > LARGE else array[:]


def _codecs(metadata: Any) -> Iterator[str]:
    """Names of all codecs, also of those within codecs."""
    for key in ("codecs", "filters", "compressor", "compressors", "index_codecs"):
        given = metadata.get(key) or ()
        for codec in given if isinstance(given, (list, tuple)) else (given,):
            described = codec if isinstance(codec, dict) else codec.get_config()
            name = described.get("name") or described.get("id")
            yield str(name).removeprefix("numcodecs.")
            yield from _codecs(described.get("configuration") or {})
