"""Checks of weights, moments and index sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._array import as_array, as_rank
from .moments import Moments

Array: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]


def real_array(A: Any, name: str, ndim: int = 2) -> NDArray[Any]:
    """A finite real array of a working dtype and of `ndim` dimensions."""
    array = as_array(A, name)
    if array.dtype.kind == "c":
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers")
    if array.ndim != ndim:
        raise ValueError(f"{name} must be {ndim}-d, got an array of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN or infinite values")
    return array


def wide_matrix(A: Any, name: str, columns: int | None = None) -> Array:
    """A finite real matrix in double precision."""
    matrix = real_array(A, name).astype(np.float64)
    if columns is not None and matrix.shape[1] != columns:
        raise ValueError(f"{name} has shape {matrix.shape}; expected {columns} columns")
    return matrix


def second_moment_of(moments: Any, dim: int, name: str = "moments") -> Array:
    """The second moment in a :class:`Moments`, or a given symmetric matrix, of order `dim`."""
    if isinstance(moments, Moments):
        if moments.gram == "diag":
            raise ValueError(f"{name} holds the diagonal only; expected Moments with gram='full'")
        S = moments.second_moment()  # symmetric to the last bit: sums of X^T X
        if S.shape != (dim, dim):
            raise ValueError(f"{name} has shape {S.shape}; expected {(dim, dim)}")
        return S
    S = wide_matrix(moments, name)
    if S.shape != (dim, dim):
        raise ValueError(f"{name} has shape {S.shape}; expected {(dim, dim)}")
    if np.abs(S - S.T).max(initial=0.0) > 1e-6 * np.abs(S).max(initial=0.0):
        raise ValueError(f"{name} must be symmetric")
    if dim and np.diagonal(S).min() < 0:
        raise ValueError(f"{name} has a negative diagonal entry, {np.diagonal(S).min():.3g}")
    return np.asarray((S + S.T) / 2)


def squares_of(moments: Any, dim: int, name: str = "moments") -> Array:
    """``E[x_j^2]`` from moments, a symmetric matrix, or the vector itself."""
    if isinstance(moments, Moments):
        squares = moments.squares()
    else:
        given = as_array(moments, name)
        if given.ndim == 2:
            return np.diagonal(second_moment_of(given, dim, name)).copy()
        squares = real_array(given, name, 1).astype(np.float64)
    if squares.shape != (dim,):
        raise ValueError(f"{name} is about {len(squares)} channels; expected {dim}")
    if dim and squares.min() < 0:
        raise ValueError(f"{name} has a negative mean square, {squares.min():.3g}")
    return squares


def as_kept(keep: Any, m: int, name: str = "keep") -> Indices:
    """Sorted distinct indices below m."""
    given = np.asarray(keep)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise ValueError(f"{name} must be a 1-d array of integers, got {given!r:.80}")
    kept = np.unique(given).astype(np.int64)
    if len(kept) != len(given):
        raise ValueError(f"{name} names an index more than once")
    if len(kept) and not (kept[0] >= 0 and kept[-1] < m):
        raise ValueError(f"{name} must lie in [0, {m})")
    return kept


def others(keep: Indices, m: int) -> Indices:
    """What is not kept."""
    return np.setdiff1d(np.arange(m), keep, assume_unique=True)


def as_count(k: Any, m: int, name: str = "k") -> int:
    """Number of units to keep."""
    return as_rank(k, m, name)


def as_groups(groups: Sequence[Any] | None, m: int) -> list[Indices]:
    """Units as index arrays that partition ``range(m)``; single channels by default."""
    if groups is None:
        return list(np.arange(m, dtype=np.int64)[:, None])
    parts = [np.asarray(g, dtype=np.int64).ravel() for g in groups]
    together = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    if not np.array_equal(np.sort(together), np.arange(m)):
        raise ValueError(f"groups must contain every channel below {m} exactly once")
    return parts


def as_classes(
    balance: Sequence[int] | None, groups: Sequence[Any] | None, k: int
) -> Indices | None:
    """Class of every group, all of one size, of each of which as many of k can stay."""
    if balance is None:
        return None
    classes = np.asarray(balance)
    if groups is None or classes.shape != (len(groups),) or classes.dtype.kind not in "iu":
        raise ValueError("balance must be one integer per group, and goes with groups")
    sizes = np.bincount(classes) if len(classes) and classes.min() >= 0 else np.zeros(1, int)
    if len(classes) and (sizes.min() == 0 or sizes.min() != sizes.max()):
        raise ValueError(f"balance must hold 0, 1, ... equally often, got {classes.tolist()}")
    if k % len(sizes):
        raise ValueError(f"k={k} must be a multiple of the {len(sizes)} classes of balance")
    return classes.astype(np.int64)


def smallest_first(scores: Array) -> Indices:
    """Order of scores, ascending; ties so that the lower index is kept."""
    return (len(scores) - 1 - np.argsort(scores[::-1], kind="stable")).astype(np.int64)
