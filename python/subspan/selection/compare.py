"""The same question to several methods: a table with uncertainties."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .select import select


def compare_selectors(
    methods: Sequence[str | dict[str, Any]],
    X: Any,
    metric: Callable[..., float | dict[str, float]],
    n_list: Sequence[int],
    *,
    seeds: Sequence[int] = range(8),
    labels: Any = None,
    reference: str | None = None,
) -> list[dict[str, Any]]:
    """Measure subsets of several methods, sizes and seeds.

    Parameters
    ----------
    methods : sequence of str or dict
        Methods of :func:`select`; a dict holds `method` and further options, and may hold a `name`.
    X : array, memory map or CSR matrix, shape (N, d), or callable
        What is chosen from; a function of the seed where candidates differ from run to run.
    metric : callable
        ``metric(indices)`` or ``metric(indices, seed)``: a number, smaller being better, or a dict of them.
        It must not look at test data that choose anything.
    n_list : sequence of int
    seeds : sequence of int
    labels : array of shape (N,), optional
    reference : str, optional
        Name of the method that the others are compared with, seed by seed.

    Returns
    -------
    list of dict
        `method`, `n`, `metric` (its name, or None), `mean`, `low` and `high` (:func:`mean_interval`),
        `median`, `worst`, `values`, `indices` and `seconds`, one per seed; with a reference
        `difference`, `difference_low` and `difference_high` of the paired differences. For pandas or print.

    Raises
    ------
    ValueError
        If an argument of a method is out of range, there is no seed, or no such reference.

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
    named = [_named(given) for given in methods]
    if reference is not None and reference not in [name for name, _ in named]:
        raise ValueError(f"reference={reference!r} is not among the methods")
    takes_seed = len(inspect.signature(metric).parameters) > 1
    table: list[dict[str, Any]] = []
    for name, options in named:
        for n in n_list:
            chosen: list[Any] = []
            seconds: list[float] = []
            values: list[dict[Any, float]] = []
            for seed in seeds:
                rows = X(seed) if callable(X) else X
                start = time.perf_counter()
                found = select(rows, n, labels=labels, references=0, rng=seed, **options)
                seconds.append(time.perf_counter() - start)
                chosen.append(found.indices)
                value = metric(found.indices, seed) if takes_seed else metric(found.indices)
                values.append(value if isinstance(value, dict) else {None: value})
            for part in values[0]:
                numbers = np.array([value[part] for value in values], np.float64)
                table.append(
                    {
                        "method": name,
                        "n": int(n),
                        "metric": part,
                        **_summary(numbers),
                        "values": numbers.tolist(),
                        "indices": chosen,
                        "seconds": seconds,
                    }
                )
    if reference is not None:
        _add_differences(table, reference)
    return table


def mean_interval(values: Any, level: float = 0.95) -> tuple[float, float]:
    """Interval of a mean by 2000 bootstrap draws, the same for the same values.

    Examples
    --------
    >>> from subspan.selection import mean_interval
    >>> low, high = mean_interval([1.0, 2.0, 3.0])
    >>> 1 <= low < 2 < high <= 3
    True
    """
    given = np.asarray(values, np.float64)
    if given.ndim != 1 or len(given) == 0:
        raise ValueError(f"values has shape {given.shape}; expected one number per run")
    if not 0 < level < 1:
        raise ValueError(f"level={level} must lie between 0 and 1")
    means = np.random.default_rng(0).choice(given, (2000, len(given))).mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _named(given: str | dict[str, Any]) -> tuple[str, dict[str, Any]]:
    options = {"method": given} if isinstance(given, str) else dict(given)
    return options.pop("name", options.get("method", "skmm")), options


def _summary(values: NDArray[np.float64]) -> dict[str, float]:
    low, high = mean_interval(values)
    return {
        "mean": float(values.mean()),
        "low": low,
        "high": high,
        "median": float(np.median(values)),
        "worst": float(values.max()),
    }


def _add_differences(table: list[dict[str, Any]], reference: str) -> None:
    known = {
        (row["n"], row["metric"]): row["values"] for row in table if row["method"] == reference
    }
    for row in table:
        apart = np.subtract(row["values"], known[row["n"], row["metric"]])
        row["difference"] = float(apart.mean())
        row["difference_low"], row["difference_high"] = mean_interval(apart)
