"""Diagnosis of a pair of models from their features on the same inputs."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from .._array import as_rank
from .._rng import seed_word
from ..angles import CanonicalAngles
from ..selection.rows import Rows
from .correlation import (
    Whitened,
    chance_edge,
    debiased,
    jackknife,
    whiten,
)
from .dimension import kept
from .moments import PairedMoments
from .official import from_moments
from .pairs import paired_tiles
from .report import W2SReport, warn
from .sketched import sketch_angles


def diagnose(
    strong: Any,
    weak: Any = None,
    *,
    energy: float = 0.99,
    rank: int | tuple[int, int] | None = None,
    labels: Any = None,
    ids: tuple[Any, Any] | None = None,
    center: bool = False,
    sketch_size: int = 2048,
    confidence: float = 0.95,
    rng: Any = None,
) -> W2SReport:
    """Measure what two models have in common, from their features on the same inputs.

    Parameters
    ----------
    strong, weak : array, shape (m, D_s) and (m, D_w)
        Features of the same m inputs, row by row: arrays, memory maps, CSR matrices, tensors; or two
        iterables of batches; or, with `weak` left out, one iterable of pairs of batches, such as a
        DataLoader. Read once, in tiles.
    energy : float
        The intrinsic dimension is the number of eigenvalues of the (uncentred) second moment that hold this
        part of its trace. Use 1 if the models are to be fitted on all directions without regularisation.
    rank : int or (int, int), optional
        Dimensions to use instead, of both or (strong, weak).
    labels : array, shape (m,) or (m, k), optional
        NaN where a row has no label. Noise and bias are estimated from the others; needs arrays. Labels of
        other rows go to :meth:`W2SReport.with_labels`.
    ids : pair of arrays, optional
        Identifiers of the rows of both, which must agree.
    center : bool
        Subtract the means, for models with an intercept.
    sketch_size : int
        Wider features are sketched to this many columns. The report then estimates the canonical angles
        between the leading directions of the sketches and of the features: `angles_strong`, `angles_weak`.
    confidence : float
        Level of the interval of the correlation dimension.
    rng : int, numpy.random.Generator or None
        Of the sketch.

    Returns
    -------
    W2SReport

    Raises
    ------
    TypeError, ValueError
        If features are not paired row by row, are not finite or real, or if there are no more rows than
        ``d_strong + d_weak``, which leaves nothing to measure.

    Warns
    -----
    RuntimeWarning
        If there are fewer rows than five times the larger dimension, if the overlap is not above chance,
        as when rows are not paired, or if a sketch may lose more than a tenth of the dimensions.

    Notes
    -----
    Canonical correlations of the two truncated feature sets, singular values of
    ``S^{-1/2} C W^{-1/2}``, are invariant to invertible maps of either set, and their sum of squares is what
    enters the risks. Its bias, ``(d_s - d)(d_w - d)/(m - d)``, is removed and its uncertainty found by the
    jackknife over ten groups of rows. The published estimator compares eigenvectors of unrelated coordinate
    systems instead, and returns the level of chance ``d_s d_w/D``: it is reported as `official` beside,
    with the warning that it deserves.

    ``m (D_s + D_w)^2`` flops, one pass, memory ``10 (D_s + D_w)^2`` numbers or half a gigabyte.

    References
    ----------
    Dong, Li, Lee, "Discrepancies are virtue", arXiv 2502.05075.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s import diagnose
    >>> x = np.random.default_rng(0).standard_normal((4000, 50))
    >>> report = diagnose(x[:, :30], x[:, 20:] @ np.diag(np.arange(1.0, 31)), energy=1)
    >>> report.d_strong, report.d_weak, round(report.d_overlap)
    (30, 30, 10)
    """
    if not 0 < energy <= 1:
        raise ValueError(f"energy={energy} must lie in (0, 1]")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence} must lie between 0 and 1")
    ranks = _ranks(rank)
    size = as_rank(sketch_size, 2**20, "sketch_size")
    if ids is not None:
        _require_same(*ids)
    seed = seed_word(rng)
    moments, eps = _read(strong, weak, size, seed)
    m = int(moments.rows.sum())

    sums = moments.centered(moments.sums) if center else moments.sums[:, :-1, :-1]
    total = moments.sums.sum(axis=0)
    second = (moments.centered(total) if center else total[:-1, :-1]) / m
    free = m - 1 if center else m  # degrees of freedom
    D_s = moments.widths[0]
    S = whiten(second[:D_s, :D_s], _chooser(ranks[0], energy), eps)
    W = whiten(second[D_s:, D_s:], _chooser(ranks[1], energy), eps)
    d_s, d_w = len(S.values), len(W.values)
    if min(d_s, d_w) == 0:
        raise ValueError(f"the {'strong' if d_s == 0 else 'weak'} features are zero")
    if free <= d_s + d_w:
        raise ValueError(
            f"{m} rows are too few: more than d_strong + d_weak = {d_s} + {d_w} are needed, "
            f"better {5 * max(d_s, d_w)}"
        )
    if free < 5 * max(d_s, d_w):
        warn(
            f"{m} rows are less than five times the larger dimension {max(d_s, d_w)}: "
            "correlations are mostly chance"
        )

    M = S.map.T @ second[:D_s, D_s:] @ W.map
    raw = float(np.sum(M**2))
    estimate = debiased(raw, d_s, d_w, free)
    overlap = _clipped(estimate, d_s, d_w)
    both = np.zeros((len(second), d_s + d_w))
    both[:D_s, :d_s], both[D_s:, d_s:] = S.map, W.map
    groups = both.T @ sums @ both
    error = jackknife(groups, moments.rows, d_s)
    reach = float(student_t.ppf((1 + confidence) / 2, moments.groups - 1)) * error
    sketch_error = _sketch_error(second, moments, (S, W), overlap, free, eps)
    angles = (
        _angles(second[:D_s, :D_s], moments.sketches[0], d_s, eps),
        _angles(second[D_s:, D_s:], moments.sketches[1], d_w, eps),
    )
    # Shared directions that a sketch turns away are lost, by a part sin^2 each.
    lost = max(sketch_error, sum(float(np.sum(a.left**2)) for a in angles if a is not None))
    interval = (
        _clipped(estimate - reach - sketch_error, d_s, d_w),
        _clipped(estimate + reach + lost, d_s, d_w),
    )
    if lost > 0.1 * min(d_s, d_w):
        warn(
            f"the sketch to {size} columns may lose {lost:.1f} of {min(d_s, d_w)} dimensions: "
            "raise sketch_size, or keep fewer directions by energy or rank"
        )
    if interval[0] <= 0:
        warn("the features are as uncorrelated as those of different inputs: are the rows paired?")
    official, chance = _official(second, moments, energy, seed)
    report = W2SReport(
        d_strong=d_s,
        d_weak=d_w,
        d_overlap=overlap,
        d_overlap_raw=raw,
        interval=interval,
        standard_error=error,
        chance_level=d_s * d_w / free,
        chance_edge=chance_edge(d_s, d_w, free),
        official=official,
        official_chance=chance,
        sketch_error=sketch_error,
        angles_strong=angles[0],
        angles_weak=angles[1],
        canonical_correlations=np.minimum(np.linalg.svd(M, compute_uv=False), 1.0),
        spectrum_strong=S.spectrum,
        spectrum_weak=W.spectrum,
        rows=m,
        noise_var=None,
        bias=None,
        labels=0,
        target=None,
        target_square=float("nan"),
        label_covariance=None,
        moment=both.T @ second @ both,
        map_strong=S.map,
        map_weak=W.map,
        mean=total[-1, :-1] / m if center else None,
        sketch_size=size,
        confidence=confidence,
        seed=seed,
    )
    return report if labels is None else _labelled(report, strong, weak, labels)


def _ranks(rank: Any) -> tuple[int | None, int | None]:
    if rank is None:
        return None, None
    pair = tuple(rank) if isinstance(rank, (tuple, list)) else (rank, rank)
    if len(pair) != 2:
        raise TypeError(f"rank={rank!r} must be an int or a pair (strong, weak)")
    strong, weak = (as_rank(r, 2**20, "rank") for r in pair)
    if min(strong, weak) == 0:
        raise ValueError(f"rank={rank!r} must be at least 1")
    return strong, weak


def _clipped(overlap: float, d_s: int, d_w: int) -> float:
    return min(max(overlap, 0.0), float(min(d_s, d_w)))


def _chooser(rank: int | None, energy: float) -> Any:
    return lambda values: kept(values, 1 - energy) if rank is None else min(rank, len(values))


def _require_same(strong: Any, weak: Any) -> None:
    s, w = np.asarray(strong), np.asarray(weak)
    if s.shape != w.shape:
        raise ValueError(
            f"ids of strong and weak have shapes {s.shape} and {w.shape}; expected the same"
        )
    differ = np.flatnonzero(s != w)
    if len(differ):
        at = int(differ[0])
        raise ValueError(
            f"ids differ in {len(differ)} rows, first in row {at}: {s[at]!r} and {w[at]!r}"
        )


def _read(strong: Any, weak: Any, size: int, seed: int) -> tuple[PairedMoments, float]:
    """One pass; also the relative rounding of the products."""
    tiles = paired_tiles(strong, weak)
    first = next(tiles, None)
    if first is None:
        raise ValueError("strong and weak have no rows")
    moments = PairedMoments((first[0].shape[1], first[1].shape[1]), size, seed)
    eps = max(float(np.finfo(part.dtype).eps) for part in first)
    for tile in itertools.chain([first], tiles):
        moments.add(tile)
    return moments, eps


def _official(second: Any, moments: PairedMoments, energy: float, seed: int) -> tuple[float, float]:
    """The published estimator from the same moments."""
    if any(S is not None for S in moments.sketches):
        return float("nan"), float("nan")
    D_s, D_w = moments.widths
    parts = [second[:D_s, :D_s], second[D_s:, D_s:]]
    if D_s != D_w:
        wide = int(D_s < D_w)
        G = np.random.default_rng(seed).standard_normal((max(D_s, D_w), min(D_s, D_w)))
        parts[wide] = G.T @ parts[wide] @ G / len(G[0])
    return from_moments(parts[0], parts[1], energy)


def _angles(moment: Any, sketch: Any, d: int, eps: float) -> CanonicalAngles | None:
    return None if sketch is None else sketch_angles(moment, d, eps)


def _sketch_error(
    second: Any,
    moments: PairedMoments,
    whitened: tuple[Whitened, Whitened],
    overlap: float,
    rows: int,
    eps: float,
) -> float:
    """Change of the overlap with the first halves of the sketches, which are sketches themselves."""
    if all(S is None for S in moments.sketches):
        return 0.0
    maps, places = [], []
    start = 0
    for width, S, full in zip(moments.widths, moments.sketches, whitened, strict=True):
        place = slice(start, start + (width if S is None else width // 2))
        d = len(full.values)
        maps.append(whiten(second[place, place], lambda _, d=d: d, eps).map)
        places.append(place)
        start += width
    M = maps[0].T @ second[places[0], places[1]] @ maps[1]
    d_s, d_w = M.shape
    return abs(_clipped(debiased(float(np.sum(M**2)), d_s, d_w, rows), d_s, d_w) - overlap)


def _labelled(report: W2SReport, strong: Any, weak: Any, labels: Any) -> W2SReport:
    if weak is None or not hasattr(strong, "shape"):
        raise TypeError("labels= needs arrays of features; for streams use report.with_labels")
    y = np.asarray(labels, np.float64)
    if y.ndim not in (1, 2) or len(y) != report.rows:
        raise ValueError(f"labels has shape {y.shape}; expected {report.rows} rows")
    known = np.flatnonzero(~np.isnan(y.reshape(len(y), -1)).any(axis=1))
    S, W = (Rows(X, name).take(known) for X, name in ((strong, "strong"), (weak, "weak")))
    return report.with_labels(S, W, y[known])
