"""Weak-to-strong generalization: whether a student will surpass its teacher, before it is trained.

After Dong, Li and Lee, "Discrepancies are virtue", arXiv 2502.05075.
"""

from .bias import Bias
from .budget import best_label_budget, pseudo_labels_needed
from .ratios import gap_recovered
from .risks import Risks, predict_risk

__all__ = [
    "Bias",
    "Risks",
    "best_label_budget",
    "gap_recovered",
    "predict_risk",
    "pseudo_labels_needed",
]
