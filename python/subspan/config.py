"""What this installation runs on."""

from __future__ import annotations

import platform
from typing import Any

from . import _native


def blas_name() -> str:
    """Name the source of the BLAS table: numpy, scipy, vendored or a path."""
    return str(_native.module().config()["blas"])


def config() -> dict[str, Any]:
    """Return versions, BLAS, instruction set, threads and CUDA state as a dictionary."""
    import numpy
    import scipy

    from . import __version__

    native = _native.module().config()
    return {
        "subspan": __version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "machine": platform.machine(),
        "instruction set": native["isa"],
        "threads": native["threads"],
        "BLAS taken from": native["blas"],
        "BLAS library": native["blas_library"] or "(does not say)",
        "BLAS integers": f"{native['blas_integers']} bits",
        "CUDA": "not built; this version runs on the CPU",
    }


def show_config() -> None:
    """Print what subspan runs on: BLAS, instruction set, threads, CUDA.

    ``SUBSPAN_BLAS`` (numpy, scipy, vendored or a path) forces the BLAS, ``SUBSPAN_ISA`` (avx512, avx2,
    baseline) the instruction set; both are read at the first call.

    Examples
    --------
    >>> import subspan
    >>> subspan.show_config()  # doctest: +ELLIPSIS
    subspan ...
    """
    rows = config()
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:<{width}}  {value}")
