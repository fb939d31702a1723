"""Masks of weights with exact counts: whole matrix, row by row, or N of every M."""

from __future__ import annotations

import re
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .inputs import Array

Mask: TypeAlias = NDArray[np.bool_]
SHAPES = ("unstructured", "row")


def as_pattern(pattern: str, columns: int) -> tuple[int, int] | None:
    """(N, M) of a pattern such as "2:4", zeros per group and its length; None for the others."""
    if pattern in SHAPES:
        return None
    match = re.fullmatch(r"(\d+):(\d+)", str(pattern))
    if match is None:
        raise ValueError(f"pattern={pattern!r} is not known; expected one of {SHAPES} or 'N:M'")
    zeros, group = int(match[1]), int(match[2])
    if not 0 < zeros < group:
        raise ValueError(f"pattern={pattern!r} must have 0 < N < M")
    if columns % group:
        raise ValueError(
            f"pattern={pattern!r} needs columns in multiples of {group}, got {columns}"
        )
    return zeros, group


def as_sparsity(sparsity: float | None, pattern: str, columns: int) -> float:
    """Share of zeros; that of an N:M pattern is N / M."""
    groups = as_pattern(pattern, columns)
    if groups is not None:
        share = groups[0] / groups[1]
        if sparsity is not None and sparsity != share:
            raise ValueError(
                f"sparsity={sparsity} contradicts pattern={pattern!r}, which is {share:g}"
            )
        return share
    if sparsity is None or not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity={sparsity} must lie between 0 and 1")
    return float(sparsity)


def mask_of(scores: Array, sparsity: float, pattern: str) -> Mask:
    """Keep the weights of largest score; exactly ``round(sparsity size)`` go, of ties the later ones.

    "row": as many in every row.
    """
    rows, columns = scores.shape
    groups = as_pattern(pattern, columns)
    if groups is not None:
        zeros, group = groups
        by_group = scores.reshape(rows * (columns // group), group)
        return _without_smallest(by_group, zeros).reshape(rows, columns)
    if pattern == "row":
        return _without_smallest(scores, round(sparsity * columns))
    flat = _without_smallest(scores.reshape(1, -1), round(sparsity * scores.size))
    return flat.reshape(rows, columns)


def _without_smallest(scores: Array, count: int) -> Mask:
    """Per row, False at the `count` smallest."""
    mask = np.ones(scores.shape, bool)
    order = scores.shape[1] - 1 - np.argsort(scores[:, ::-1], axis=1, kind="stable")
    np.put_along_axis(mask, order[:, :count], False, axis=1)
    return mask
