"""Weak-to-strong generalization under spurious correlations: groups of unequal size.

After "Does weak-to-strong generalization happen under spurious correlations?", arXiv 2509.24005.
"""

from typing import Any

from .groups import GroupModel
from .risks import SpuriousRisks, best_unlabeled_fraction, predict_risk

__all__ = ["EnhancedW2S", "GroupModel", "SpuriousRisks", "best_unlabeled_fraction", "predict_risk"]


def __getattr__(name: str) -> Any:
    """Import the estimator, and with it scikit-learn, when first asked for."""
    if name == "EnhancedW2S":
        from .enhanced import EnhancedW2S

        return EnhancedW2S
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
