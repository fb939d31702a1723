"""From scikit-learn's ``random_state`` to ``rng``."""

from __future__ import annotations

from typing import Any


def rng_of(random_state: Any) -> Any:
    """Return what to pass as ``rng``: a legacy RandomState gives one of its numbers."""
    if hasattr(random_state, "randint"):
        return int(random_state.randint(0, 2**32, dtype="uint64"))
    return random_state
