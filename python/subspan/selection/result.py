"""A chosen subset: which rows, their weights, and how good it is."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from ..result import Result
from .budget import Array, Budget, Indices
from .criteria import Certificate, certify
from .moments import Eigenbasis
from .rows import Rows


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Selection(Result):
    """A subset of rows; unpacks into ``indices, weights``.

    Attributes
    ----------
    indices : array of int64, shape (n,)
        Chosen rows, each once, ascending; without those that were chosen already.
    weights : array of float64, shape (n,)
        Weights of the chosen rows. For random designs those of Horvitz and Thompson,
        ``1 / (N pi_i)``: weighted sums over the subset estimate means over all N candidates (and rows
        chosen already, whose weights are ``1 / N``), without bias if the design was drawn once
        (``restarts=1``). "craig" and "grad_match" have weights of their own. Else ``1 / n``.
    objective : float
        What the method minimised, at the relaxed solution; NaN where there is none.
    dual : float
        No relaxed solution is below this; NaN where there is none.
    variance : float
        ``tr(Sigma Sigma_S^{-1})`` of the subset.
    probabilities : array of float64, shape (N,), or None
        Inclusion probabilities of a random design.
    certificate : Certificate
        Criteria of the subset, with the rows chosen already, beside those of uniform subsets of its size.
    method : str
    settings : dict
    passes : int
        Readings of the candidates.
    seed : int
    """

    indices: Any
    weights: Any
    objective: float
    dual: float
    variance: float
    probabilities: Any
    certificate: Certificate
    method: str
    settings: dict[str, Any]
    passes: int
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("indices", "weights")

    def __len__(self) -> int:
        return 2

    def __repr__(self) -> str:
        return f"<Selection: {len(self.indices)} rows by {self.method}, {self.certificate!r}>"


def selection_of(
    rows: Rows,
    basis: Eigenbasis,
    budget: Budget,
    chosen: Indices,
    *,
    method: str,
    settings: dict[str, Any],
    labels: Any,
    ridge: float,
    references: int,
    seed: int,
    weights: Array | None = None,
    probabilities: Array | None = None,
    objective: float = float("nan"),
    dual: float = float("nan"),
    passes: int = 2,
) -> Selection:
    """Chosen rows with their weights and their certificate."""
    if weights is None and probabilities is not None:
        population = np.count_nonzero(budget.free) + len(budget.before)
        weights = 1 / (population * probabilities[chosen])
    if weights is None:
        weights = np.full(len(chosen), 1 / len(chosen))
    subset = np.concatenate([budget.before, chosen])
    certificate = certify(
        rows, basis, subset, None, ridge, labels, references, np.random.default_rng([seed, 2])
    )
    return Selection(
        indices=chosen,
        weights=weights,
        objective=objective,
        dual=dual,
        variance=certificate.variance,
        probabilities=probabilities,
        certificate=certificate,
        method=method,
        settings={**settings, "sketch_size": rows.shape[1], "ridge": ridge},
        passes=passes,
        seed=seed,
    )
