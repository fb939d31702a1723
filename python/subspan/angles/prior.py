"""How close the computed singular subspaces will be, from the spectrum alone.

With ``G = V^H Omega`` and D the diagonal of the e-th powers of the singular values, e = 2q + 1 for the
left and 2q + 2 for the right subspace, the basis of the range finder is ``orth(U D G)``. For a Gaussian
Omega, G is Gaussian whatever V is: the law of the angles depends on the spectrum, k, l and q only
(arXiv 2211.04676, Section 3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import as_array, as_rank, to_host
from .._rng import seed_word
from .canonical import CanonicalAngles
from .sampling import sample_basis, sample_truncated
from .spectrum import Spectrum, as_spectrum

SIDES = ("both", "left", "right")


def prior_bounds(
    spectrum: Any,
    rank: int,
    sketch_size: int,
    power_iterations: int,
    *,
    side: str = "both",
    tail: str = "user",
    size: int | None = None,
    residual: float | None = None,
    failure_probability: float = 0.01,
    gamma: float | None = None,
) -> CanonicalAngles:
    """Bounds of the angles to the basis that subspace iteration will find, before it is run.

    Parameters
    ----------
    spectrum : array of shape (r,), or callable
        Singular values of A, or the leading ones with a `tail`; or a decay law, called with 1 ... size.
    rank : int
        Number k of wanted singular vectors.
    sketch_size : int
        Columns l > k of the Gaussian test matrix.
    power_iterations : int
    side : {"both", "left", "right"}
    tail : {"user", "pad", "energy"}
        How the singular values beyond the given ones are modelled. "user": none are missing. "pad": all
        equal the last given one, which is true if that is exact and too heavy otherwise. "energy": as many
        of that size as make up the `residual`, an assumption. Only "user" can give a theorem.
    size : int, optional
        Smaller dimension of A, for the other tails.
    residual : float, optional
        For ``tail="energy"``: the Frobenius norm of A without the given singular values, what
        ``r.error.value`` is for a result r.
    failure_probability : float
        With which the bound may fail, at each index.
    gamma : float, optional
        Gives Theorem 1 of the paper instead, with its constants set by ``eps_1 = gamma sqrt(k / l)`` and
        ``eps_2 = gamma sqrt(l / (r - k))``. Its probability is known up to constants only and gamma = 1
        fails at i = k for flat spectra, so that it is never marked rigorous.

    Returns
    -------
    CanonicalAngles
        k sines per side between the wanted subspace and the basis of l columns.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    With ``U_i`` part of the wanted subspace and a split j, ``i <= j < l``, of the spectrum

        ``tan theta_i <= || D_2 G_2 Z || / sigma_i^e``,

    where D_2 holds the powers beyond j and ``1 / ||Z||`` is the smallest singular value of a Gaussian
    matrix with i rows and l - j + i columns. The three factors are bounded as in Halko, Martinsson and
    Tropp (2011), Theorem 10.8 and Proposition A.3; the best j is taken. ``O(k l)``. The
    theorems are about real test matrices; complex ones have come out closer in every simulation.

    References
    ----------
    Dong, Martinsson, Nakatsukasa, arXiv 2211.04676, Theorem 1; Saibaba, SIAM J. Matrix Anal. Appl. 40
    (2019).

    Examples
    --------
    >>> import numpy as np, subspan
    >>> spectrum = 0.8 ** np.arange(100)
    >>> bounds = subspan.angles.prior_bounds(spectrum, 10, 30, 1)
    >>> bool(bounds.left[0] < 1e-2), bounds.rigorous
    (True, True)
    """
    sigma = as_spectrum(spectrum, rank, size=size, tail=tail, residual=residual)
    size_, q = check_sketch(sigma, sketch_size, power_iterations)
    if not 0 < failure_probability < 1:
        raise ValueError(f"failure_probability={failure_probability} must lie between 0 and 1")
    if gamma is not None and not gamma > 0:
        raise ValueError(f"gamma={gamma} must be positive")
    found, notes = {}, [sigma.note] if sigma.note else []
    for name, exponent in exponents(side, q).items():
        if sigma.tail_size == 0:
            found[name] = np.zeros(sigma.rank)
        elif gamma is None:
            found[name] = _gaussian_bound(sigma, size_, exponent, failure_probability)
        else:
            found[name] = _space_agnostic_bound(sigma, size_, exponent, gamma)
    rank_of_tail = sigma.effective_tail_rank(2 * max(exponents(side, q).values()))
    if gamma is not None:
        if any(np.isnan(sines).any() for sines in found.values()):
            notes.append("eps_1 = gamma sqrt(k / l) is not below 1")
        if rank_of_tail < size_:
            notes.append(f"heuristic: the effective rank {rank_of_tail:.3g} of the tail is below l")
    elif size_ - sigma.rank < 2:
        notes.append("fewer than 2 columns beyond the rank: the bound of the last angles is 1")
    return CanonicalAngles(
        left=found.get("left"),
        right=found.get("right"),
        kind="bound",
        rigorous=gamma is None and sigma.mode == "user",
        method="Gaussian test matrix" if gamma is None else f"space-agnostic, gamma = {gamma:g}",
        failure_probability=failure_probability if gamma is None else float("nan"),
        note="; ".join(notes),
        tail=sigma.mode,
        tail_rank=rank_of_tail,
    )


def prior_estimates(
    spectrum: Any,
    rank: int,
    sketch_size: int,
    power_iterations: int,
    *,
    side: str = "both",
    subspace: str = "basis",
    tail: str = "user",
    size: int | None = None,
    residual: float | None = None,
    samples: int = 3,
    complex: bool = False,
    rng: Any = None,
) -> CanonicalAngles:
    """Mean sines that subspace iteration will reach, from draws of their exact law.

    Parameters
    ----------
    spectrum, rank, sketch_size, power_iterations, side, tail, size, residual
        As in :func:`prior_bounds`.
    subspace : {"basis", "truncated"}
        "basis": angles to the whole computed basis of l columns. "truncated": to its leading k left and
        right singular vectors, those that a rank-k decomposition returns.
    samples : int
        Number of draws; the spread is in ``left_samples``, ``right_samples``.
    complex : bool
        Whether the test matrix is complex.
    rng : int, numpy.random.Generator, SeedSequence or None

    Returns
    -------
    CanonicalAngles
        ``kind="estimate"``. With the true spectrum unbiased for the mean over Gaussian test matrices.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    A draw costs the QR factorization of a matrix with l columns and as many rows as the tail has distinct
    values, and l more for those that are repeated over l times, whose Gram matrix is drawn instead. For
    "truncated" the whole algorithm is run on the diagonal matrix. No pass over A.

    The tangents are the singular values of ``R_a L^{-1} D_1^{-1}``: ``G_1 = L [I 0] Z^H``, and R_a is
    what the QR factorization of ``D_2 G_2 Z``, its columns turned round, leaves in the last k rows. Rows
    and columns are graded, never mixed: powers of any size lose no digits.

    References
    ----------
    Dong, Martinsson, Nakatsukasa, arXiv 2211.04676, Proposition 1.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> spectrum = 0.8 ** np.arange(100)
    >>> estimate = subspan.angles.prior_estimates(spectrum, 10, 20, 1, rng=0)
    >>> bool(estimate.left[0] < estimate.left[-1] < 0.1)
    True
    """
    sigma = as_spectrum(spectrum, rank, size=size, tail=tail, residual=residual)
    size_, q = check_sketch(sigma, sketch_size, power_iterations)
    if subspace not in ("basis", "truncated"):
        raise ValueError(f"subspace={subspace!r} is not known; expected 'basis' or 'truncated'")
    if as_rank(samples, 2**20, "samples") < 1:
        raise ValueError(f"samples={samples} must be at least 1")
    sides = exponents(side, q)
    generator = np.random.default_rng(seed_word(rng))
    draws: dict[str, list[NDArray[np.float64]]] = {name: [] for name in sides}
    for _ in range(samples):
        if subspace == "basis":
            drawn = sample_basis(sigma, size_, sides, generator, complex)
        else:
            truncated = sample_truncated(sigma, size_, q, generator, complex)
            drawn = {name: truncated.sines(name) for name in sides}
        for name, sines in drawn.items():
            draws[name].append(sines)
    stacked = {name: np.array(sines) for name, sines in draws.items()}
    means = {name: sines.mean(axis=0) for name, sines in stacked.items()}
    return CanonicalAngles(
        left=means.get("left"),
        right=means.get("right"),
        kind="estimate",
        rigorous=False,
        method="Monte Carlo of the Gaussian law"
        + (", truncated" if subspace == "truncated" else ""),
        failure_probability=float("nan"),
        note=sigma.note,
        tail=sigma.mode,
        tail_rank=sigma.effective_tail_rank(2 * max(sides.values())),
        left_samples=stacked.get("left"),
        right_samples=stacked.get("right"),
    )


def saibaba_bounds(
    spectrum: Any, rank: int, power_iterations: int, V: Any, test_matrix: Any
) -> CanonicalAngles:
    """Saibaba's bounds, for the test matrix that was used and the true right singular vectors.

    Parameters
    ----------
    spectrum : array of shape (r,)
    rank, power_iterations : int
    V : array of shape (n, r)
        True right singular vectors, which makes this a baseline and no certificate.
    test_matrix : array of shape (n, l)

    Returns
    -------
    CanonicalAngles
        ``sin theta_i <= tau c / sqrt(1 + (tau c)^2)`` with ``tau = (sigma_{k+1} / sigma_i)^e`` and
        ``c = ||(V_2^H Omega) (V_1^H Omega)^+||_2``.

    Raises
    ------
    ValueError
        If the shapes do not match.

    References
    ----------
    Saibaba, SIAM J. Matrix Anal. Appl. 40 (2019), Theorem 1.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> from subspan.angles import saibaba_bounds
    >>> omega = np.random.default_rng(0).standard_normal((6, 4))
    >>> b = saibaba_bounds([8.0, 4.0, 1.0, 0.5, 0.25, 0.1], 2, 1, np.eye(6), omega)
    >>> bool(b.left[0] < b.left[1])
    True
    """
    sigma = as_spectrum(spectrum, rank)
    q = as_rank(power_iterations, 1000, "power_iterations")
    basis, omega = (
        np.asarray(as_array(to_host(M, name), name))
        for M, name in ((V, "V"), (test_matrix, "test_matrix"))
    )
    k = sigma.rank
    if basis.ndim != 2 or omega.ndim != 2 or basis.shape[0] != omega.shape[0]:
        raise ValueError(
            f"V has shape {basis.shape}, test_matrix {omega.shape}; expected the same number of rows"
        )
    if omega.shape[1] < k or basis.shape[1] < k:
        raise ValueError(f"V and test_matrix need {k} columns at least")
    G = basis.conj().T @ omega
    gain = np.linalg.norm(G[k:] @ np.linalg.pinv(G[:k]), 2) if len(G) > k else 0.0
    found = {}
    for name, exponent in exponents("both", q).items():
        found[name] = np.zeros(k)
        if gain > 0:
            found[name] = _sine_of_log_tangent(np.log(gain) - exponent * sigma.log_head())
    return CanonicalAngles(
        left=found["left"],
        right=found["right"],
        kind="bound",
        rigorous=True,
        method="Saibaba",
        norm="spectral",
        tail=sigma.mode,
    )


def check_sketch(sigma: Spectrum, sketch_size: Any, power_iterations: Any) -> tuple[int, int]:
    """Check l and q."""
    size = as_rank(sketch_size, 2**62, "sketch_size")
    if size <= sigma.rank:
        raise ValueError(f"sketch_size={size} must be larger than rank={sigma.rank}")
    return size, as_rank(power_iterations, 1000, "power_iterations")


def exponents(side: str, power_iterations: int) -> dict[str, int]:
    """Power of the singular values that shapes the angles of each side."""
    if side not in SIDES:
        raise ValueError(f"side={side!r} is not known; expected one of {SIDES}")
    both = {"left": 2 * power_iterations + 1, "right": 2 * power_iterations + 2}
    return both if side == "both" else {side: both[side]}


def _sine_of_log_tangent(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """``tan / sqrt(1 + tan^2)``, not below rounding, which no computed basis is."""
    sines = np.exp(-0.5 * np.logaddexp(0, -2 * logs))
    return np.asarray(np.maximum(sines, np.finfo(np.float64).eps))


def _gaussian_bound(
    sigma: Spectrum, size: int, exponent: int, failure_probability: float
) -> NDArray[np.float64]:
    """Bounds of all indices, the best over the splits j of the spectrum."""
    k, third = sigma.rank, failure_probability / 3
    logs = np.concatenate([sigma.log_head(), np.repeat(sigma.log_tail(), sigma.counts)])
    logs = exponent * logs
    splits = np.arange(1, min(size - 1, len(logs)) + 1)
    # Largest of the powers beyond each split, and the root of the sum of their squares, as logarithms.
    energy = np.logaddexp.accumulate(2 * logs[::-1])[::-1] / 2
    largest, energy = (np.append(x[1:], -np.inf)[splits - 1] for x in (logs, energy))
    i, j = np.arange(1, k + 1)[:, None], splits[None, :]
    p = size - j  # columns of the Gaussian matrix beyond its i rows
    u = np.sqrt(-2 * np.log(third))
    spectral = np.e * np.sqrt(i + p) / (p + 1) * third ** (-1 / (p + 1))
    wide = np.sqrt(i + p) - np.sqrt(i) - u
    with np.errstate(divide="ignore"):
        spectral = np.where(wide > 0, np.minimum(spectral, 1 / wide), spectral)
    fro = np.sqrt(i) * spectral
    fro = np.where(p >= 4, np.minimum(fro, np.sqrt(3 * i / (p + 1)) * third ** (-1 / p)), fro)
    log_tangent = (
        np.logaddexp(largest + np.log(fro + u * spectral), energy + np.log(spectral))
        - logs[:k, None]
    )
    log_tangent = np.where(j >= i, log_tangent, np.inf)
    log_tangent[:, p[0] < 2] = np.inf
    best = log_tangent.min(axis=1)
    # The sines ascend: what bounds a larger one bounds a smaller one.
    best = np.minimum.accumulate(best[::-1])[::-1]
    return _sine_of_log_tangent(best)


def _space_agnostic_bound(
    sigma: Spectrum, size: int, exponent: int, gamma: float
) -> NDArray[np.float64]:
    """Theorem 1: ``(1 + (1 - eps_1) / (1 + eps_2) l sigma_i^{2e} / sum_{j>k} sigma_j^{2e})^{-1/2}``."""
    eps_1, eps_2 = gamma * np.sqrt(sigma.rank / size), gamma * np.sqrt(size / sigma.tail_size)
    if eps_1 >= 1:
        return np.full(sigma.rank, np.nan)
    tail = np.logaddexp.reduce(2 * exponent * sigma.log_tail() + np.log(sigma.counts))
    factor = np.log(size * (1 - eps_1) / (1 + eps_2))
    return _sine_of_log_tangent((tail - factor) / 2 - exponent * sigma.log_head())
