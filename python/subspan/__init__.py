"""subspan: randomized column, row and low-rank decompositions with error certificates."""

from importlib import import_module as _import_module
from importlib.metadata import version as _version

__version__ = _version("subspan")

from . import angles, error, sketch
from .cholesky import PivotedCholesky, pivoted_cholesky
from .chunks import chunks
from .config import show_config
from .cur import CURDecomposition, cur
from .eigen import EighResult, eigh
from .exceptions import DeviceUnavailable, MisleadingEstimate, ToleranceNotMet
from .generalized_nystrom import generalized_nystrom
from .interp import InterpolativeDecomposition, interpolative
from .kernel_matrix import KernelMatrix, kernel
from .pivot import leverage_scores, pivots
from .qr import PivotedQR, qr
from .range_finder import RangeResult, range_finder
from .result import ErrorEstimate, Plan, load
from .streaming import StreamingSketch
from .svd import SVDResult, svd

__all__ = [
    "CURDecomposition",
    "DeviceUnavailable",
    "EighResult",
    "ErrorEstimate",
    "InterpolativeDecomposition",
    "KernelMatrix",
    "MisleadingEstimate",
    "PivotedCholesky",
    "PivotedQR",
    "Plan",
    "RangeResult",
    "SVDResult",
    "StreamingSketch",
    "ToleranceNotMet",
    "__version__",
    "angles",
    "chunks",
    "cur",
    "eigh",
    "error",
    "generalized_nystrom",
    "interpolative",
    "kernel",
    "leverage_scores",
    "load",
    "pivoted_cholesky",
    "pivots",
    "qr",
    "range_finder",
    "show_config",
    "sketch",
    "svd",
]


def __getattr__(name: str) -> object:
    """Import what most users never need, and the libraries behind it, when first asked for."""
    if name in ("compat", "estimators", "pruning", "selection", "w2s"):
        return _import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
