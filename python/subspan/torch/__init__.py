"""Per-sample gradients of PyTorch models, sketched as they are computed. Needs PyTorch."""

from .gradient_sketcher import GradientSketcher, GradientSketches

__all__ = ["GradientSketcher", "GradientSketches"]
