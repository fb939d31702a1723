"""``.safetensors``: one tensor, mapped. A header in JSON, then the bytes of all tensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .entry import HoldsResult, check_promise, one_of, size_of, stored
from .npy import in_chunks_if_converted

_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "C64": "<c8", "BOOL": "?",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1",
}  # fmt: skip
_LONGEST = 10**8  # bytes of a header; the limit of the format


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Map the tensor; bfloat16, which numpy does not have, becomes float32."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(_LONGEST, size - 8):
            raise ValueError("is truncated or not a safetensors file")
        header = _header(file.read(length))
    if entry is None and "subspan" in (header.pop("__metadata__", None) or {}):
        raise HoldsResult
    names = sorted(name for name, tensor in header.items() if name != "__metadata__")
    flat = [name for name in names if len(header[name]["shape"]) == 2]
    tensor = header[one_of(names if entry is not None else flat, entry)]
    if tensor["dtype"] not in _TYPES:
        raise ValueError(f"holds {tensor['dtype']}; expected one of {' '.join(_TYPES)}")
    dtype, shape = np.dtype(_TYPES[tensor["dtype"]]), tuple(tensor["shape"])
    start, stop = tensor["data_offsets"]
    if not 0 <= start <= stop <= size - 8 - length or stop - start != size_of(shape, dtype):
        raise ValueError(f"is truncated or damaged: no room for a tensor of shape {shape}")
    check_promise(shape, dtype, stored(path))
    if stop == start:
        return np.zeros(shape, dtype)
    mapped = np.memmap(path, dtype, "r", offset=8 + length + start, shape=shape)
    if tensor["dtype"] == "BF16":  # the upper half of a float32
        return (mapped.astype(np.uint32) << 16).view(np.float32)
    return mapped if by_rows else in_chunks_if_converted(mapped)


def _header(text: bytes) -> dict[str, Any]:
    """Parse the header: names of tensors, their types, shapes and places."""
    try:
        header = json.loads(text)
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise ValueError("is damaged or not a safetensors file: its header is not JSON")
    return header
