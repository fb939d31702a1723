"""Weak-to-strong generalization under spurious correlations: groups of unequal size.

After "Does weak-to-strong generalization happen under spurious correlations?", arXiv 2509.24005.
"""

from .groups import GroupModel
from .risks import SpuriousRisks, best_unlabeled_fraction, predict_risk

__all__ = ["GroupModel", "SpuriousRisks", "best_unlabeled_fraction", "predict_risk"]
