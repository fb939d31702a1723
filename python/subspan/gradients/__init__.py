"""Sketches of gradients, a row per sample: where they are kept, and those of a linear head. No autograd."""

from .factored import FactoredSketch
from .head import sketch_head
from .sketches import GradientSketches

__all__ = ["FactoredSketch", "GradientSketches", "sketch_head"]
