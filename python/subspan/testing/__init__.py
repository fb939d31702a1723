"""Matrices with known properties and checks of what was computed from them.

For the tests of this library and of programs that use it. `MATRICES` maps a name to a small
generator, called as ``MATRICES[name](seed=0)``, that returns a dense array with at most about
a thousand rows and columns; each is a small version of a matrix used in the literature, see the
function of the same family for formula and source. Deterministic matrices ignore the seed.

Examples
--------
>>> from subspan import testing
>>> A = testing.MATRICES["exp"](seed=1)
>>> A.shape, round(testing.optimal_error(A, 60), 4)
((300, 200), 0.0024)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .adversarial import (
    coherent,
    duplicated_columns,
    gmm,
    heavy_column,
    kahan,
    scaled_columns,
)
from .checks import distortion, interpolation_error, optimal_error
from .finetuning import FinetuningMixture, finetuning_mixture
from .matrices import (
    Matrix,
    close_singular_values,
    fast_decay,
    gaussian_exp,
    gaussian_poly,
    known_spectrum,
    s_shaped,
)
from .operators import (
    bie2d,
    controlled_gap,
    helmholtz3d,
    snn,
    snn_operator,
    weighted_laplacian,
)

__all__ = [
    "MATRICES",
    "FinetuningMixture",
    "bie2d",
    "close_singular_values",
    "coherent",
    "controlled_gap",
    "distortion",
    "duplicated_columns",
    "fast_decay",
    "finetuning_mixture",
    "gaussian_exp",
    "gaussian_poly",
    "gmm",
    "heavy_column",
    "helmholtz3d",
    "interpolation_error",
    "kahan",
    "known_spectrum",
    "optimal_error",
    "s_shaped",
    "scaled_columns",
    "snn",
    "snn_operator",
    "weighted_laplacian",
]

MATRICES: dict[str, Callable[..., Matrix]] = {
    "poly0": lambda seed=0: gaussian_poly(300, 200, power=0.5, leading=20, rng=seed),
    "poly1": lambda seed=0: gaussian_poly(200, 300, power=1, leading=20, rng=seed),
    "poly2": lambda seed=0: gaussian_poly(300, 300, power=2, leading=20, rng=seed),
    "exp": lambda seed=0: gaussian_exp(300, 200, base=0.8, leading=40, rng=seed),
    "exp_slow": lambda seed=0: gaussian_exp(300, 300, base=0.98, leading=20, rng=seed),
    "exp_complex": lambda seed=0: gaussian_exp(
        200, 300, base=0.8, leading=40, dtype=np.complex128, rng=seed
    ),
    "snn": lambda seed=0: snn(400, 300, leading=40, rng=seed),
    "snn_thin": lambda seed=0: snn(400, 400, leading=40, scale=2, density=0.01, rng=seed),
    "gmm": lambda seed=0: gmm(200, 1000, clusters=50, rng=seed),
    "helmholtz3d": lambda seed=0: helmholtz3d(300, nodes=7),
    "bie2d_laplace": lambda seed=0: bie2d("laplace", panels=60, nodes=10),
    "bie2d_helmholtz": lambda seed=0: bie2d("helmholtz", panels=60, nodes=10),
    "fast_decay": lambda seed=0: fast_decay(300, rng=seed),
    "s_shaped": lambda seed=0: s_shaped(300, plateau=50, rng=seed),
    "kahan": lambda seed=0: kahan(200, perturbation=25),
    "weighted_laplacian": lambda seed=0: weighted_laplacian(300, edges=1200, rng=seed),
    "close_singular_values": lambda seed=0: close_singular_values(300),
    "controlled_gap": lambda seed=0: controlled_gap(800, 200, rng=seed),
    "duplicated_columns": lambda seed=0: duplicated_columns(rng=seed),
    "heavy_column": lambda seed=0: heavy_column(rng=seed),
    "coherent": lambda seed=0: coherent(400, 300, rank=40, rng=seed),
    "scaled_columns": lambda seed=0: scaled_columns(rng=seed),
}
