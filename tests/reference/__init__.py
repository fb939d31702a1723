"""Slow, obvious NumPy versions of every algorithm: what the library is tested against.

Each function follows the formula of the paper named beside it, in double precision, with no
blocking, no update that could be a recomputation, and no randomness of its own: whatever is
random arrives as an argument. Conventions:

* ``A`` is (m, n), real or complex; columns are chosen; ``k`` of them.
* ``piv`` holds the chosen columns in order, ``perm`` all n with the chosen ones first.
* ``Q`` (m, k) is an orthonormal basis of the chosen columns and ``R = Q^H A`` (k, n) keeps the
  column order of `A`, so ``R[:, piv]`` is upper triangular.
* ``W`` (k, n) interpolates: ``A ~ A[:, piv] @ W`` and ``W[:, piv] = I``.
* Ties go to the smallest index.
"""

from .coefficients import (
    coefficients_from_lu,
    coefficients_from_qr,
    optimal_coefficients,
    osid_coefficients,
)
from .expectation import (
    arp_expectation,
    elementary_symmetric,
    exhaustive_expectation,
    sequential_pair_probabilities,
    successive_pair_probabilities,
    volume_sampling_expectation,
)
from .lu import adaptive_lupp, lupp, numerical_rank, taxicab
from .qr import (
    blockwise,
    cpqr,
    gram_filter,
    greedy,
    race,
    robust_filter,
    rpqr,
    squared_errors,
    strong_rrqr,
)
from .rng import exponential_race, fma32, normals, philox4x32
from .subspace import arp, arp_coefficients, deim, leverage_scores, qdeim

__all__ = [
    "adaptive_lupp",
    "arp",
    "arp_coefficients",
    "arp_expectation",
    "blockwise",
    "coefficients_from_lu",
    "coefficients_from_qr",
    "cpqr",
    "deim",
    "elementary_symmetric",
    "exhaustive_expectation",
    "exponential_race",
    "fma32",
    "gram_filter",
    "greedy",
    "leverage_scores",
    "lupp",
    "normals",
    "numerical_rank",
    "optimal_coefficients",
    "osid_coefficients",
    "philox4x32",
    "qdeim",
    "race",
    "robust_filter",
    "rpqr",
    "sequential_pair_probabilities",
    "squared_errors",
    "strong_rrqr",
    "successive_pair_probabilities",
    "taxicab",
    "volume_sampling_expectation",
]
