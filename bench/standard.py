"""Named sets of suites: what to run when there is no time for everything.

The standard set has a case of every family, with all peers and four rounds, and stays under fifteen minutes
on two cores: `tests/test_bench.py` adds up the published times of its cases, which leave a margin for
making matrices and checking errors.
"""

from __future__ import annotations

ROUNDS = 4

# Suite -> labels of its cases.
STANDARD: dict[str, tuple[str, ...]] = {
    "sketch": (
        "4000 x 4000, float32, C order, 512 rows",
        "4000 x 4000, float64, C order, 512 rows",
    ),
    "interp": (
        "a: 4000 x 4000, float64, k=100",
        "a: 4000 x 4000, float64, k=400",
        "d: 200000 x 20000, CSR, 2000000 entries, k=100",
    ),
    "svd": (
        "a: 4000 x 4000, float64, k=100",
        "a: 4000 x 4000, float64, k=400",
        "d: 200000 x 20000, CSR, 2000000 entries, k=100",
    ),
    "angles": ("a: 4000 x 4000, float64, k=100",),
    "qr": ("a: 4000 x 4000, float64, k=200",),
    "cur": ("a: 4000 x 4000, float64, k=100", "a: 4000 x 4000, float64, k=200"),
    "cholesky": (
        "Gaussian kernel, 4000 points in dimension 4, stored, k=400",
        "Gaussian kernel, 50000 points in dimension 8, by its function, k=200",
    ),
    "pivot": ("Gaussian 32000 x 1000",),
    "chunks": ("chunks: 100000 x 1000, 8000 rows each, k=50",),
    "batch": ("1000 of 100 x 64, float64, k=10",),
    "selection": ("1000 of 100000 rows of 128 numbers, float32",),
    "pruning": ("one module: 1152 of 1536 units, 576 outputs, 6144 tokens",),
    "w2s": ("pairs: 1000000 rows of 768 and 512 features, float32",),
}
# The suites whose results stand in the README.
README = ("interp", "svd", "selection", "gradients")
