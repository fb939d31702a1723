"""``.pt``: tensors that PyTorch saved, mapped where they can be; other objects are refused."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..._optional import extra
from .entry import check_promise, one_of


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Read a tensor, or one out of dictionaries and lists of them."""
    with extra("torch", "torch"):
        import torch

    try:
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except MemoryError:
        raise
    except Exception:  # whatever damaged bytes make the reader raise, refusals among it
        raise ValueError(
            "is damaged, or holds Python objects other than tensors, which are not loaded"
        ) from None
    tensors = dict(_tensors(content, ""))
    flat = [name for name, tensor in tensors.items() if tensor.ndim == 2]
    tensor = tensors[one_of(sorted(tensors if entry is not None else flat), entry)]
    if tensor.layout == torch.strided:
        check_promise(tensor.shape, tensor.dtype, tensor.untyped_storage().nbytes())
    from ..._array import to_host

    return to_host(tensor)


def _tensors(content: Any, name: str) -> Iterator[tuple[str, Any]]:
    import torch

    if isinstance(content, torch.Tensor):
        yield name, content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from _tensors(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, (list, tuple)):
        for i, value in enumerate(content):
            yield from _tensors(value, f"{name}.{i}" if name else str(i))
