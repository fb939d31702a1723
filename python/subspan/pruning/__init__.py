"""Pruning of transformer modules without retraining, on arrays: choices, repairs, predicted errors."""

from .exceptions import FewSamples, NotEnoughSamples, SingularMoments
from .iobs import SparseSolution, iht, iobs
from .masked import MaskedWeights
from .moments import Moments, gram
from .obs import obs
from .reconstruct import reconstruct
from .regression import sparse_regression
from .result import PredictedError, PrunedUnits, Reconstruction, UnitSelection
from .scores import (
    flap_scores,
    goa_scores,
    magnitude_scores,
    second_moment_scores,
    wanda_scores,
)
from .select import select_units
from .simple_masks import magnitude, wanda
from .sparsegpt import sparsegpt
from .units import id_prune, prune_units

__all__ = [
    "FewSamples",
    "MaskedWeights",
    "Moments",
    "NotEnoughSamples",
    "PredictedError",
    "PrunedUnits",
    "Reconstruction",
    "SingularMoments",
    "SparseSolution",
    "UnitSelection",
    "flap_scores",
    "goa_scores",
    "gram",
    "id_prune",
    "iht",
    "iobs",
    "magnitude",
    "magnitude_scores",
    "obs",
    "prune_units",
    "reconstruct",
    "second_moment_scores",
    "select_units",
    "sparse_regression",
    "sparsegpt",
    "wanda",
    "wanda_scores",
]
