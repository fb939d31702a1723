"""The best split of a number of products between oversampling and power iterations."""

from __future__ import annotations

import dataclasses
from typing import Any

from .._array import as_rank
from .._rng import seed_word
from .canonical import CanonicalAngles
from .prior import exponents, prior_bounds, prior_estimates
from .spectrum import as_spectrum


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Recommendation(CanonicalAngles):
    """The canonical angles that the best split will reach, and the split.

    Attributes
    ----------
    sketch_size : int
        Columns l of the test matrix.
    power_iterations : int
    table : tuple of dict
        Every split that was compared: `sketch_size`, `power_iterations`, and the `sine` of the k-th angle.
    """

    sketch_size: int = 0
    power_iterations: int = 0
    table: tuple[dict[str, Any], ...] = ()

    @property
    def oversampling(self) -> int:
        """Columns beyond the rank, what :func:`subspan.svd` asks for."""
        return self.sketch_size - self.rank

    def __repr__(self) -> str:
        return (
            f"<Recommendation: sketch_size={self.sketch_size}, "
            f"power_iterations={self.power_iterations}, sine {self.worst[-1]:.2g} of the last angle>"
        )


def recommend(
    spectrum: Any,
    rank: int,
    matvecs: int,
    *,
    side: str = "left",
    tail: str = "user",
    size: int | None = None,
    residual: float | None = None,
    gamma: float | None = None,
    samples: int = 3,
    rng: Any = None,
) -> Recommendation:
    """Split a budget of products between the width of the test matrix and power iterations.

    Parameters
    ----------
    spectrum : array of shape (r,), or callable
        Singular values of A, known or guessed, see :func:`prior_bounds`; ``subspan.svd(A, rank,
        power_iterations=0)`` has what ``tail="energy"`` needs.
    rank : int
        Number k of wanted singular vectors.
    matvecs : int
        Products of A or A^H with a vector, ``l (2 q + 1)`` for l columns and q power iterations; the
        projection that follows takes l more. At least ``rank + 1``.
    side : {"left", "right", "both"}
        Whose k-th angle should be small; "both": the larger of the two.
    tail, size, residual
        See :func:`prior_bounds`.
    gamma : float, optional
        Compare the bound of Theorem 1 with these constants instead of the Monte Carlo estimate.
    samples : int
        Draws per split.
    rng : int, numpy.random.Generator, SeedSequence or None

    Returns
    -------
    Recommendation
        Angles of the best split, its `sketch_size` and `power_iterations`, and the `table` of all.

    Raises
    ------
    ValueError
        If the budget is below ``rank + 1`` or an argument is out of range.

    Notes
    -----
    A small gap after the rank calls for width, a large one for powers. One estimate per split, at most
    ``matvecs / (2 rank)`` of them; no pass over A.

    References
    ----------
    Dong, Martinsson, Nakatsukasa, arXiv 2211.04676, Section 6.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> gap = np.append(np.full(10, 1.5), np.ones(640))
    >>> best = subspan.angles.recommend(gap, 10, 320, rng=0)
    >>> best.sketch_size * (2 * best.power_iterations + 1) <= 320, best.power_iterations > 0
    (True, True)
    """
    sigma = as_spectrum(spectrum, rank, size=size, tail=tail, residual=residual)
    exponents(side, 0)
    budget, k = as_rank(matvecs, 2**62, "matvecs"), sigma.rank
    if budget < k + 1:
        raise ValueError(f"matvecs={budget} must be at least rank + 1 = {k + 1}")
    seed, widest = seed_word(rng), k + sigma.tail_size
    tried = []
    for q in range(1000):
        width = budget // (2 * q + 1)
        if (
            width < k + 2 and q > 0
        ):  # with fewer than 2 columns more, one draw says little of the next
            break
        width = min(width, max(widest, k + 1))
        settings = {"side": side, "tail": tail, "size": size, "residual": residual}
        if gamma is not None:
            angles = prior_bounds(spectrum, k, width, q, gamma=gamma, **settings)  # type: ignore[arg-type]
        else:
            # The same random numbers for every split, so that the difference is not theirs.
            angles = prior_estimates(
                spectrum,
                k,
                width,
                q,
                samples=samples,
                rng=seed,
                **settings,  # type: ignore[arg-type]
            )
        tried.append((width, q, angles))
        if angles.worst[-1] == 0:
            break
    table = tuple(
        {"sketch_size": width, "power_iterations": q, "sine": float(angles.worst[-1])}
        for width, q, angles in tried
    )
    known = [entry for entry in tried if entry[2].worst[-1] == entry[2].worst[-1]]
    if not known:
        raise ValueError(f"gamma={gamma} is too large: the bound holds for no split of {budget}")
    width, q, best = min(known, key=lambda entry: entry[2].worst[-1])
    return Recommendation(
        **{field.name: getattr(best, field.name) for field in dataclasses.fields(best)},
        sketch_size=width,
        power_iterations=q,
        table=table,
    )
