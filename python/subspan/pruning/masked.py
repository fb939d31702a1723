"""Weights with zeros, and what they change in the output."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._array import Library, to_caller
from ..result import ErrorEstimate, Result
from .inputs import Array, second_moment_of
from .masks import Mask
from .result import PredictedError


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MaskedWeights(Result):
    """A weight matrix with zeros; unpacks into ``W, mask``.

    Attributes
    ----------
    W : array, shape (outputs, inputs)
        Zero where the mask is False.
    mask : array of bool
    predicted : PredictedError or None
        None if there were no moments.
    method : str
    """

    W: Any
    mask: Any
    predicted: PredictedError | None
    method: str

    _unpacks: ClassVar[tuple[str, ...]] = ("W", "mask")

    @property
    def sparsity(self) -> float:
        """Share of zeros asked for."""
        return 1 - float(np.asarray(self.mask).mean()) if np.asarray(self.mask).size else 0.0

    @property
    def error(self) -> ErrorEstimate | None:
        """Frobenius norm of the change of the output, on the rows that were fitted."""
        return None if self.predicted is None else self.predicted.certificate()

    def __repr__(self) -> str:
        return f"<MaskedWeights: {self.sparsity:.3g} zeros by {self.method}, {self.predicted!r}>"


def masked(
    given: NDArray[Any],
    W: Array,
    mask: Mask,
    method: str,
    library: Library,
    moments: Any = None,
    held_out: Any = None,
) -> MaskedWeights:
    """W under the mask, in the dtype of the weights that were given, and the predicted error."""
    new = np.where(mask, W, 0.0).astype(given.dtype)
    predicted = None
    if moments is not None:
        old, m = given.astype(np.float64), given.shape[1]
        S = second_moment_of(moments, m)
        test = None if held_out is None else second_moment_of(held_out, m, "held_out")
        kept = np.where(mask, old, 0.0)
        predicted = PredictedError(
            absolute=output_energy(old - new, S),
            relative=_share(old - new, old, S),
            held_out=None if test is None else _share(old - new, old, test),
            dropped=_share(old - kept, old, S),
            dropped_held_out=None if test is None else _share(old - kept, old, test),
        )
    return to_caller(MaskedWeights(new, mask, predicted, method), library)


def output_energy(E: Array, S: Array) -> float:
    """``tr(E S E^T)``."""
    return max(float(np.einsum("ij,ij->", E @ S, E)), 0.0)


def _share(E: Array, W: Array, S: Array) -> float:
    whole = output_energy(W, S)
    return output_energy(E, S) / whole if whole > 0 else 0.0
