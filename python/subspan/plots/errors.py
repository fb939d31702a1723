"""Error against rank: what was certified, and how the error fell on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import is_sparse, to_host
from .figure import label, legend, single
from .style import Palette, palette_of

NORMS = {"fro": "Frobenius", "spectral": "spectral", "nuclear": "nuclear"}


def error_by_rank(A: Any, skeleton: Any) -> NDArray[np.float64]:
    """Relative error of A in the span of the first j columns of a skeleton, j = 0 ... k.

    Parameters
    ----------
    A : array, shape (m, n)
    skeleton : array, shape (m, k)
        Chosen columns of A, in the order chosen.

    Returns
    -------
    array of float64, shape (k + 1,)
        ``||A - Q_j Q_j^H A||_F / ||A||_F``, with optimal coefficients; starts at 1, never rises.

    Notes
    -----
    ``4 m n k`` flops and a copy of A.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan import plots
    >>> plots.error_by_rank(np.diag([3.0, 4.0]), np.array([[0.0], [4.0]])).tolist()
    [1.0, 0.6]
    """
    dtype = np.result_type(A, np.float64)
    A, C = np.asarray(A, dtype), np.asarray(skeleton, dtype)
    Q = np.linalg.qr(C)[0]
    B = Q.conj().T @ A
    rest = np.linalg.norm(A - Q @ B) ** 2  # no cancellation, unlike ||A||^2 - ||B||^2
    squares = np.append(np.linalg.norm(B, axis=1) ** 2, rest)
    left = np.cumsum(squares[::-1])[::-1]
    return np.asarray(np.sqrt(left / left[0]) if left[0] > 0 else np.zeros_like(left))


def errors(results: Any, A: Any = None, *, ax: Any = None) -> Any:
    """Draw the certified error against the rank, with the band up to its upper bound.

    Parameters
    ----------
    results : result, sequence of results, or mapping of names to sequences
        Decompositions with an ``error``: one, whose history is drawn as well, or several of other
        ranks, which make a curve; of several methods if they have names.
    A : array, shape (m, n), optional
        The dense matrix, for one decomposition by columns or rows: adds the error that its first picks
        reach with the best coefficients, if there is no history (``4 m n k`` flops and a copy).
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Write it with ``ax.figure.savefig("picture.png")``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If something is not a decomposition with a certificate.
    ValueError
        If there is none, if it is of a batch, if the norms differ, or if A has another shape.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> from subspan import plots
    >>> A = np.vander(np.linspace(1, 2, 50), 20)
    >>> ax = plots.errors([subspan.interpolative(A, k, rng=0) for k in (2, 4, 6)])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('rank', 'relative error, Frobenius norm')
    """
    groups = _groups(results)
    if A is not None:
        A = dense_of(A, next(iter(groups.values()))[0])
    ax = single(ax)
    norm = next(iter(groups.values()))[0].error.norm
    palette = palette_of(ax)
    alone = hasattr(results, "error")
    y = _draw_one(ax, results, A, palette) if alone else _draw_many(ax, groups, palette)
    ax.set_yscale("log")
    top = max(r.rank for group in groups.values() for r in group)
    ax.set_xlim(-0.5, max(top, 1) * 1.04 + 0.5)
    ax.xaxis.get_major_locator().set_params(integer=True)
    label(ax, "Error", "rank", f"{y}, {NORMS[norm]} norm")
    legend(ax)
    return ax


def _groups(results: Any) -> dict[str, list[Any]]:
    named = results if isinstance(results, Mapping) else {"": results}
    groups = {k: [v] if hasattr(v, "error") else list(v) for k, v in named.items()}
    if not groups or not all(groups.values()):
        raise ValueError("results is empty: expected at least one decomposition")
    flat = [r for group in groups.values() for r in group]
    for r in flat:
        if not hasattr(r, "error") or not hasattr(r, "rank"):
            raise TypeError(f"results holds a {type(r).__name__}; expected decompositions")
        if np.ndim(r.error.value):
            raise ValueError("results holds a batch: draw one of its matrices")
    norms = sorted({r.error.norm for r in flat})
    if len(norms) > 1:
        raise ValueError(f"results have errors in the norms {norms}; expected one norm")
    return {k: sorted(group, key=lambda r: int(r.rank)) for k, group in groups.items()}


def dense_of(A: Any, result: Any) -> NDArray[Any]:
    """A as a numpy array, if it has the shape of the result."""
    A = to_host(A)
    A = np.asarray(A.toarray() if is_sparse(A) else A)
    if A.shape != tuple(result.shape):
        raise ValueError(f"A has shape {A.shape}; expected {tuple(result.shape)}")
    return np.asarray(A)


def _draw_many(ax: Any, groups: dict[str, list[Any]], palette: Palette) -> str:
    """Curves over the ranks of the results; absolute if the norm of A is not known for all."""
    relative = all(r.error.relative > 0 or r.error.value == 0 for g in groups.values() for r in g)
    for i, (name, group) in enumerate(groups.items()):
        ranks = [r.rank for r in group]
        scale = [_reference(r) if relative else 1.0 for r in group]
        value = _shown([r.error.value / s for r, s in zip(group, scale, strict=True)])
        upper = _shown([r.error.upper / s for r, s in zip(group, scale, strict=True)])
        kinds = "/".join(sorted({r.error.kind for r in group}))
        line = palette.line(i)
        ax.plot(ranks, value, label=f"{name or 'certificate'} ({kinds})", **line)
        band = ax.fill_between(ranks, value, np.maximum(upper, value), alpha=0.2, lw=0)
        band.set_facecolor(line["color"])
        if i == 0 and (upper > value).any():
            band.set_label("up to the upper bound")
    return "relative error" if relative else "absolute error"


def _draw_one(ax: Any, result: Any, A: Any, palette: Palette) -> str:
    """The way to the certificate, its value, and the band up to its upper bound."""
    e = result.error
    ranks, way, norm, kind = _way(result, A)
    relative = norm == e.norm and e.relative > 0  # beside another norm, both are absolute
    scale = _reference(result) if relative else 1.0
    if relative and 0 not in ranks:
        ranks, way = [0, *ranks], [scale, *way]
    if norm != e.norm:
        kind += f" ({NORMS[norm]})"
    style = {"color": palette.best, "markersize": 3, "label": kind}
    ax.plot(ranks, _shown(np.asarray(way) / scale), "o-", **style)
    value, upper = _shown([e.value / scale, e.upper / scale])
    upper = value if e.kind == "exact" else upper  # but for rounding
    name = f"certificate ({e.kind}{'' if e.norm == 'fro' else ', ' + NORMS[e.norm]})"
    style = {"color": palette.ours, "capsize": 4, "label": name}
    ax.errorbar([result.rank], [value], yerr=[[0.0], [max(upper - value, 0.0)]], fmt="D", **style)
    if upper > value:
        sure = f"its band (fails: {e.failure_probability:.2g})"
        ax.axhspan(value, upper, color=palette.ours, alpha=0.15, lw=0, label=sure)
    return "relative error" if relative else "absolute error"


def _way(result: Any, A: Any) -> tuple[list[int], list[float], str, str]:
    """Ranks and absolute errors before the last rank, their norm, and where they come from."""
    if result.history:
        psd = "trace_error" in result.history[0]
        key, norm = ("trace_error", "nuclear") if psd else ("residual", "fro")
        ranks = [int(step["rank"]) for step in result.history]
        return ranks, [float(step[key]) for step in result.history], norm, "as the algorithm ran"
    rows, columns = chosen(result)
    if A is not None and len(rows) + len(columns):
        M, picked = (A, columns) if len(columns) else (A.T, rows)
        way = float(np.linalg.norm(M)) * error_by_rank(M, M[:, picked])
        return list(range(len(way))), way.tolist(), "fro", "first picks, best coefficients"
    return [], [], result.error.norm, "nothing chosen"


def chosen(result: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns that a decomposition picked; empty where it picked none."""
    none = np.zeros(0, np.int64)
    if hasattr(result, "axis") and hasattr(result, "indices"):  # interpolative
        picked = result.indices
        pair = (
            picked
            if result.axis is None
            else (none, picked)
            if result.axis == 1
            else (picked, none)
        )
    else:  # CUR has both, pivoted QR columns
        pair = getattr(result, "rows", none), getattr(result, "columns", none)
    rows, columns = (np.asarray(to_host(part)) for part in pair)
    return rows, columns


def _reference(result: Any) -> float:
    """The norm of A that a certificate is relative to."""
    e = result.error
    return float(e.value / e.relative) if e.relative > 0 else 1.0


def _shown(values: Any) -> NDArray[np.float64]:
    """Zeros are drawn at the smallest number."""
    return np.asarray(np.maximum(np.asarray(values, np.float64), np.finfo(np.float64).tiny))
