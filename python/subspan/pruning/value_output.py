"""Values and output of an attention head, of fewer channels."""

from __future__ import annotations

from typing import Any

from .inputs import Array, wide_matrix
from .low_rank import low_rank
from .result import PredictedError


def vo_reduce(
    Wv: Any, Wo: Any, moments: Any, rank: int, *, held_out: Any = None, rng: Any = None
) -> tuple[Array, Array, PredictedError]:
    """Values and output projection of one head with `rank` channels, what the head writes being closest.

    Attention mixes tokens, not channels: a head is a linear module ``x -> c = x Wv^T -> c Wo^T`` of mixed
    inputs, and turning its channels changes nothing. The best of all subspaces is kept, not of all subsets.

    Parameters
    ----------
    Wv : array, shape (head_dim, inputs)
        A bias: append it as a column.
    Wo : array, shape (outputs, head_dim)
    moments : Moments or array, shape (head_dim, head_dim)
        Of c: the block of this head in the moments of what enters the output projection.
    rank : int
    held_out : Moments or array, optional
    rng : int, numpy.random.Generator, SeedSequence or None

    Returns
    -------
    Wv : array, shape (rank, inputs)
    Wo : array, shape (outputs, rank)
    predicted : PredictedError

    Raises
    ------
    ValueError
        If shapes do not fit.

    Notes
    -----
    The truncated singular value decomposition of ``Wo S^(1/2)``. Stock configurations have no value heads
    narrower than those of queries and keys.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import vo_reduce
    >>> Wv, Wo, predicted = vo_reduce(np.eye(3), np.diag([3.0, 2.0, 0.0]), np.eye(3), 2)
    >>> bool(np.allclose(Wo @ Wv, np.diag([3, 2, 0]))), predicted.relative < 1e-12
    (True, True)
    """
    V, W = wide_matrix(Wv, "Wv"), wide_matrix(Wo, "Wo", len(wide_matrix(Wv, "Wv")))
    r = low_rank(W, rank, moments, held_out=held_out, rng=rng)
    assert r.predicted is not None
    return r.B @ V, r.A, r.predicted
