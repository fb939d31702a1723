"""Weak-to-strong generalization: whether a student will surpass its teacher, before it is trained.

After Dong, Li and Lee, "Discrepancies are virtue", arXiv 2502.05075.
"""

from typing import Any

from .._optional import extra
from . import rfrr, self_improvement, spurious
from .bias import Bias
from .budget import best_label_budget, pseudo_labels_needed
from .diagnose import diagnose
from .dimension import intrinsic_dimension
from .experiment import Measurements, W2SExperiment
from .official import official_correlation_dimension
from .ranking import TeacherRanking, rank_teachers
from .ratios import gap_recovered
from .report import W2SReport
from .ridge import predict_ridge_risk
from .risks import Risks, predict_risk
from .torch_head import TorchHead

__all__ = [
    "Bias",
    "Measurements",
    "Risks",
    "TeacherRanking",
    "TorchHead",
    "W2SExperiment",
    "W2SReport",
    "WeakToStrongClassifier",
    "WeakToStrongRegressor",
    "best_label_budget",
    "diagnose",
    "fit",
    "gap_recovered",
    "intrinsic_dimension",
    "official_correlation_dimension",
    "predict_ridge_risk",
    "predict_risk",
    "pseudo_labels_needed",
    "rank_teachers",
    "rfrr",
    "self_improvement",
    "spurious",
]


def __getattr__(name: str) -> Any:
    """Import the estimators, and with them scikit-learn, when first asked for."""
    if name in ("WeakToStrongClassifier", "WeakToStrongRegressor", "fit"):
        with extra("sklearn", "sklearn"):
            from . import estimators
        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
