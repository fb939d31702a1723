"""The operators by name, and sketching in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..source import as_source
from .independent_entries import Gaussian, Rademacher
from .sketch_operator import SketchOperator
from .sparse_sign import CountSketch, SparseSign
from .srht import SRHT

KINDS: dict[str, Callable[..., SketchOperator]] = {
    "gaussian": Gaussian,
    "rademacher": Rademacher,
    "sparse_sign": SparseSign,
    "countsketch": CountSketch,
    "srht": SRHT,
}


def apply(A: Any, size: int, *, kind: str = "auto", axis: int = 0, rng: Any = None) -> Any:
    """Compress one axis of A with a fresh sketch operator.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (m, n)
    size : int
        Length of the compressed axis.
    kind : {"auto", "gaussian", "rademacher", "sparse_sign", "countsketch", "srht"}
        "auto": sparse sign, or Gaussian for operators.
    axis : {0, 1}
        The axis that is compressed: 0 gives ``S @ A``, 1 gives ``A @ S.T``.
    rng : int, numpy.random.Generator or None

    Returns
    -------
    array, shape (size, n) or (m, size)

    Raises
    ------
    ValueError
        If `kind` or `axis` is not known or `size` is out of range.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> subspan.sketch.apply(np.ones((1000, 5)), 20, rng=0).shape
    (20, 5)
    """
    source = as_source(A)
    if axis not in (0, 1):
        raise ValueError(f"axis={axis!r} must be 0 or 1")
    if kind == "auto":
        kind = "gaussian" if source.kind == "operator" else "sparse_sign"
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not known; expected 'auto' or one of {sorted(KINDS)}")
    S = KINDS[kind](size, source.shape[axis], rng=rng)
    return S @ source if axis == 0 else (S @ source.transposed).T
