"""Choosing units and repairing what reads them, in one call."""

from __future__ import annotations

from typing import Any

from .reconstruct import reconstruct
from .result import PrunedUnits
from .select import select_units


def prune_units(
    W: Any,
    moments: Any,
    k: int,
    *,
    bias: Any = None,
    method: str = "obs",
    mode: str = "ls",
    damping: float | str = "auto",
    held_out: Any = None,
    **options: Any,
) -> PrunedUnits:
    """Keep k of the inner units of a module, and refit the matrix that reads them.

    Parameters
    ----------
    W, moments, k, method
        As in :func:`select_units`; further options of that go there.
    bias, mode, damping, held_out
        As in :func:`reconstruct`.

    Returns
    -------
    PrunedUnits
        ``keep, W, bias = r``. The first matrices keep their rows `keep`.

    Raises
    ------
    ValueError, NotEnoughSamples, SingularMoments
        As the two functions do.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import gram, prune_units
    >>> h = np.random.default_rng(0).standard_normal((200, 6)) @ np.ones((6, 9))
    >>> prune_units(np.ones((2, 9)), gram(h), 1).predicted.relative < 1e-2
    True
    """
    selection = select_units(W, moments, k, method=method, **options)
    repaired = reconstruct(
        W, moments, selection.keep, bias=bias, mode=mode, damping=damping, held_out=held_out
    )
    return PrunedUnits(selection.keep, repaired.W, repaired.bias, selection, repaired)


def id_prune(
    W: Any,
    moments: Any,
    k: int,
    *,
    weighted: bool = False,
    bias: Any = None,
    damping: float | str = "auto",
    held_out: Any = None,
    pivoting: str = "blocks",
    rng: Any = None,
) -> PrunedUnits:
    """Prune by an interpolative decomposition of the activations (Chee et al., NeurIPS 2022).

    Pivots of the activations stay, and W is multiplied by the interpolation matrix, which is the
    least-squares fit: without damping the two are equal.

    Parameters
    ----------
    W, moments, k, pivoting, rng
        As in :func:`select_units`.
    weighted : bool
        Pivot ``h_j |w_j|`` rather than ``h_j``.
    bias, damping, held_out
        As in :func:`reconstruct`.

    Returns
    -------
    PrunedUnits

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import gram, id_prune
    >>> h = np.random.default_rng(0).standard_normal((99, 3)) @ np.eye(3, 5, 1)
    >>> id_prune(np.ones((2, 5)), gram(h), 3, damping=0).keep
    array([1, 2, 3])
    """
    return prune_units(
        W,
        moments,
        k,
        bias=bias,
        method="weighted_id" if weighted else "id",
        damping=damping,
        held_out=held_out,
        pivoting=pivoting,
        rng=rng,
    )
