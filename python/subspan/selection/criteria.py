"""How good a subset is: coverage, variance and moments, beside those of uniform subsets."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..result import Result
from .budget import Array, Indices, as_groups, as_rows
from .moments import Eigenbasis, eigenbasis_of, second_moment
from .rows import Rows


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Certificate(Result):
    """What a subset S of n rows covers of the whole, and what uniform subsets of its size do.

    Attributes
    ----------
    coverage : float
        ``c_S = lambda_max(Sigma_S^{-1} Sigma)``: ``Sigma <= c_S Sigma_S``; 1 is ideal, infinite where a
        direction is missing.
    variance : float
        ``tr(Sigma Sigma_S^{-1})``, n / sigma^2 times the excess risk of least squares on S; the rank of
        Sigma is ideal for an unbiased design.
    moment_error : float
        ``||Sigma^{-1/2} Sigma_S Sigma^{-1/2} - I||_F / sqrt(rank)``.
    rank : int
        Numerical rank of Sigma.
    subset_rank : int
        That of Sigma_S.
    ridge : float
        Multiple of ``tr(Sigma) / rank`` that was added to both second moments.
    groups : dict
        Label -> (rows chosen, rows in all), when labels are given.
    uniform : Certificate or None
        Medians over uniform subsets of the same size.
    """

    coverage: float
    variance: float
    moment_error: float
    rank: int
    subset_rank: int
    ridge: float
    groups: dict[str, tuple[int, int]]
    uniform: Certificate | None = None

    def __repr__(self) -> str:
        text = f"<Certificate: coverage {self.coverage:.3g}, variance {self.variance:.3g}"
        if self.uniform is not None:
            text += f" (uniform subsets {self.uniform.coverage:.3g}, {self.uniform.variance:.3g})"
        return f"{text}, ideal 1 and {self.rank}>"


def moment_certificate(
    X: Any,
    indices: Any,
    weights: Any = None,
    *,
    ridge: float = 0.0,
    labels: Any = None,
    references: int = 11,
    rng: Any = None,
) -> Certificate:
    """Measure how well some rows stand for all rows.

    Parameters
    ----------
    X : array, memory map or CSR matrix, shape (N, d)
    indices : array of int, shape (n,)
    weights : array, shape (n,), optional
        Weights of the chosen rows, of any sum; equal by default.
    ridge : float
        Added to both second moments, as a multiple of ``tr(Sigma) / rank``.
    labels : array, shape (N,), optional
    references : int
        Uniform subsets of the same size that are drawn for comparison; 0 for none.
    rng : int, numpy.random.Generator or None

    Returns
    -------
    Certificate

    Raises
    ------
    ValueError
        If indices repeat or lie outside, or lengths do not match.

    Notes
    -----
    One pass over X and ``2 N d^2`` flops.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.selection import moment_certificate
    >>> X = np.kron(np.eye(3), np.ones((4, 1)))
    >>> moment_certificate(X, [0, 4, 8], rng=0).variance
    3.0
    """
    rows = Rows(X)
    chosen = as_rows(indices, len(rows), "indices")
    whole = eigenbasis_of(second_moment(rows), rows.eps)
    return certify(rows, whole, chosen, weights, ridge, labels, references, rng)


def certify(
    rows: Rows,
    whole: Eigenbasis,
    chosen: Indices,
    weights: Any,
    ridge: float,
    labels: Any,
    references: int,
    rng: Any,
) -> Certificate:
    """The same for a second moment that is known."""
    if weights is not None:
        weights = np.asarray(weights, np.float64)
        if weights.shape != chosen.shape:
            raise ValueError(f"weights has shape {weights.shape}; expected {chosen.shape}")
    uniform = None
    if references > 0:
        generator = np.random.default_rng(rng)
        subsets = [
            generator.choice(len(rows), len(chosen), replace=False) for _ in range(references)
        ]
        drawn = [_measure(rows, whole, subset, None, ridge) for subset in subsets]
        counts = [count_groups(labels, subset, len(rows)) for subset in subsets]
        uniform = Certificate(
            coverage=float(np.median([c.coverage for c in drawn])),
            variance=float(np.median([c.variance for c in drawn])),
            moment_error=float(np.median([c.moment_error for c in drawn])),
            rank=whole.rank,
            subset_rank=int(np.median([c.subset_rank for c in drawn])),
            ridge=ridge,
            groups={
                name: (int(np.median([count[name][0] for count in counts])), size)
                for name, (_, size) in counts[0].items()
            },
        )
    found = _measure(rows, whole, chosen, weights, ridge)
    return dataclasses.replace(
        found, uniform=uniform, groups=count_groups(labels, chosen, len(rows))
    )


def _measure(
    rows: Rows, whole: Eigenbasis, chosen: Indices, weights: Any, ridge: float
) -> Certificate:
    # In coordinates where Sigma is the identity.
    image = rows.take(chosen) @ whole.vectors / np.sqrt(whole.values)
    image = np.asarray(image, np.float64)
    mass = np.full(len(chosen), 1 / len(chosen)) if weights is None else weights / weights.sum()
    subset = (image * mass[:, None]).T @ image
    error = float(np.linalg.norm(subset - np.eye(whole.rank))) / np.sqrt(max(1, whole.rank))
    if ridge == 0 or whole.rank == 0:
        values = np.linalg.eigvalsh(subset)
        rank = _count(values, rows.eps)
        full = rank == whole.rank > 0
        variance = float((1 / values).sum()) if full else float("inf") if whole.rank else 0.0
        coverage = float(1 / values[0]) if full else float("inf") if whole.rank else 1.0
        return Certificate(coverage, variance, error, whole.rank, rank, ridge, {})
    shift = np.diag(ridge * whole.values.mean() / whole.values)
    values, vectors = np.linalg.eigh(subset + shift)
    rank = _count(values, rows.eps)
    coverage = variance = float("inf")
    if rank == whole.rank:
        target = vectors.T @ (np.eye(whole.rank) + shift) @ vectors
        variance = float(((vectors**2).sum(axis=0) / values).sum())
        half = target / np.sqrt(values) / np.sqrt(values)[:, None]
        coverage = float(np.linalg.eigvalsh(half)[-1])
    return Certificate(coverage, variance, error, whole.rank, rank, ridge, {})


def _count(values: Array, eps: float) -> int:
    """How many eigenvalues are not rounding."""
    return int((values > eps * len(values) * values.max(initial=0.0)).sum())


def coverage(X: Any, indices: Any, weights: Any = None) -> float:
    """``c_S``, the least c with ``Sigma <= c Sigma_S``; infinite if a direction is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.selection import coverage
    >>> coverage(np.eye(3), [0, 1, 2])
    1.0
    """
    return moment_certificate(X, indices, weights, references=0).coverage


def v_opt(X: Any, indices: Any, weights: Any = None) -> float:
    """``tr(Sigma Sigma_S^{-1})``, proportional to the excess risk of least squares on the subset.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.selection import v_opt
    >>> v_opt(np.eye(3), [0, 1, 2])
    3.0
    """
    return moment_certificate(X, indices, weights, references=0).variance


def coverage_by_group(labels: Any, indices: Any) -> dict[str, tuple[int, int]]:
    """Rows chosen and rows in all of every label.

    Examples
    --------
    >>> from subspan.selection import coverage_by_group
    >>> coverage_by_group(["a", "b", "a"], [0, 2])
    {'a': (2, 2), 'b': (0, 1)}
    """
    count = len(np.asarray(labels))
    return count_groups(labels, as_rows(indices, count, "indices"), count)


def count_groups(labels: Any, chosen: Indices, count: int) -> dict[str, tuple[int, int]]:
    """Chosen and all rows of every label; empty without labels."""
    if labels is None:
        return {}
    names, group = as_groups(labels, count)
    inside = np.bincount(group[chosen], minlength=len(names))
    return {
        str(name): (int(a), int(b))
        for name, a, b in zip(names, inside, np.bincount(group), strict=True)
    }
