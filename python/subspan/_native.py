"""The compiled module, and the BLAS library it borrows."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

from . import _core

_SOURCES = ("numpy", "scipy", "vendored")
_current: ModuleType | None = None
_filling = threading.Lock()


def module() -> ModuleType:
    """Return the compiled module for host arrays; the first call fills its BLAS table."""
    global _current
    if _current is None:
        with _filling:
            if _current is None:  # else another thread was first
                load_blas(_core)
                _current = _core
    return _current


def _from_numpy(native: Any) -> bool:
    """Fill the table from the library numpy has loaded: no second thread pool."""
    from importlib import import_module

    names = ("numpy._core._multiarray_umath", "numpy.linalg._umath_linalg")
    modules = [str(import_module(name).__file__) for name in names]
    # Windows looks for a function in one library alone, not in those that it needs: OpenBLAS itself.
    beside = Path(str(import_module("numpy").__file__)).parents[1] / "numpy.libs"
    libraries = [*modules, *map(str, sorted(beside.glob("*openblas*")))]
    return any(native.blas_from_library(library, "numpy", False) for library in libraries)


def _from_scipy(native: Any) -> bool:
    """Fill the table from SciPy's documented Cython capsules."""
    from scipy.linalg import cython_blas, cython_lapack

    capsules = {**cython_lapack.__pyx_capi__, **cython_blas.__pyx_capi__}
    native.blas_from_capsules(capsules, str(cython_blas.__file__))
    return True


def _from_vendored(native: Any) -> bool:
    """Load the OpenBLAS that a build with SUBSPAN_VENDOR_OPENBLAS=ON carries."""
    library = Path(__file__).parent / "_vendored" / "libscipy_openblas.so"
    return library.exists() and bool(native.blas_from_library(str(library), "vendored", True))


def load_blas(native: Any) -> None:
    """Fill the function table of a compiled module.

    The environment variable ``SUBSPAN_BLAS`` forces a source: ``numpy``, ``scipy``, ``vendored`` or
    the path of a shared library. Without it, numpy's library is taken if its symbols are found,
    else SciPy's.
    """
    loaders = {"numpy": _from_numpy, "scipy": _from_scipy, "vendored": _from_vendored}
    asked = os.environ.get("SUBSPAN_BLAS", "")
    if asked and asked not in loaders:
        if native.blas_from_library(asked, asked, True):
            return
        raise ImportError(
            f"SUBSPAN_BLAS={asked!r}: not a shared library with BLAS and LAPACK; "
            f"expected one of {', '.join(_SOURCES)} or a path"
        )
    for name in [asked] if asked else ["numpy", "scipy", "vendored"]:
        if loaders[name](native):
            return
    raise ImportError(
        f"subspan found no BLAS (tried {asked or 'numpy, scipy, vendored'}); install numpy or scipy "
        "from wheels, or build subspan with -Ccmake.define.SUBSPAN_VENDOR_OPENBLAS=ON"
    )
