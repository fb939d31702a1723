"""Paired rows of two feature matrices, read together in tiles of fixed size whatever they come from."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..selection.rows import TILE, Rows

Tile = tuple[NDArray[Any], NDArray[Any]]
_MISSING = object()


def paired_tiles(strong: Any, weak: Any) -> Iterator[Tile]:
    """Strong and weak features of the same inputs, 4096 rows at a time but for the last.

    Both are arrays (memory maps, sparse, tensors), or both iterables of batches; or `strong` alone is an
    iterable of pairs of batches and `weak` is None. Sums over tiles do not depend on the batches.
    """
    if weak is None:
        yield from _filled(_checked(strong))
    elif _is_matrix(strong) and _is_matrix(weak):
        S, W = Rows(strong, "strong"), Rows(weak, "weak")
        if len(S) != len(W):
            raise ValueError(
                f"strong has {len(S)} rows and weak {len(W)}; expected the same inputs, row by row"
            )
        for (_, s), (_, w) in zip(S.tiles(), W.tiles(), strict=True):
            yield s, w
    elif _is_matrix(strong) or _is_matrix(weak):
        raise TypeError(
            "strong and weak must be two arrays or two iterables of batches, not one of each"
        )
    else:
        yield from _filled(_checked(itertools.zip_longest(strong, weak, fillvalue=_MISSING)))


def _is_matrix(X: Any) -> bool:
    """Tell what can be sliced by rows from batches; nested lists of numbers are a matrix."""
    if hasattr(X, "shape"):
        return True
    if not isinstance(X, Iterable):
        raise TypeError(
            f"features have type {type(X).__name__}; expected an array or batches of rows"
        )
    return isinstance(X, (list, tuple)) and bool(X) and np.ndim(X[0]) == 1


def _checked(batches: Iterable[Any]) -> Iterator[Tile]:
    """Dense, finite pieces of batches with as many strong as weak rows and always the same columns."""
    width: tuple[int, int] | None = None
    for number, pair in enumerate(batches):
        if not isinstance(pair, (tuple, list)) or len(pair) < 2:
            raise TypeError(f"batch {number} must be a pair (strong rows, weak rows)")
        if any(part is _MISSING for part in pair[:2]):
            raise ValueError(
                f"strong and weak differ in their number of batches, from batch {number} on"
            )
        S, W = Rows(pair[0], "strong"), Rows(pair[1], "weak")
        if len(S) != len(W):
            raise ValueError(
                f"batch {number} has {len(S)} strong and {len(W)} weak rows; expected the same"
            )
        if width not in (None, (S.shape[1], W.shape[1])):
            raise ValueError(
                f"batch {number} has {S.shape[1]} strong and {W.shape[1]} weak columns; expected {width}"
            )
        width = S.shape[1], W.shape[1]
        for (_, s), (_, w) in zip(S.tiles(), W.tiles(), strict=True):
            yield s, w


def _filled(batches: Iterator[Tile]) -> Iterator[Tile]:
    """The same rows in full tiles."""
    held: list[Tile] = []
    count = 0
    for piece in batches:  # none has more than TILE rows
        held.append(piece)
        count += len(piece[0])
        if count < TILE:
            continue
        S, W = _joined(held)
        yield S[:TILE], W[:TILE]
        count -= TILE
        held = [(S[TILE:], W[TILE:])] if count else []
    if count:
        yield _joined(held)


def _joined(pieces: list[Tile]) -> Tile:
    if len(pieces) == 1:
        return pieces[0]
    S, W = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return S, W
