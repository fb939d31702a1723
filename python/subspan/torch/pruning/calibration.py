"""Calibration data as batches of model inputs, and which of their rows are held out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_HELD_OUT = 5  # every fifth sequence


@dataclasses.dataclass
class Batch:
    """Inputs of one forward pass; for each of its rows, whether it is held out, and which tokens count."""

    inputs: dict[str, Any]
    held_out: NDArray[np.bool_]
    used: NDArray[np.bool_] | None

    def split(self, flat: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Of `flat` rows of activations, those to fit and those held out."""
        per_row = flat // len(self.held_out)
        held = np.repeat(self.held_out, per_row)
        used = np.ones(flat, bool)
        if self.used is not None and self.used.size == flat:
            used = self.used.ravel()
        return used & ~held, used & held


def inputs_on(model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Model inputs on the device of the model, which is to keep no cache of keys and values."""
    device = next(model.parameters()).device
    moved = {name: torch.as_tensor(value).to(device) for name, value in inputs.items()}
    if getattr(model.config, "use_cache", None):
        moved["use_cache"] = False
    return moved


def as_batches(calibration: Any, batch_size: int, vocabulary: int | None) -> list[Batch]:
    """Batches of token ids (integers, 2-d), images (4-d) or dictionaries of model inputs.

    Raises
    ------
    ValueError
        If there are none, or a token is outside the vocabulary: of another tokenizer.
    """
    given: Iterable[Any]
    if isinstance(calibration, (torch.Tensor, np.ndarray)):
        given = torch.as_tensor(calibration).split(batch_size)
    elif isinstance(calibration, Mapping):
        given = [calibration]
    else:
        given = calibration
    batches: list[Batch] = []
    seen = 0
    for part in given:
        inputs = dict(part) if isinstance(part, Mapping) else _named(torch.as_tensor(part))
        inputs.pop("labels", None)
        ids = inputs.get("input_ids")
        if ids is not None and vocabulary is not None and ids.numel():
            least, largest = int(ids.min()), int(ids.max())
            if least < 0 or largest >= vocabulary:
                raise ValueError(
                    f"calibration holds token {largest if largest >= vocabulary else least}, outside the "
                    f"vocabulary of {vocabulary}: it was made by another tokenizer"
                )
        rows = len(next(iter(inputs.values())))
        mask = inputs.get("attention_mask")
        used = None if mask is None else np.asarray(mask).astype(bool)
        held = (np.arange(seen, seen + rows) % _HELD_OUT) == _HELD_OUT - 1
        seen += rows
        batches.append(Batch(inputs, held, used))
    if seen == 0:
        raise ValueError("calibration holds no data")
    return batches


def _named(data: torch.Tensor) -> dict[str, Any]:
    if data.ndim == 2 and not data.is_floating_point():
        return {"input_ids": data}
    if data.ndim == 4 and data.is_floating_point():
        return {"pixel_values": data}
    raise ValueError(
        f"calibration has batches of shape {tuple(data.shape)} and dtype {data.dtype}; expected token ids "
        "(rows, length), images (rows, channels, height, width), or dictionaries of model inputs"
    )
