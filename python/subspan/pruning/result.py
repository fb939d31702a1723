"""What a choice of units, and the repair of the weights that read them, come to."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from .. import error as _error
from ..result import ErrorEstimate, Result


@dataclasses.dataclass(frozen=True, repr=False)
class PredictedError(Result):
    """Mean squared change of a module's output, before anything is run.

    All are shares of the mean square of the output without bias, ``tr(E S E^T) / tr(W S W^T)`` for the change
    E of the weights.

    Attributes
    ----------
    absolute : float
        ``tr(E S E^T)``, plus what a changed bias does, on the rows that the weights were fitted to.
    relative : float
        The same as a share.
    held_out : float or None
        The share on rows that took no part in the fit.
    dropped : float
        The share if the units were dropped and nothing repaired.
    dropped_held_out : float or None
    """

    absolute: float
    relative: float
    held_out: float | None
    dropped: float
    dropped_held_out: float | None

    _unpacks: ClassVar[tuple[str, ...]] = ("relative", "held_out")

    def certificate(self) -> ErrorEstimate:
        """The root of it: the error in the Frobenius norm over the rows that were fitted."""
        share = float(np.sqrt(self.relative))
        size = float(np.sqrt(self.absolute))
        return _error.exact(size, size / share if share > 0 else 0.0)

    def __repr__(self) -> str:
        text = f"relative {self.relative:.3g}"
        if self.held_out is not None:
            text += f", held out {self.held_out:.3g}"
        return f"<PredictedError: {text}, dropped {self.dropped:.3g}>"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class UnitSelection(Result):
    """Which units of a module stay; unpacks into ``keep, prune``.

    Attributes
    ----------
    keep, prune : array of int64
        Channels, ascending; together all of them.
    scores : array of float64, one per unit
        Larger is more worth keeping. For methods that look again after every choice: the score when the
        unit was taken out, or at the end.
    order : array of int64
        Units in the order in which the method would let them go, or took them in.
    method : str
    seed : int
    """

    keep: Any
    prune: Any
    scores: Any
    order: Any
    method: str
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("keep", "prune")

    def __repr__(self) -> str:
        total = len(self.keep) + len(self.prune)
        return f"<UnitSelection: {len(self.keep)} of {total} channels by {self.method}>"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reconstruction(Result):
    """Weights that read the kept channels; unpacks into ``W, bias``.

    Attributes
    ----------
    W : array, shape (outputs, k)
    bias : array of shape (outputs,), or None
    keep : array of int64, shape (k,)
    damping : float
        As a multiple of `scale`; infinite where dropping was best.
    scale : float
        Median mean square of the channels that are not dead.
    predicted : PredictedError
    tried : dict
        Damping -> share of the output lost on held-out rows.
    """

    W: Any
    bias: Any
    keep: Any
    damping: float
    scale: float
    predicted: PredictedError
    tried: dict[str, float]

    _unpacks: ClassVar[tuple[str, ...]] = ("W", "bias")

    @property
    def error(self) -> ErrorEstimate:
        """Frobenius norm of the change of the output, on the rows that were fitted."""
        return self.predicted.certificate()

    def __repr__(self) -> str:
        return f"<Reconstruction: weights {self.W.shape}, damping {self.damping:g}, {self.predicted!r}>"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PrunedUnits(Result):
    """A module with fewer inner units; unpacks into ``keep, W, bias``.

    Attributes
    ----------
    keep : array of int64
        Rows of the first matrices, and columns of the second, that stay.
    W, bias : array
        Of the second matrix, repaired.
    selection : UnitSelection
    reconstruction : Reconstruction
    """

    keep: Any
    W: Any
    bias: Any
    selection: UnitSelection
    reconstruction: Reconstruction

    _unpacks: ClassVar[tuple[str, ...]] = ("keep", "W", "bias")

    @property
    def predicted(self) -> PredictedError:
        """Share of the output that is lost."""
        return self.reconstruction.predicted

    @property
    def error(self) -> ErrorEstimate:
        """Frobenius norm of the change of the output, on the rows that were fitted."""
        return self.predicted.certificate()

    def __repr__(self) -> str:
        return f"<PrunedUnits: {len(self.keep)} by {self.selection.method}, {self.predicted!r}>"
