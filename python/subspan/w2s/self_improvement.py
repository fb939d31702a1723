"""Iterated self-improvement on accepted answers, and easy-to-hard curricula: a simulator of our own.

Each round draws n prompts, keeps the answers that a reward accepts, and refits on them. Standard theory of
maximum likelihood bounds the failures on accepted prompts by ``c/(n J)``, c the logarithm of the number of
models over the confidence and J the present success: ``J <- 1 - c/(n J)``. The constants of the paper
(arXiv 2602.10014) are not reproduced; qualitative statements are.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import as_rank, as_tolerance
from .._rng import seed_word

__all__ = ["CURRICULA", "Levels", "fixed_points", "improve", "simulate"]

Array = NDArray[np.float64]
CURRICULA = ("easy_to_hard", "mixture", "hardest")


def fixed_points(complexity: float, prompts: float) -> tuple[float, float]:
    """Unstable and stable success ``(1 -+ sqrt(1 - 4 c/n))/2`` of one level; NaN if ``n < 4 c``.

    Below the unstable one the loop collapses, above it improves until the stable one.

    Parameters
    ----------
    complexity : float
        The constant c.
    prompts : float
        Prompts n of a round.

    Returns
    -------
    (unstable, stable) : tuple of float

    Raises
    ------
    ValueError
        If `complexity` is negative.

    Examples
    --------
    >>> from subspan.w2s.self_improvement import fixed_points
    >>> [round(x, 12) for x in fixed_points(0.16, 1)]
    [0.2, 0.8]
    """
    ratio = as_tolerance(complexity, "complexity") / prompts
    if ratio > 0.25:
        return float("nan"), float("nan")
    root = float(np.sqrt(1 - 4 * ratio))
    return (1 - root) / 2, (1 + root) / 2


def improve(success: float, complexity: float, prompts: float, rounds: int) -> Array:
    """Success before and after each round of the recursion ``J <- max(0, 1 - c/(n J))``.

    Parameters
    ----------
    success : float
        Initial success J.
    complexity : float
        The constant c.
    prompts : float
        Prompts n of a round.
    rounds : int

    Returns
    -------
    array, shape (rounds + 1,)

    Raises
    ------
    ValueError
        If `rounds` is negative.

    Examples
    --------
    >>> from subspan.w2s.self_improvement import improve
    >>> [round(float(improve(J, 0.16, 1, 200)[-1]), 6) for J in (0.25, 0.15)]
    [0.8, 0.0]
    """
    values = [float(success)]
    for _ in range(as_rank(rounds, 10**9, "rounds")):
        J = values[-1]
        values.append(max(0.0, 1 - complexity / (prompts * J)) if J > 0 else 0.0)
    return np.array(values)


@dataclasses.dataclass(frozen=True)
class Levels:
    """Difficulties 1 ... L of a task.

    Parameters
    ----------
    success : tuple of float
        Initial success at each level, easy first.
    complexity : float
        The constant c of every level.
    transfer : float
        Success at a level carries over to the next: before training there it is at least ``transfer`` times
        the success one level below.

    Raises
    ------
    ValueError
        If a number is out of range, or there is no level.

    Examples
    --------
    >>> from subspan.w2s.self_improvement import Levels, simulate
    >>> levels = Levels((0.5, 0.01), complexity=20.0, transfer=0.4)
    >>> simulate(levels, 200, 30, rng=0).shape
    (31, 2)
    """

    success: tuple[float, ...]
    complexity: float
    transfer: float

    def __post_init__(self) -> None:
        if not self.success or not all(0 <= J <= 1 for J in self.success):
            raise ValueError(
                f"success={self.success} must be numbers between 0 and 1, at least one"
            )
        if not 0 <= self.transfer <= 1:
            raise ValueError(f"transfer={self.transfer} must lie between 0 and 1")
        as_tolerance(self.complexity, "complexity")


def simulate(
    levels: Levels, prompts: int, rounds: int, *, curriculum: str = "easy_to_hard", rng: Any = None
) -> Array:
    """Success at every level over the rounds, the accepted answers being drawn.

    Parameters
    ----------
    levels : Levels
    prompts : int
        Budget of a round, over all levels.
    rounds : int
    curriculum : {"easy_to_hard", "mixture", "hardest"}
        Spend a round on the hardest level whose success is above the unstable fixed point, else on the
        easiest; on all levels evenly; or on the hardest alone.
    rng : int, numpy.random.Generator or None

    Returns
    -------
    array, shape (rounds + 1, L)

    Raises
    ------
    ValueError
        If `curriculum` is unknown.

    Examples
    --------
    >>> from subspan.w2s.self_improvement import Levels, simulate
    >>> levels = Levels((0.5, 0.01, 0.0), complexity=20.0, transfer=0.4)
    >>> easy, mixed = (simulate(levels, 200, 30, curriculum=c, rng=0) for c in ("easy_to_hard", "mixture"))
    >>> bool(easy[-1, -1] > 0.7), bool(mixed[-1, -1] < 0.3)
    (True, True)
    """
    if curriculum not in CURRICULA:
        raise ValueError(f"curriculum={curriculum!r} must be one of {CURRICULA}")
    generator = np.random.default_rng(seed_word(rng))
    J = np.array(levels.success, np.float64)
    count = len(J)
    budget = as_rank(prompts, 2**62, "prompts")
    history = [J.copy()]
    for _ in range(as_rank(rounds, 10**9, "rounds")):
        if curriculum == "mixture":
            shares = [budget // count] * count
        else:
            able = _hardest_able(J, levels.complexity, budget)
            chosen = able if curriculum == "easy_to_hard" else count - 1
            shares = [budget if level == chosen else 0 for level in range(count)]
        for level, share in enumerate(shares):
            if share == 0:
                continue
            accepted = int(generator.binomial(share, J[level]))
            J[level] = max(0.0, 1 - levels.complexity / accepted) if accepted else 0.0
        for level in range(1, count):
            J[level] = max(J[level], levels.transfer * J[level - 1])
        history.append(J.copy())
    return np.array(history)


def _hardest_able(J: Array, complexity: float, prompts: int) -> int:
    """The hardest level that will not collapse, or the easiest."""
    unstable, _ = fixed_points(complexity, prompts)
    able = np.flatnonzero(unstable < J)
    return int(able[-1]) if len(able) else 0
