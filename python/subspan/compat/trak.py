"""A projector of gradients with the interface of ``trak.projectors``, computed by subspan.

``TRAKer(..., projector=Projector(...))`` and whatever else takes an ``AbstractProjector``: the same
constructor, ``project(grads, model_id)`` and ``free_memory()``; trak itself is not needed. What differs:
gradients may be dictionaries of tensors, which are never concatenated; no block of the operator is
stored; any order of batches, any partition and any device meet the same operator.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from .._array import as_rank
from ..gradients.row_sketch import RowSketch, operator_of
from ..sketch.sketch_operator import SketchOperator

__all__ = ["Projector"]

_KINDS = {
    "normal": "gaussian",
    "rademacher": "rademacher",
    "sparse_sign": "auto",
    "countsketch": "countsketch",
}


class Projector:
    """Random projections of per-sample gradients.

    Parameters
    ----------
    grad_dim : int
        Number of parameters r.
    proj_dim : int
        Dimension m of the projections.
    seed : int
    proj_type : {"sparse_sign", "countsketch", "normal", "rademacher"} or trak.projectors.ProjectionType
        trak's own types are the last two. "sparse_sign" (4 per parameter) is some ten times faster.
    device : str or torch.device
        Where projections go; gradients may be anywhere. The product is computed on the CPU.
    scaled : bool
        Divide by ``sqrt(proj_dim)``, so that lengths are kept on average. False, as in trak: squared
        lengths become ``proj_dim`` times as large.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import torch
    >>> from subspan.compat.trak import Projector
    >>> projector = Projector(1000, 16, seed=0, proj_type="sparse_sign", device="cpu")
    >>> projector.project(torch.ones(3, 1000), model_id=0).shape
    torch.Size([3, 16])
    """

    def __init__(
        self,
        grad_dim: int,
        proj_dim: int,
        seed: int = 0,
        proj_type: Any = "sparse_sign",
        device: Any = "cpu",
        *,
        scaled: bool = False,
    ) -> None:
        self.grad_dim = as_rank(grad_dim, 2**40 - 1, "grad_dim")
        self.proj_dim = as_rank(proj_dim, 2**24 - 1, "proj_dim")
        if self.grad_dim < 1 or self.proj_dim < 1:
            raise ValueError(f"grad_dim={grad_dim} and proj_dim={proj_dim} must be at least 1")
        self.seed = operator.index(seed)
        if self.seed < 0:
            raise ValueError(f"seed={seed} must not be negative")
        self.proj_type, self.device, self.scaled = proj_type, torch.device(device), scaled
        name = getattr(proj_type, "value", proj_type)
        if name not in _KINDS:
            raise ValueError(f"proj_type={name!r} is not known; expected one of {tuple(_KINDS)}")
        self._kind = _KINDS[name]
        self._made: tuple[int, SketchOperator] | None = None

    def project(self, grads: Any, model_id: int) -> torch.Tensor:
        """Project a batch of gradients.

        Parameters
        ----------
        grads : Tensor, shape (batch, grad_dim), or dict of tensors, shapes (batch, ...)
            A dictionary stands for its flattened values side by side, in its order.
        model_id : int
            Every checkpoint has an operator of its own.

        Returns
        -------
        Tensor, shape (batch, proj_dim)
            In the precision of the gradients, computed in float32.

        Raises
        ------
        ValueError
            If shapes do not match or a gradient is not finite.
        """
        parts = list(grads.values()) if isinstance(grads, Mapping) else [grads]
        if not parts or any(part.ndim < 2 or len(part) != len(parts[0]) for part in parts):
            shapes = [tuple(part.shape) for part in parts]
            raise ValueError(f"grads has shapes {shapes}; expected (batch, ...) with one batch")
        dimension = sum(part[:1].numel() if len(part) else 0 for part in parts)
        if len(parts[0]) == 0:
            return torch.empty(0, self.proj_dim, dtype=parts[0].dtype, device=self.device)
        if dimension != self.grad_dim:
            raise ValueError(f"grads has {dimension} entries a sample; expected {self.grad_dim}")
        sums, start = RowSketch(self._operator(model_id), len(parts[0])), 0
        for part in parts:
            rows = part.detach().reshape(len(part), -1).float().cpu().numpy()
            sums.add(rows, start)
            start += rows.shape[1]
        rows, _, good = sums.rows()
        if not good.all():
            sample = int(np.flatnonzero(~good)[0])
            raise ValueError(f"the gradient of sample {sample} of the batch is not finite")
        if not self.scaled:
            rows *= np.float32(np.sqrt(self.proj_dim))
        return torch.from_numpy(rows).to(device=self.device, dtype=parts[0].dtype)

    def free_memory(self) -> None:
        """Forget the operator, which is a few numbers; the next call makes it again."""
        self._made = None

    def _operator(self, model_id: int) -> SketchOperator:
        model_id = operator.index(model_id)
        if self._made is None or self._made[0] != model_id:
            word = np.random.SeedSequence([self.seed, model_id]).generate_state(1, np.uint64)[0]
            made = operator_of(self._kind, self.proj_dim, self.grad_dim, int(word))
            self._made = model_id, made
        return self._made[1]
