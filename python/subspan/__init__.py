"""subspan: randomized column, row and low-rank decompositions with error certificates."""

from importlib.metadata import version as _version

__version__ = _version("subspan")

from . import error, sketch
from .chunks import chunks
from .config import show_config
from .exceptions import DeviceUnavailable, ToleranceNotMet
from .interp import InterpolativeDecomposition, interpolative
from .pivot import leverage_scores, pivots
from .result import ErrorEstimate, Plan, load
from .streaming import StreamingSketch

__all__ = [
    "DeviceUnavailable",
    "ErrorEstimate",
    "InterpolativeDecomposition",
    "Plan",
    "StreamingSketch",
    "ToleranceNotMet",
    "__version__",
    "chunks",
    "error",
    "interpolative",
    "leverage_scores",
    "load",
    "pivots",
    "show_config",
    "sketch",
]
