"""Rotation of a residual stream onto its principal directions, as in SliceGPT."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from .._array import as_rank
from ..result import Result
from .inputs import second_moment_of
from .moments import Moments


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SliceRotation(Result):
    """Leading principal directions of a stream; unpacks into ``Q, values``.

    Attributes
    ----------
    Q : array, shape (dim, k)
        Orthonormal: the stream x becomes ``x Q``; a layer that reads it ``W Q``, one that writes it
        ``Q^T W``, and a shortcut from one block to the next ``Q_l^T Q_{l+1}``.
    values : array, shape (dim,)
        All eigenvalues of the second moment, descending.
    relative : float
        Share of the mean square of the stream that is cut off.
    held_out : float or None
        On other rows.
    """

    Q: Any
    values: Any
    relative: float
    held_out: float | None

    _unpacks: ClassVar[tuple[str, ...]] = ("Q", "values")

    def __repr__(self) -> str:
        return (
            f"<SliceRotation: {self.Q.shape[1]} of {len(self.values)}, loses {self.relative:.3g}>"
        )


def slice_rotation(moments: Any, k: int, *, held_out: Any = None) -> SliceRotation:
    """Find the k directions that hold most of a stream.

    Parameters
    ----------
    moments : Moments or array, shape (dim, dim)
        Of the stream where a block reads it, the parameters of the norm being moved into the layers.
    k : int
    held_out : Moments or array, optional

    Returns
    -------
    SliceRotation

    Raises
    ------
    ValueError
        If k is out of range.

    References
    ----------
    Ashkboos et al., *SliceGPT*, arXiv 2401.15024.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import slice_rotation
    >>> slice_rotation(np.diag([1.0, 3.0]), 1).relative
    0.25
    """
    dim = moments.dim if isinstance(moments, Moments) else np.shape(moments)[-1]
    S = second_moment_of(moments, dim)
    k = as_rank(k, dim, "k")
    w, V = np.linalg.eigh(S)
    w, V = np.maximum(w[::-1], 0.0), V[:, ::-1]
    largest = np.abs(V).argmax(0)
    V = V * np.where(
        V[largest, np.arange(dim)] < 0, -1.0, 1.0
    )  # signs that do not depend on LAPACK
    Q = np.ascontiguousarray(V[:, :k])
    test = None
    if held_out is not None:
        T = second_moment_of(held_out, dim, "held_out")
        test = 1 - float(np.einsum("ij,ij->", T @ Q, Q)) / max(float(np.trace(T)), 1e-300)
    whole = float(w.sum())
    return SliceRotation(Q, w, float(w[k:].sum()) / whole if whole > 0 else 0.0, test)
