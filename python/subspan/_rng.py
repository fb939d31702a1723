"""From what people pass as ``rng=`` to the one 64-bit word that keys every random number."""

from __future__ import annotations

import operator
import sys
from typing import Any

import numpy as np


def seed_word(rng: Any) -> int:
    """Draw one 64-bit word; an int is that word itself, so ``result.seed`` repeats a result."""
    if rng is None:
        return _first_word(np.random.SeedSequence())
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(0, 2**64, dtype=np.uint64))
    if isinstance(rng, np.random.SeedSequence):
        return _first_word(rng)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(rng, torch.Generator):
        return int(torch.randint(0, 2**63 - 1, (1,), generator=rng, device=rng.device).item())
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(rng, jax.Array):
        high, low = np.asarray(jax.random.bits(rng, (2,), dtype="uint32"))
        return int(high) << 32 | int(low)
    if isinstance(rng, (bool, np.bool_)):
        raise TypeError(f"rng={rng!r} is a bool; expected an int, a numpy Generator or None")
    try:
        seed = operator.index(rng)
    except TypeError:
        raise TypeError(
            f"rng has type {type(rng).__name__}; expected None, an int, numpy.random.Generator, "
            "numpy.random.SeedSequence, torch.Generator or a JAX key"
        ) from None
    if not 0 <= seed < 2**64:
        raise ValueError(f"rng={seed} must lie in [0, 2**64)")
    return seed


def _first_word(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0])
