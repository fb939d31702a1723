"""The same question to several methods: a table with uncertainties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .select import select


def compare_selectors(
    methods: Sequence[str | dict[str, Any]],
    X: Any,
    metric: Callable[[Any], float],
    n_list: Sequence[int],
    *,
    seeds: Sequence[int] = range(8),
    labels: Any = None,
) -> list[dict[str, Any]]:
    """Measure subsets of several methods, sizes and seeds.

    Parameters
    ----------
    methods : sequence of str or dict
        Methods of :func:`select`; a dict holds `method` and further options, and may hold a `name`.
    X : array, memory map or CSR matrix, shape (N, d)
    metric : callable
        ``metric(indices)``, a number, smaller being better; must not look at test data that choose
        anything.
    n_list : sequence of int
    seeds : sequence of int
    labels : array of shape (N,), optional

    Returns
    -------
    list of dict
        `method`, `n`, `mean`, `low` and `high` (a 95 % interval of the mean by bootstrap), `median`,
        `worst`, and `values`, one per seed; for pandas or print.

    Raises
    ------
    ValueError
        If an argument of a method is out of range, or there is no seed.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.selection import compare_selectors, v_opt
    >>> X = np.random.default_rng(0).standard_normal((200, 5))
    >>> rows = compare_selectors(["v_opt", "uniform"], X, lambda S: v_opt(X, S), [20], seeds=[0, 1])
    >>> rows[0]["mean"] < rows[1]["mean"]
    True
    """
    if len(seeds) == 0:
        raise ValueError("seeds is empty; at least one is needed")
    table = []
    for given in methods:
        options = {"method": given} if isinstance(given, str) else dict(given)
        name = options.pop("name", options.get("method", "skmm"))
        for n in n_list:
            values = np.array(
                [metric(select(X, n, labels=labels, rng=seed, **options).indices) for seed in seeds]
            )
            draws = np.random.default_rng(0).choice(values, (2000, len(values)))
            low, high = np.quantile(draws.mean(axis=1), [0.025, 0.975])
            table.append(
                {
                    "method": name,
                    "n": int(n),
                    "mean": float(values.mean()),
                    "low": float(low),
                    "high": float(high),
                    "median": float(np.median(values)),
                    "worst": float(values.max()),
                    "values": values.tolist(),
                }
            )
    return table
