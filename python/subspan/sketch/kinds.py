"""The operators by name, and sketching in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._array import as_rank, to_caller
from .._rng import seed_word
from ..extensions import SKETCHES
from ..source import as_source
from .independent_entries import Gaussian, Rademacher
from .sketch_operator import LARGEST_SIZE, SketchOperator
from .sparse_sign import CountSketch, SparseSign
from .srht import SRHT

KINDS: dict[str, Callable[..., SketchOperator]] = {
    "gaussian": Gaussian,
    "rademacher": Rademacher,
    "sparse_sign": SparseSign,
    "countsketch": CountSketch,
    "srht": SRHT,
}
SKETCHES.reserve((*KINDS, "auto"))


def register(name: str, kind: Callable[..., Any]) -> None:
    """Make a sketch operator of your own known: ``sketch=name`` of `pivots` and `interpolative`.

    It is also a `kind` of :func:`subspan.sketch.apply`. A package offers one without a call, by an entry
    point in the group ``subspan.sketches``.

    Parameters
    ----------
    name : str
        An identifier that subspan does not use itself.
    kind : callable
        ``kind(size, dim, rng=seed, dtype=dtype)`` returns an operator S with ``S.shape == (size, dim)``,
        ``E[S.T @ S] = I``, and ``S @ A`` for arrays A of shape (dim, p), real or complex, in any order: an
        array of shape (size, p) in the precision of A. `seed` is an integer below ``2**64``; S depends
        on it, size and dim alone, and column j of ``S @ A`` on S and column j of A alone.

    Raises
    ------
    ValueError
        If the name is no identifier, or taken.
    TypeError
        If `kind` cannot be called.

    Notes
    -----
    Shapes and values of what it makes are checked at every call. It works on matrices in memory; a sparse
    A reaches it as dense blocks of columns. The pivots are those of generic combinations of its rows.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> def signs(size, dim, *, rng, dtype):
    ...     draw = np.random.default_rng(rng).choice([-1.0, 1.0], (size, dim))
    ...     return draw.astype(np.dtype(dtype)) / np.sqrt(size)
    >>> subspan.sketch.register("signs", signs)
    >>> subspan.interpolative(np.ones((50, 9)), 1, sketch="signs", rng=0).rank
    1
    """
    SKETCHES.register(name, kind)


def apply(A: Any, size: int, *, kind: str = "auto", axis: int = 0, rng: Any = None) -> Any:
    """Compress one axis of A with a fresh sketch operator.

    Parameters
    ----------
    A : array, sparse matrix or LinearOperator, shape (m, n)
    size : int
        Length of the compressed axis.
    kind : {"auto", "gaussian", "rademacher", "sparse_sign", "countsketch", "srht"}
        "auto": sparse sign, or Gaussian for operators. Also a name that :func:`register` or another
        package made known.
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
    if SKETCHES.find(kind) is not None:
        from ..foreign import sketched

        size, seed = as_rank(size, LARGEST_SIZE, "size"), seed_word(rng)
        if axis == 0:
            return to_caller(sketched(source, kind, size, seed), source.library)
        return to_caller(sketched(source.transposed, kind, size, seed).T, source.library)
    if kind not in KINDS:
        known = [*sorted(KINDS), *SKETCHES.names()]
        raise ValueError(f"kind={kind!r} is not known; expected 'auto' or one of {known}")
    S = KINDS[kind](size, source.shape[axis], rng=rng)
    return S @ source if axis == 0 else (S @ source.transposed).T
