"""Second moments of paired features, in a few groups of rows for the uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..sketch import SparseSign
from .pairs import Tile

Array = NDArray[np.float64]
GROUPS = 10
_BYTES = 2**29  # of all groups


class PairedMoments:
    """Sums of ``x x^T``, x the strong features, the weak features and a one, of groups of rows.

    Features wider than `sketch_size` are sketched first, by the same operator for all rows. Products are in
    the precision of the features, sums over tiles in double precision.
    """

    def __init__(self, widths: tuple[int, int], sketch_size: int, seed: int) -> None:
        self.sketches = tuple(
            SparseSign(sketch_size, width, rng=(seed + which) % 2**64)
            if width > sketch_size
            else None
            for which, width in enumerate(widths)
        )
        self.widths = (min(widths[0], sketch_size), min(widths[1], sketch_size))
        size = sum(self.widths) + 1
        self.groups = int(np.clip(_BYTES // (8 * size * size), 4, GROUPS))
        self.sums = np.zeros((self.groups, size, size))
        self._tiles = 0

    def add(self, tile: Tile) -> None:
        """Add the rows of a tile.

        The first tiles are divided over all groups, so that small data have groups too; later ones go to
        one group each.
        """
        x = np.column_stack([*self.features(tile), np.ones((len(tile[0]), 1), np.float32)])
        if self._tiles < self.groups:
            for group, part in enumerate(np.array_split(x, self.groups)):
                self.sums[group] += part.T @ part
        else:
            self.sums[self._tiles % self.groups] += x.T @ x
        self._tiles += 1

    def features(self, tile: Tile) -> tuple[NDArray[Any], NDArray[Any]]:
        """Strong and weak features of a tile, sketched if they are wide."""
        strong, weak = (
            rows if S is None else rows @ S.astype(rows.dtype).T
            for rows, S in zip(tile, self.sketches, strict=True)
        )
        return strong, weak

    @property
    def rows(self) -> Array:
        """Number of rows of each group."""
        return np.asarray(self.sums[:, -1, -1])

    def centered(self, sums: Array) -> Array:
        """Sums of ``(x - mean)(x - mean)^T``."""
        total = sums[..., -1, :-1]
        count = np.maximum(sums[..., -1, -1], 1)[..., None, None]
        return np.asarray(sums[..., :-1, :-1] - total[..., :, None] * total[..., None, :] / count)
