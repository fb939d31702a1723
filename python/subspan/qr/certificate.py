"""The certificate of orthonormal factors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import error as _error
from ..result import ErrorEstimate


def revealed_error(squared: float, norm2: float, R: NDArray[Any]) -> ErrorEstimate:
    """Certificate of a squared error that the factorization reveals.

    Q R itself is wrong by a few sqrt(k) eps of ``||A||``. A difference of energies, which is relied
    upon down to 1e4 eps ``||A||^2`` (1e3 where a tolerance drops rows), carries a few
    sqrt(k) eps ``||A||^2``.
    """
    eps = float(np.finfo(R.dtype).eps)
    value, reference = float(np.sqrt(squared)), float(np.sqrt(norm2))
    rounding = 4 * eps * float(np.sqrt(max(1, len(R)))) * reference
    if squared > 1e3 * eps * norm2:
        rounding += _error.energy_rounding(value, reference, len(R), eps)
    return _error.exact(value, reference, rounding=rounding)
