"""The published estimator of the correlation dimension, which returns the level of chance."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .._rng import seed_word
from ..exceptions import MisleadingEstimate, callers_level
from ..selection.rows import Rows
from .dimension import intrinsic_dimension

WARNING = (
    "the published estimator compares unrelated coordinates and returns the level of chance, "
    "d_strong d_weak/width, whatever the models share"
)


def official_correlation_dimension(
    strong: Any, weak: Any, *, energy: float = 0.99, rng: Any = None
) -> tuple[float, float]:
    """Correlation dimension as published, and the level of chance that it measures.

    Features are brought to a common width by a Gaussian map, and the leading eigenvectors of the two second
    moments are compared as if the coordinates of the two models had anything to do with each other. They
    have not: for unrelated coordinates the expectation is ``d_s d_w/D`` whatever the models share. For
    comparison with published numbers only; :func:`diagnose` estimates what enters the theory.

    Parameters
    ----------
    strong, weak : array, shape (m, D_s) and (m, D_w)
    energy : float
        Part of the trace that the intrinsic dimensions keep.
    rng : int, numpy.random.Generator or None

    Returns
    -------
    (estimate, chance) : tuple of float

    Raises
    ------
    TypeError, ValueError
        If features are not real matrices, not finite, or differ in their number of rows, or `energy` is not
        in (0, 1].

    Warns
    -----
    subspan.exceptions.MisleadingEstimate
        Always.

    Notes
    -----
    ``2 m (D_s^2 + D_w^2)`` flops, one pass over either.

    References
    ----------
    Dong, Li, Lee, arXiv 2502.05075, and the code published with it.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from subspan.exceptions import MisleadingEstimate
    >>> from subspan.w2s import official_correlation_dimension
    >>> x = np.random.default_rng(0).standard_normal((500, 40))
    >>> shuffled = x[:, np.random.default_rng(1).permutation(40)]  # the same model
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", MisleadingEstimate)
    ...     found, chance = official_correlation_dimension(x, shuffled, energy=0.5)
    >>> round(found), round(chance)
    (6, 6)
    """
    S, W = Rows(strong, "strong"), Rows(weak, "weak")
    if len(S) != len(W):
        raise ValueError(f"strong has {len(S)} rows and weak {len(W)}; expected the same inputs")
    warnings.warn(
        f"{WARNING}; diagnose(strong, weak).d_overlap measures what they share",
        MisleadingEstimate,
        stacklevel=callers_level(),
    )
    moments = [X.dense().T @ X.dense() / len(X) for X in (S, W)]
    wide = int(S.shape[1] < W.shape[1])
    small = min(S.shape[1], W.shape[1])
    if S.shape[1] != W.shape[1]:
        generator = np.random.default_rng(seed_word(rng))
        G = generator.standard_normal((moments[wide].shape[0], small)) / np.sqrt(small)
        moments[wide] = G.T @ moments[wide] @ G
    return from_moments(moments[0], moments[1], energy)


def from_moments(strong: Any, weak: Any, energy: float) -> tuple[float, float]:
    """The same from second moments of one width."""
    bases = []
    for moment in (strong, weak):
        values, vectors = np.linalg.eigh(np.asarray(moment, np.float64))
        d = int(intrinsic_dimension(np.maximum(values, 0), energy=energy))
        bases.append(vectors[:, len(values) - d :])
    overlap = float(np.sum((bases[0].T @ bases[1]) ** 2))
    return overlap, bases[0].shape[1] * bases[1].shape[1] / len(strong)
