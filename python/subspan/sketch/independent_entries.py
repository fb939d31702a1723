"""Operators whose entries are drawn independently: normal numbers or signs."""

from __future__ import annotations

from .sketch_operator import SketchOperator


class Gaussian(SketchOperator):
    """Independent normal entries of variance ``1 / size``.

    Costs ``2 size m n`` flops at the rate of GEMM; the operator is drawn in slabs. The same seed
    gives the same single-precision normals for every dtype.

    References
    ----------
    Halko, Martinsson, Tropp, SIAM Rev. 53 (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import sketch
    >>> S = sketch.Gaussian(20, 100, rng=0)
    >>> (S @ np.ones((100, 3))).shape
    (20, 3)
    """

    _kind = 0


class Rademacher(SketchOperator):
    """Independent signs divided by ``sqrt(size)``.

    References
    ----------
    Achlioptas, J. Comput. Syst. Sci. 66 (2003).

    Examples
    --------
    >>> from subspan import sketch
    >>> S = sketch.Rademacher(4, 6, rng=0)
    >>> set(abs(S.toarray()).ravel().tolist())
    {0.5}
    """

    _kind = 1
