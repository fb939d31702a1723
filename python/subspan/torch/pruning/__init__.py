"""Pruning of Hugging Face transformers, and what it does to them. Needs PyTorch and transformers."""

from .architecture import UnknownArchitecture
from .head_plan import IllegalHeadCount
from .perplexity import Perplexity, perplexity
from .prune_model import prune_model
from .report import LayerReport, PruningReport
from .saving import load_pruned, save_pruned
from .sensitivity import measure_budget
from .speed import Speed, compare_speed, forward_seconds, unit_seconds
from .statistics import ModelStatistics, collect_statistics

__all__ = [
    "IllegalHeadCount",
    "LayerReport",
    "ModelStatistics",
    "Perplexity",
    "PruningReport",
    "Speed",
    "UnknownArchitecture",
    "collect_statistics",
    "compare_speed",
    "forward_seconds",
    "load_pruned",
    "measure_budget",
    "perplexity",
    "prune_model",
    "save_pruned",
    "unit_seconds",
]
