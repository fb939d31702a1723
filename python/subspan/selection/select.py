"""One call for every method."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._rng import seed_word
from .baselines import BASELINES
from .criteria import certify
from .design import CRITERIA, exchange, greedy_design
from .moments import second_moment, spectrum_of
from .result import Selection
from .rows import Rows, as_budget
from .skmm import moment_matching, sketched

METHODS = ("skmm", *BASELINES, *CRITERIA)
# Methods that see directions rather than rows as they are: sketched first, as moment matching is.
_IN_SKETCH = ("leverage", "ridge_leverage", *CRITERIA)


def select(
    X: Any,
    n: int,
    *,
    method: str = "skmm",
    sketch_size: int | str = "auto",
    ridge: float = 0.0,
    labels: Any = None,
    rng: Any = None,
    progress: Any = None,
    **options: Any,
) -> Selection:
    """Choose n rows by moment matching or one of the methods it is compared with.

    Parameters
    ----------
    X : array, memory map or CSR matrix, shape (N, d)
    n : int
    method : str
        "skmm": :func:`moment_matching`, which takes further `options`. "uniform", "stratified" (by
        `labels`), "leverage", "ridge_leverage": random. "rp" (also "adaptive"), "rbrp": random pivoting.
        "dpp": n at most the rank. "herding", "k_center": greedy. "v_opt", "a_opt", "d_opt", "e_opt",
        "t_opt": greedy designs; the first three take ``sweeps=`` of exchanges afterwards.
    sketch_size : int or "auto"
        Columns that rows are sketched to for "skmm", leverage scores and designs.
    ridge : float
        Of leverage scores, designs and the certificate, as a multiple of the mean eigenvalue.
    labels : array of shape (N,), optional
    rng : int, numpy.random.Generator, SeedSequence or None
    progress : bool or callable, optional

    Returns
    -------
    Selection
        The certificate is measured on the same sketched rows whatever the method.

    Raises
    ------
    ValueError
        If the method is not known or an argument is out of range.
    TypeError
        If a method is given an option that it does not have.

    Notes
    -----
    "herding" and "k_center" cost ``2 N d n`` flops, the designs ``2 N m^2`` per pick.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.selection import select
    >>> X = np.random.default_rng(0).standard_normal((300, 8))
    >>> best, plain = (select(X, 30, method=m, rng=0) for m in ("v_opt", "uniform"))
    >>> best.variance < plain.variance
    True
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known; expected one of {METHODS}")
    if method == "skmm":
        return moment_matching(
            X, n, sketch_size=sketch_size, ridge=ridge, labels=labels, rng=rng, progress=progress,
            **options,
        )  # fmt: skip
    sweeps = options.pop("sweeps", 0) if method in ("v_opt", "a_opt", "d_opt") else 0
    if options:
        raise TypeError(f"method={method!r} takes no {', '.join(sorted(options))}")
    if not ridge >= 0:
        raise ValueError(f"ridge={ridge} must not be negative")
    given, seed = Rows(X), seed_word(rng)
    count = as_budget(n, len(given))
    rows = sketched(given, count, sketch_size, "gaussian", seed)
    generator = np.random.default_rng([seed, 1])
    seen = rows if method in _IN_SKETCH else given
    if method in CRITERIA:
        chosen = greedy_design(seen, count, method, ridge)
        if sweeps:
            chosen = exchange(seen, chosen, method, ridge, sweeps)
    else:
        chosen = BASELINES[method](seen, count, generator, ridge=ridge, labels=labels)
    chosen = np.sort(np.asarray(chosen, np.int64))
    spectrum = spectrum_of(second_moment(rows), rows.eps)
    certificate = certify(
        rows, spectrum, chosen, None, ridge, labels, 11, np.random.default_rng([seed, 2])
    )
    return Selection(
        indices=chosen,
        weights=np.full(count, 1 / count),
        objective=float("nan"),
        dual=float("nan"),
        variance=certificate.variance,
        probabilities=np.full(len(rows), count / len(rows)) if method == "uniform" else None,
        certificate=certificate,
        method=method,
        settings={"sketch_size": rows.shape[1], "ridge": ridge},
        passes=2,
        seed=seed,
    )
