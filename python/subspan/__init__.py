"""subspan: randomized column, row and low-rank decompositions with error certificates."""

from __future__ import annotations

import sys as _sys
from importlib import import_module as _import_module
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING

from . import _native as _native  # a compiled module that does not load says so here

if TYPE_CHECKING:
    from . import angles, error, sketch
    from . import compat as compat
    from . import estimators as estimators
    from . import pivot as pivot
    from . import plots as plots
    from . import pruning as pruning
    from . import selection as selection
    from . import testing as testing
    from . import w2s as w2s
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

    __version__: str

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

_MODULES = (
    "angles",
    "compat",
    "error",
    "estimators",
    "pivot",
    "plots",
    "pruning",
    "selection",
    "sketch",
    "testing",
    "w2s",
)
_HOMES = {
    "cholesky": ("PivotedCholesky", "pivoted_cholesky"),
    "chunks": ("chunks",),
    "config": ("show_config",),
    "cur": ("CURDecomposition", "cur"),
    "eigen": ("EighResult", "eigh"),
    "exceptions": ("DeviceUnavailable", "MisleadingEstimate", "ToleranceNotMet"),
    "generalized_nystrom": ("generalized_nystrom",),
    "interp": ("InterpolativeDecomposition", "interpolative"),
    "kernel_matrix": ("KernelMatrix", "kernel"),
    "pivot": ("leverage_scores", "pivots"),
    "qr": ("PivotedQR", "qr"),
    "range_finder": ("RangeResult", "range_finder"),
    "result": ("ErrorEstimate", "Plan", "load"),
    "streaming": ("StreamingSketch",),
    "svd": ("SVDResult", "svd"),
}
_home_of = {name: home for home, names in _HOMES.items() for name in names}


def _resolve(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562), and keep it."""
    value: object
    if name in _MODULES:
        return _import_module(f".{name}", __name__)
    if name in _home_of:
        value = getattr(_import_module(f".{_home_of[name]}", __name__), name)
    elif name == "__version__":
        from importlib.metadata import version

        value = version("subspan")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


if not TYPE_CHECKING:  # a checker that saw it would believe in every name
    __getattr__ = _resolve


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})


class _Package(_ModuleType):
    """A package in which `svd` is a function although the folder behind it has the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse what the import system adds: ``import subspan.svd`` must not hide the function."""
        if not (name in _home_of and isinstance(value, _ModuleType)):
            super().__setattr__(name, value)


_sys.modules[__name__].__class__ = _Package
