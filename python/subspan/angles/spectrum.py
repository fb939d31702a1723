"""A spectrum as the formulas need it: the wanted singular values, and the tail with multiplicities."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import as_array, as_rank, as_tolerance, to_host

TAILS = ("user", "pad", "energy")


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """Singular values, descending: `head` holds the first k, `tail` the distinct others, all positive."""

    head: NDArray[np.float64]
    tail: NDArray[np.float64]
    counts: NDArray[np.int64]  # of each value of the tail
    mode: str
    note: str

    @property
    def rank(self) -> int:
        """Size k of the wanted part."""
        return len(self.head)

    @property
    def tail_size(self) -> int:
        """Positive singular values beyond the wanted ones."""
        return int(self.counts.sum())

    def log_head(self) -> NDArray[np.float64]:
        """Logarithms of the wanted values over the first of the tail."""
        return np.asarray(np.log(self.head) - np.log(self.tail[0]))

    def log_tail(self) -> NDArray[np.float64]:
        """Logarithms of the tail's values over its first."""
        return np.asarray(np.log(self.tail) - np.log(self.tail[0]))

    def effective_tail_rank(self, exponent: float) -> float:
        """``(sum w)^2 / sum w^2`` over the tail for ``w = sigma^exponent``."""
        if self.tail_size == 0:
            return 0.0
        weights = np.exp(exponent * self.log_tail())
        return float((self.counts * weights).sum() ** 2 / (self.counts * weights**2).sum())


def as_spectrum(
    spectrum: Any, rank: Any, *, size: Any = None, tail: str = "user", residual: Any = None
) -> Spectrum:
    """Check a spectrum and complete its tail, see :func:`subspan.angles.prior_bounds`."""
    if tail not in TAILS:
        raise ValueError(f"tail={tail!r} is not known; expected one of {TAILS}")
    values = _values(spectrum, size)
    positive = int(np.count_nonzero(values))
    k = as_rank(rank, 2**62, "rank")
    if not 1 <= k <= positive:
        raise ValueError(f"rank={k} must lie between 1 and the {positive} positive singular values")
    count = len(values) if size is None else as_rank(size, 2**62, "size")
    if count < len(values):
        raise ValueError(f"size={count} is less than the {len(values)} given singular values")
    beyond, note = count - len(values), ""
    if tail == "user" and beyond:
        raise ValueError(
            f"{len(values)} of size={count} singular values were given; choose tail='pad' or 'energy' for "
            "the others"
        )
    if tail != "user" and size is None:
        raise ValueError(f"tail={tail!r} needs size, the smaller dimension of A")
    if tail == "pad":
        note = f"{beyond} unknown singular values set to the last known one"
    elif tail == "energy":
        if residual is None:
            raise ValueError("tail='energy' needs residual, the norm of A without the given values")
        beyond = _spread(values, as_tolerance(residual, "residual"), beyond)
        note = f"the energy beyond the known singular values spread over {beyond} of the last one"
    rest = values[k:]
    if tail != "user":
        rest = np.append(rest, np.full(beyond, values[-1]))
    tail_values, counts = np.unique(-rest[rest > 0], return_counts=True)
    return Spectrum(values[:k], -tail_values, counts, tail, note)


def _values(spectrum: Any, size: Any) -> NDArray[np.float64]:
    if callable(spectrum):
        if size is None:
            raise ValueError("a decay law needs size, the number of singular values")
        spectrum = spectrum(np.arange(1, as_rank(size, 2**30, "size") + 1, dtype=np.float64))
    given = np.asarray(as_array(to_host(spectrum, "spectrum"), "spectrum"))
    if given.ndim != 1:
        raise ValueError(f"spectrum must be 1-d, got shape {given.shape}")
    if np.iscomplexobj(given):
        raise TypeError("spectrum is complex; singular values are real")
    values = given.astype(np.float64)
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("spectrum has entries that are negative or not finite")
    return np.sort(values)[::-1]


def _spread(values: NDArray[np.float64], residual: float, beyond: int) -> int:
    """Over how many values like the last known one the remaining energy goes, rounded up."""
    if values[-1] == 0:
        return 0
    with np.errstate(over="ignore"):
        return int(min(beyond, np.ceil((residual / values[-1]) ** 2)))
