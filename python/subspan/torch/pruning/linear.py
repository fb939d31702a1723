"""Linear layers of two layouts seen as one: torch's ``(out, in)`` and the ``(in, out)`` of GPT-2."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def is_linear(layer: torch.nn.Module) -> bool:
    """Tell a plain linear layer, of either layout, from quantised and other ones."""
    return type(layer) is torch.nn.Linear or _transposed(layer)


def _transposed(layer: torch.nn.Module) -> bool:
    return type(layer).__name__ == "Conv1D" and hasattr(layer, "nf")


def weight_of(layer: torch.nn.Module) -> torch.Tensor:
    """The weight as (out, in), a view."""
    weight: torch.Tensor = layer.weight.detach()
    return weight.T if _transposed(layer) else weight


def bias_of(layer: torch.nn.Module) -> torch.Tensor | None:
    """The bias, detached."""
    return None if layer.bias is None else layer.bias.detach()


def to_numpy(tensor: torch.Tensor) -> NDArray[np.float64]:
    """A copy in double precision."""
    return np.asarray(tensor.detach().to("cpu", torch.float64, copy=True).numpy())


def rows_to_numpy(rows: torch.Tensor) -> NDArray[Any]:
    """Activations in single precision, or double if they are."""
    wide = torch.float64 if rows.dtype is torch.float64 else torch.float32
    return np.asarray(rows.to("cpu", wide).numpy())


def with_weights(
    layer: torch.nn.Module, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.nn.Module:
    """A new layer of the same kind, dtype and device with these weights, given as (out, in)."""
    old = weight_of(layer)
    weight = weight.to(old.device, old.dtype)
    outputs, inputs = weight.shape
    new: torch.nn.Module
    if _transposed(layer):
        new = type(layer)(outputs, inputs)
        new.weight = torch.nn.Parameter(weight.T.contiguous())
        if bias is None:
            bias = torch.zeros(outputs)
    else:
        new = torch.nn.Linear(inputs, outputs, bias=bias is not None, device="meta")
        new.weight = torch.nn.Parameter(weight.contiguous())
    if bias is not None:
        new.bias = torch.nn.Parameter(bias.to(old.device, old.dtype).clone())
    new.requires_grad_(layer.weight.requires_grad)
    return new.train(layer.training)


def with_rows(layer: torch.nn.Module, rows: NDArray[np.int64]) -> torch.nn.Module:
    """A new layer with these outputs only."""
    at = torch.as_tensor(rows, device=layer.weight.device)
    bias = bias_of(layer)
    return with_weights(layer, weight_of(layer)[at], None if bias is None else bias[at])
