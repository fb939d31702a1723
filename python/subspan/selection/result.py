"""A chosen subset: which rows, their weights, and how good it is."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..result import Result
from .criteria import Certificate


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Selection(Result):
    """A subset of rows; unpacks into ``indices, weights``.

    Attributes
    ----------
    indices : array of int64, shape (n,)
        Chosen rows, each once, ascending.
    weights : array of float64, shape (n,)
        Weights of the chosen rows. For random designs those of Horvitz and Thompson,
        ``1 / (N pi_i)``: weighted sums over the subset estimate means over all rows, without bias if
        the design was drawn once (``restarts=1``). Else ``1 / n``.
    objective : float
        What the method minimised, at the relaxed solution; NaN where there is none.
    dual : float
        No relaxed solution is below this; NaN where there is none.
    variance : float
        ``tr(Sigma Sigma_S^{-1})`` of the subset.
    probabilities : array of float64, shape (N,), or None
        Inclusion probabilities of a random design.
    certificate : Certificate
        Criteria of the subset beside those of uniform subsets of its size.
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
