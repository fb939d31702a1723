"""Pruning of transformer modules without retraining, on arrays: choices, repairs, predicted errors."""

from typing import Any

from .budget import allocate_budget
from .exceptions import FewSamples, NotEnoughSamples, SingularMoments
from .heads import (
    HeadDivergence,
    head_divergence,
    head_units,
    legal_head_counts,
    redundant_heads,
)
from .iobs import SparseSolution, iht, iobs
from .low_rank import LowRankWeights, low_rank
from .masked import MaskedWeights
from .match import match_outputs
from .moments import Moments, gram
from .obs import obs
from .query_key import qk_reduce, qk_scores
from .reconstruct import reconstruct
from .regression import sparse_regression
from .result import PredictedError, PrunedUnits, Reconstruction, UnitSelection
from .rotation import SliceRotation, slice_rotation
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
from .value_output import vo_reduce

__all__ = [
    "FewSamples",
    "HeadDivergence",
    "LowRankWeights",
    "MaskedWeights",
    "Moments",
    "NotEnoughSamples",
    "PredictedError",
    "PrunedUnits",
    "Reconstruction",
    "SingularMoments",
    "SliceRotation",
    "SparseSolution",
    "UnitSelection",
    "allocate_budget",
    "flap_scores",
    "goa_scores",
    "gram",
    "head_divergence",
    "head_units",
    "id_prune",
    "iht",
    "iobs",
    "legal_head_counts",
    "low_rank",
    "magnitude",
    "magnitude_scores",
    "match_outputs",
    "obs",
    "prune_units",
    "qk_reduce",
    "qk_scores",
    "reconstruct",
    "redundant_heads",
    "second_moment_scores",
    "select_units",
    "slice_rotation",
    "sparse_regression",
    "sparsegpt",
    "vo_reduce",
    "wanda",
    "wanda_scores",
]


_MODEL_LEVEL = (
    "collect_statistics",
    "load_pruned",
    "measure_budget",
    "perplexity",
    "prune_model",
    "save_pruned",
)


def __getattr__(name: str) -> Any:
    """Import what prunes whole models, and with it PyTorch, when first asked for."""
    if name in _MODEL_LEVEL:
        from ..torch import pruning

        return getattr(pruning, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
