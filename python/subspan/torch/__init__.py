"""Per-sample gradients of PyTorch models, sketched as they are computed. Needs PyTorch."""

from ..gradients import GradientSketches
from .gradient_sketcher import GradientSketcher

__all__ = ["GradientSketcher", "GradientSketches"]
