"""CUR decomposition against the column ID that it contains, and against a NumPy prototype.

The prototype is what a NumPy user would write with care: Gaussian sketch and LU for the columns, LU of
these for the rows, and the core between orthonormal bases.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import subspan
from numpy.typing import NDArray

from .cases import InterpCase, cur_cases
from .peers import csr_lu, dense, gaussian_lu, relative_error
from .run import Contender, Options, Results, interleave

COLUMN_ID = "subspan.interpolative, axis=1"
STABLE = "subspan.cur"
CROSS = 'core="cross"'
ID = 'core="id"'
PROTOTYPE = "numpy CUR by LU"
# Allowed multiple of the best error of rank k, and relative error where that is not known.
FACTORS = {STABLE: 15.0, CROSS: 200.0, ID: 30.0, PROTOTYPE: 40.0}
MOST = 2.2  # times a column ID, matrix a


def run(results: Results, options: Options) -> None:
    for case in options.chosen(cur_cases(options.small)):
        results.start(case)
        one_case(case, results, options)


def one_case(case: InterpCase, results: Results, options: Options) -> None:
    A, k, best = case.matrix.make(), case.rank, case.matrix.optimum(case.rank)

    def limit(name: str) -> float:
        if best is None:
            return 1.0 if name == STABLE else 5.0
        return FACTORS[name] * best + 1000 * float(np.finfo(A.dtype).eps)

    def ours(name: str, core: str) -> Contender:
        return Contender(
            name,
            lambda seed: subspan.cur(A, k, core=core, rng=seed),
            timed="the whole call: columns, rows, stable core, certificate",
            error=lambda r: relative_cur_error(A, r.left, r.middle, r.right),
            limit=limit(name),
            checks=2,
        )

    contenders = [
        Contender(
            COLUMN_ID,
            lambda seed: subspan.interpolative(A, k, rng=seed),
            timed="the whole call",
            error=lambda r: relative_error(A, *r),
        ),
        ours(STABLE, "stable"),
        ours(CROSS, "cross"),
        ours(ID, "id"),
        Contender(
            PROTOTYPE,
            partial(prototype, A, k),
            "peer",
            "columns, rows and stable core; no certificate",
            error=lambda found: relative_cur_error(A, *found),
            limit=limit(PROTOTYPE),
        ),
    ]
    timings = interleave(contenders, options)
    results.times(case, timings, best)
    most = MOST if case.matrix.name == "a" and not options.small else None
    results.ratio(case, "cur / column ID", timings[STABLE], timings[COLUMN_ID], at_most=most)
    results.ratio(case, "prototype / cur", timings[PROTOTYPE], timings[STABLE])


def prototype(A: Any, k: int, seed: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Bases of columns and rows, and the projection of A between them."""
    J, _ = (csr_lu if sp.issparse(A) else gaussian_lu)(A, k, seed)
    C = dense(A[:, J])
    row_of = scipy.linalg.lu(C, p_indices=True, check_finite=False)[0]
    R = dense(A[np.argsort(row_of)[:k]])
    left = scipy.linalg.qr(C, mode="economic", check_finite=False)[0]
    right = scipy.linalg.qr(R.conj().T, mode="economic", check_finite=False)[0].conj().T
    return left, (A.conj().T @ left).conj().T @ right.conj().T, right


def relative_cur_error(A: Any, left: Any, middle: Any, right: Any) -> float:
    """``|A - left middle right| / |A|``; for sparse A by inner products, as good as sqrt(eps)."""
    if sp.issparse(A):
        norm2 = float((np.abs(A.data) ** 2).sum())
        cross = np.vdot((A.conj().T @ left).conj().T @ right.conj().T, middle).real
        return float(np.sqrt(max(0.0, norm2 - 2 * cross + np.linalg.norm(middle) ** 2) / norm2))
    return float(np.linalg.norm(A - left @ (middle @ right)) / np.linalg.norm(A))
