"""Replacements of modules that are made wholly or not at all."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import torch


class Edits:
    """Replace submodules; all are put back if the block that uses them raises, or at its end to `undo`."""

    def __init__(self, *, undo: bool = False) -> None:
        self._undo = undo
        self._done: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None or self._undo:
            for owner, name, old in reversed(self._done):
                setattr(owner, name, old)

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute, remembering what it was."""
        self._done.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def replace(self, block: torch.nn.Module, name: str, new: torch.nn.Module) -> None:
        """Put a module in the place of the one of this dotted name."""
        owner, _, last = name.rpartition(".")
        self.set(block.get_submodule(owner), last, new)
