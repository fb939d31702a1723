"""Sketches of matrices ``sum_t b_t a_t^T`` that are never formed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import as_rank
from .._rng import seed_word
from ..sketch.independent_entries import Gaussian


class FactoredSketch:
    """``S = B (x) A`` for vectorized matrices, row-major: ``S vec(b a^T) = (B b) (x) (A a)``.

    The per-sample gradient of a linear layer is ``sum_t b_t a_t^T`` of its inputs and the gradients of
    its outputs, so that ``sum_t (B b_t) (x) (A a_t)`` is its sketch. The factors are Gaussian, and
    ``E[S^T S] = I``; one with at least as many rows as columns is the identity above zeros instead.

    Parameters
    ----------
    size : int
        Rows m of S; divided into ``m1 m2`` so that the variance of a rank-one sketch is least.
    outputs, inputs : int
        Shape of the matrices.
    rng : int, numpy.random.Generator, SeedSequence or None

    Notes
    -----
    ``O(T (m1 outputs + m2 inputs + m))`` flops a sample instead of ``O(T outputs inputs)`` to form it.
    Weaker than a sketch with independent entries: for a rank-one matrix the relative variance of the
    squared length is about ``2/m1 + 2/m2``, of which an identity factor saves its part.

    References
    ----------
    Ahle et al., "Oblivious sketching of high-degree polynomial kernels", SODA 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.gradients import FactoredSketch
    >>> S = FactoredSketch(64, 3, 50, rng=0)
    >>> a, b = np.ones((1, 1, 50)), np.array([[[1.0, 0.0, -1.0]]])
    >>> bool(np.allclose(S.apply(a, b)[0], S.toarray() @ np.outer(b, a).ravel(), atol=1e-5))
    True
    """

    def __init__(self, size: int, outputs: int, inputs: int, *, rng: Any = None) -> None:
        size = as_rank(size, 2**24 - 1, "size")
        outputs, inputs = as_rank(outputs, 2**31, "outputs"), as_rank(inputs, 2**31, "inputs")
        if min(size, outputs, inputs) < 1:
            raise ValueError(f"size={size}, outputs={outputs}, inputs={inputs} must be at least 1")
        self.seed = seed_word(rng)
        self.shape = (size, outputs * inputs)
        self.sizes = _division(size, outputs, inputs)
        seeds = np.random.SeedSequence(self.seed).spawn(2)
        self._B = _factor(self.sizes[0], outputs, seeds[0])
        self._A = _factor(self.sizes[1], inputs, seeds[1])

    def apply(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
        """Sketch ``sum_t b_t a_t^T`` of every sample; a (N, T, inputs), b (N, T, outputs) -> (N, size)."""
        left = np.asarray(b, np.float32) @ self._B.T
        right = np.asarray(a, np.float32) @ self._A.T
        return np.asarray(left.transpose(0, 2, 1) @ right).reshape(len(left), -1)

    @staticmethod
    def squared_norms(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        """``|sum_t b_t a_t^T|_F^2 = sum_{t,s} (a_t . a_s) (b_t . b_s)`` of every sample."""
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        if a.shape[1] == 1:
            return np.asarray((a**2).sum(axis=(1, 2)) * (b**2).sum(axis=(1, 2)))
        grams = (a @ a.transpose(0, 2, 1)) * (b @ b.transpose(0, 2, 1))
        return np.asarray(np.maximum(grams.sum(axis=(1, 2)), 0))

    def toarray(self) -> NDArray[np.float32]:
        """Return S as a dense array, for tests and small problems."""
        return np.kron(self._B, self._A)

    def __repr__(self) -> str:
        return f"FactoredSketch({self.shape[0]}, {self._B.shape[1]}, {self._A.shape[1]}, rng={self.seed})"


def _division(size: int, outputs: int, inputs: int) -> tuple[int, int]:
    def variance(m1: int) -> float:
        m2 = size // m1
        return (0 if m1 >= outputs else 2 / m1) + (0 if m2 >= inputs else 2 / m2)

    divisors = (m1 for m1 in range(1, size + 1) if size % m1 == 0)
    best = min(divisors, key=variance)
    return best, size // best


def _factor(size: int, dim: int, seed: np.random.SeedSequence) -> NDArray[np.float32]:
    if size >= dim:
        return np.eye(size, dim, dtype=np.float32)
    return np.asarray(Gaussian(size, dim, rng=seed, dtype=np.float32).toarray())
