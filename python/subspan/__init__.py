"""subspan: randomized column, row and low-rank decompositions with error certificates."""

from importlib.metadata import version as _version

__version__ = _version("subspan")

from . import error, sketch
from .config import show_config
from .cur import CURDecomposition, cur
from .exceptions import DeviceUnavailable, ToleranceNotMet
from .interp import InterpolativeDecomposition, interpolative
from .pivot import leverage_scores, pivots
from .qr import PivotedQR, qr
from .result import ErrorEstimate, Plan, load

__all__ = [
    "CURDecomposition",
    "DeviceUnavailable",
    "ErrorEstimate",
    "InterpolativeDecomposition",
    "PivotedQR",
    "Plan",
    "ToleranceNotMet",
    "__version__",
    "cur",
    "error",
    "interpolative",
    "leverage_scores",
    "load",
    "pivots",
    "qr",
    "show_config",
    "sketch",
]
