"""Performance gap recovery and outperforming ratio, with refusal where they mean nothing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import callers_level

Array = NDArray[np.float64]


def gap_recovered(weak: Any, w2s: Any, ceiling: Any, noise: Any = 0.0) -> Any:
    """``PGR = (ER_w - ER_w2s)/(ER_w - ER_c)``: 1 where the student reaches the ceiling.

    NaN, with a warning, where the gap is not above `noise` (twice its standard error, say) or rounding.

    Parameters
    ----------
    weak, w2s, ceiling : float or array
        Risks of teacher, student and strong ceiling.
    noise : float or array
        Gaps up to this size are not told from zero.

    Returns
    -------
    float or array

    Examples
    --------
    >>> from subspan.w2s import gap_recovered
    >>> gap_recovered(1.0, 0.5, 0.25)
    0.6666666666666666
    """
    weak, w2s, ceiling = (np.asarray(x, np.float64) for x in (weak, w2s, ceiling))
    known = np.isfinite(weak) & np.isfinite(w2s) & np.isfinite(ceiling)
    with np.errstate(invalid="ignore"):
        gap = weak - ceiling
        rounding = 1e-9 * np.maximum(np.abs(weak), np.abs(ceiling))
        small = known & (np.abs(gap) <= np.maximum(noise, rounding))
        if small.any():
            warnings.warn(
                "the risks of teacher and ceiling do not differ: performance gap recovery is NaN",
                RuntimeWarning,
                stacklevel=callers_level(),
            )
        usable = known & ~small
        ratio = np.where(usable, (weak - w2s) / np.where(usable, gap, 1.0), np.nan)
    return float(ratio) if ratio.ndim == 0 else ratio


def outperforming(strong: Any, w2s: Any) -> Any:
    """``OPR = ER_s/ER_w2s``: above 1 where pseudo-labels beat the strong model on the few labels.

    Examples
    --------
    >>> from subspan.w2s.ratios import outperforming
    >>> outperforming(1.0, 0.5)
    2.0
    """
    strong, w2s = np.asarray(strong, np.float64), np.asarray(w2s, np.float64)
    known = (w2s > 0) & ~(np.isinf(strong) & np.isinf(w2s))
    ratio = np.where(known, strong / np.where(known, w2s, 1.0), np.nan)
    return float(ratio) if ratio.ndim == 0 else ratio
