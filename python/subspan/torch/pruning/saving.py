"""Saving and loading pruned models, of equal widths or not."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .architecture import blocks_of, family_of
from .linear import bias_of, weight_of, with_rows, with_weights


def save_pruned(model: Any, directory: str | Path, *, export: str = "exact") -> None:
    """Write ``config.json`` and ``model.safetensors``; nothing is pickled.

    Parameters
    ----------
    model : transformers model
        As :func:`prune_model` made it.
    directory : str or path-like
    export : {"exact", "padded"}
        "exact": every width as it is. If all are equal, the usual classes load it; else
        :func:`load_pruned` does. "padded": narrower blocks get units that are zero,
        for the usual classes; the output is the same.

    Raises
    ------
    ValueError
        If `export` is not known.
    """
    if export not in ("exact", "padded"):
        raise ValueError(f"export={export!r} is not known; expected 'exact' or 'padded'")
    if export == "padded":
        model = _padded(model)
    model.save_pretrained(str(directory), safe_serialization=True)


def load_pruned(directory: str | Path, *, dtype: torch.dtype | None = None) -> Any:
    """Load what :func:`save_pruned` wrote, of equal widths or not.

    Parameters
    ----------
    directory : str or path-like
    dtype : torch.dtype, optional
        That of the file by default.

    Returns
    -------
    transformers model
        Of the class that was saved, in evaluation mode.
    """
    import transformers

    config = transformers.AutoConfig.from_pretrained(str(directory))
    build = getattr(transformers, config.architectures[0])
    if getattr(config, "subspan_widths", None):
        build = _sized(build)
    return build.from_pretrained(str(directory), dtype=dtype or "auto").eval()


def _sized(build: Any) -> Any:
    """The same class whose blocks get the widths of the configuration before their weights are loaded."""

    def start(self: Any, config: Any, *args: Any, **options: Any) -> None:
        build.__init__(self, config, *args, **options)
        family = family_of(self)
        for block, width in zip(blocks_of(self, family), config.subspan_widths, strict=True):
            for name in family.level1:
                _put(block, name, with_rows(block.get_submodule(name), np.arange(width)))
            last = block.get_submodule(family.level2)
            new = with_weights(last, weight_of(last)[:, :width], bias_of(last))
            _put(block, family.level2, new)

    return type(build.__name__, (build,), {"__init__": start})


def _padded(model: Any) -> Any:
    """A copy whose blocks all have the widest width."""
    model = copy.deepcopy(model)
    family = family_of(model)
    if not getattr(model.config, "subspan_widths", None):
        return model
    width = int(getattr(model.config, family.width))
    for block in blocks_of(model, family):
        last = block.get_submodule(family.level2)
        W = weight_of(last)
        wide = W.new_zeros(len(W), width)
        wide[:, : W.shape[1]] = W
        _put(block, family.level2, with_weights(last, wide, bias_of(last)))
        for name in family.level1:
            layer = block.get_submodule(name)
            A, b = weight_of(layer), bias_of(layer)
            tall = A.new_zeros(width, A.shape[1])
            tall[: len(A)] = A
            bias = None
            if b is not None:
                bias = b.new_zeros(width)
                bias[: len(b)] = b
            _put(block, name, with_weights(layer, tall, bias))
    del model.config.subspan_widths
    return model


def _put(block: torch.nn.Module, name: str, new: torch.nn.Module) -> None:
    owner, _, last = name.rpartition(".")
    setattr(block.get_submodule(owner), last, new)
