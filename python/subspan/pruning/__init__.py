"""Pruning of transformer modules without retraining, on arrays: choices, repairs, predicted errors."""

from .exceptions import FewSamples, NotEnoughSamples, SingularMoments
from .moments import Moments, gram
from .reconstruct import reconstruct
from .result import PredictedError, PrunedUnits, Reconstruction, UnitSelection
from .scores import (
    flap_scores,
    goa_scores,
    magnitude_scores,
    second_moment_scores,
    wanda_scores,
)
from .select import select_units
from .units import id_prune, prune_units

__all__ = [
    "FewSamples",
    "Moments",
    "NotEnoughSamples",
    "PredictedError",
    "PrunedUnits",
    "Reconstruction",
    "SingularMoments",
    "UnitSelection",
    "flap_scores",
    "goa_scores",
    "gram",
    "id_prune",
    "magnitude_scores",
    "prune_units",
    "reconstruct",
    "second_moment_scores",
    "select_units",
    "wanda_scores",
]
