"""What the estimators take where nothing is said, and what scikit-learn's ``random_state`` means."""

from __future__ import annotations

from typing import Any

import numpy as np

DTYPES = (np.float64, np.float32)  # data of other types are converted to the first


def rng_of(random_state: Any) -> Any:
    """Return what to pass as ``rng``: a legacy RandomState gives one of its numbers."""
    if hasattr(random_state, "randint"):
        return int(random_state.randint(0, 2**32, dtype="uint64"))
    return random_state


def rank_or_half(rank: int | None, rtol: float | None, shape: tuple[int, int]) -> int | None:
    """Return the rank; with neither rank nor tolerance half the features, at most all samples."""
    if rank is None and rtol is None:
        return min(shape[0], max(1, shape[1] // 2))
    return rank
