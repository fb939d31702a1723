"""Columns chosen with a sketch operator or a pivoter of another package, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .extensions import PIVOTERS, SKETCHES
from .pivot import METHODS, Selection, choose_pivoting, in_range, select, size_sketch
from .source import Source, as_source

_BLOCK_ENTRIES = 2**22  # of a sparse A, made dense at a time


def is_foreign(pivoting: object, sketch: object) -> bool:
    """Tell whether one of the names belongs to another package."""
    return PIVOTERS.find(pivoting) is not None or SKETCHES.find(sketch) is not None


def foreign_pivots(
    source: Source, k: int, pivoting: str, sketch: str | None, seed: int, reasons: dict[str, str]
) -> tuple[NDArray[np.int64], str]:
    """Return k columns at a fixed rank, and the name of the method that chose them."""
    if source.kind not in ("dense", "sparse"):
        raise TypeError(
            f"pivoting={pivoting!r} with sketch={sketch!r} needs entries of A in memory; "
            f"got A of kind {source.kind!r}"
        )
    source.magnitude()  # raises ValueError for what is not finite, saying where
    if PIVOTERS.find(pivoting) is not None:
        if SKETCHES.find(sketch) is not None:
            raise ValueError(
                f"pivoting={pivoting!r} takes no sketch, but sketch={sketch!r} is given"
            )
        return _picked(source, k, pivoting, seed), pivoting
    assert sketch is not None
    name = choose_pivoting(source, pivoting, "gaussian", False, reasons)
    if METHODS[name].family not in ("sketch", "subspace"):
        raise ValueError(f"pivoting={pivoting!r} takes no sketch, but sketch={sketch!r} is given")
    return _pivots_of_sketch(source, k, name, sketch, seed), name


def _picked(source: Source, k: int, pivoting: str, seed: int) -> NDArray[np.int64]:
    """What a pivoter chooses: k distinct columns, or an error that names it."""
    pivoter = PIVOTERS.find(pivoting)
    assert pivoter is not None
    who, n = f"pivoting={pivoting!r}", source.shape[1]
    chosen = np.asarray(pivoter(source.matrix, k, seed))
    if chosen.dtype.kind not in "iu":
        raise TypeError(f"{who} returned indices of dtype {chosen.dtype}; expected integers")
    if chosen.shape != (k,):
        raise ValueError(f"{who} returned shape {chosen.shape}; expected ({k},)")
    if k and not 0 <= chosen.min() <= chosen.max() < n:
        raise ValueError(f"{who} returned an index out of [0, {n - 1}]: {chosen.tolist()}")
    if np.unique(chosen).size != k:
        raise ValueError(f"{who} returned an index twice: {chosen.tolist()}")
    return chosen.astype(np.int64)


def _pivots_of_sketch(
    source: Source, k: int, name: str, sketch: str, seed: int
) -> NDArray[np.int64]:
    """Pivots of ``Y = S A``, which is small, through generic combinations of its rows."""
    settings = Selection(name, k, sketch="sparse_sign")  # sized like any that is not Gaussian
    size_sketch(source, settings)
    Y = as_source(sketched(source, sketch, settings.sketch_size, seed))
    settings.sketch = "gaussian"
    settings.sketch_size = settings.pivot_rows = min(settings.pivot_rows, settings.sketch_size)
    try:
        skeleton = select(Y, settings, seed)
    except FloatingPointError:
        scaled, _ = in_range(Y)
        if scaled is Y:  # a sketch of zeros: any columns do
            return np.arange(k, dtype=np.int64)
        skeleton = select(scaled, settings, seed)
    return np.array(skeleton.permutation[:k])


def sketched(source: Source, sketch: str, size: int, seed: int) -> NDArray[Any]:
    """``S @ A`` of an operator that another package makes, checked."""
    make = SKETCHES.find(sketch)
    assert make is not None
    if source.kind not in ("dense", "sparse"):
        raise TypeError(f"sketch={sketch!r} needs entries of A in memory; got {source.kind!r}")
    m, n = source.shape
    who = f"sketch={sketch!r}"
    S = make(size, m, rng=seed, dtype=source.dtype)
    if tuple(getattr(S, "shape", ())) != (size, m):
        raise ValueError(
            f"{who} made an operator of shape {getattr(S, 'shape', None)}; expected {(size, m)}"
        )
    Y = np.empty((size, n), source.dtype, order="F")
    width = n if source.kind == "dense" else max(1, _BLOCK_ENTRIES // max(m, 1))
    for j in range(0, n, max(width, 1)):
        block = source.matrix[:, j : j + width]
        product = np.asarray(S @ (block if source.kind == "dense" else block.toarray()))
        if product.shape != (size, block.shape[1]):
            raise ValueError(
                f"{who} returned S @ A of shape {product.shape}; expected {(size, block.shape[1])}"
            )
        if product.dtype.kind not in "fc" or not np.can_cast(product.dtype, Y.dtype, "same_kind"):
            raise TypeError(f"{who} returned S @ A of dtype {product.dtype}; expected {Y.dtype}")
        if not np.isfinite(product).all():
            raise ValueError(f"{who} returned S @ A with entries that are NaN or infinite")
        Y[:, j : j + width] = product
    return Y
