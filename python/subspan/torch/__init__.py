"""Per-sample gradients of PyTorch models, and losses of weak-to-strong training. Needs PyTorch."""

from .._optional import extra
from ..gradients import GradientSketches

with extra("torch", "torch"):
    from .gradient_sketcher import GradientSketcher
    from .weak_to_strong import most_confident, retrain_on_confident, weak_to_strong_loss

__all__ = [
    "GradientSketcher",
    "GradientSketches",
    "most_confident",
    "retrain_on_confident",
    "weak_to_strong_loss",
]
