"""Noise and bias from a few labelled rows, the features being known from many."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from .bias import Bias

Array = NDArray[np.float64]
GROUPS = (
    20  # of the jackknife; at most a twentieth of the rows is missing, few enough for least squares
)


@dataclasses.dataclass(frozen=True)
class Explained:
    """What the labels say of noise and bias.

    Attributes
    ----------
    noise_var : float
        Variance of the labels around the best function of both feature sets together. What neither
        expresses counts as noise: least squares cannot tell.
    bias : Bias
        Relative to that function.
    labels : int
        Number of labelled rows.
    method : {"least_squares", "pairs"}
    square : float
        ``E[f*^2]`` of that function.
    target : array, shape (d_s + d_w, k)
        ``E[x f*]``, scaled so that its two parts have the squares that `square` and `bias` leave them.
    covariance : array, shape (5, 5)
        Of the estimates of the noise and of the squares weak, strong, student and leak, by the jackknife over
        groups of labelled rows.
    """

    noise_var: float
    bias: Bias
    labels: int
    method: str
    square: float
    target: Array
    covariance: Array


def explain(x: Array, y: Array, J: Array, d_s: int) -> Explained:
    """Estimate noise and bias, see :func:`unbiased`, and put negative estimates at zero."""
    noise, squares, method = unbiased(x, y, J, d_s)
    square, weak, strong, student, leak = (max(part, 0.0) for part in squares)
    bias = Bias(weak, strong, student, leak)
    target = _target(x, y, J, method)
    parts = target[:d_s], target[d_s:]
    scaled = [
        part * np.sqrt(max(square - lost, 0.0) / max(float(np.sum(part**2)), np.finfo(float).tiny))
        for part, lost in zip(parts, (strong, weak), strict=True)
    ]
    covariance = _jackknife(x, y, J, d_s, method)
    joined = np.concatenate(scaled)
    return Explained(max(noise, 0.0), bias, len(x), method, square, joined, covariance)


def _jackknife(x: Array, y: Array, J: Array, d_s: int, method: str) -> Array:
    """Covariance of the estimates, from leaving out one group of rows at a time."""
    left = []
    for group in range(GROUPS):
        rows = np.arange(len(x)) % GROUPS != group
        noise, squares, _ = unbiased(x[rows], y[rows], J, d_s, method)
        left.append([noise, *squares[1:]])
    return np.asarray((GROUPS - 1) ** 2 / GROUPS * np.cov(np.array(left).T))


def _target(x: Array, y: Array, J: Array, method: str) -> Array:
    """``E[x f*]``, by least squares or by the mean of ``x y``."""
    if method == "pairs":
        return np.asarray(x.T @ y / len(x))
    return np.asarray(J @ np.linalg.lstsq(x, y, rcond=1e-8)[0])


def unbiased(
    x: Array, y: Array, J: Array, d_s: int, method: str | None = None
) -> tuple[float, list[float], str]:
    """Unbiased estimates of the noise, of ``E[f*^2]`` and the four squares of the bias; the method.

    Parameters
    ----------
    x : array, shape (n, d_s + d_w)
        Whitened features of the labelled rows, strong first.
    y : array, shape (n, k)
        Labels; noise and bias are sums over the k columns.
    J : array, shape (d_s + d_w, d_s + d_w)
        Second moment of the whitened features, from all rows.
    d_s : int
    method : {"least_squares", "pairs"}, optional
        By default least squares where there are clearly more rows than coordinates.

    Returns
    -------
    (noise, [square, weak, strong, student, leak], method)

    Notes
    -----
    In white coordinates z of both together, ``f* = a^T z`` and every bias is ``a^T R a`` with R a product of
    the projections on the two spans. With clearly more labels than coordinates a is the least squares
    solution, and ``s^2 tr(R (Z^T Z)^{-1})`` is subtracted from ``a^T R a``. With fewer, ``a^T R a`` is
    the mean of ``y_i y_k z_i^T R z_k`` over pairs of different rows, unbiased for any n.
    """
    values, vectors = np.linalg.eigh(J)
    used = values > 1e-8 * values[-1]
    T = vectors[:, used] / np.sqrt(values[used])
    z, K = x @ T, J @ T  # K_s = E[s z^T], its rows orthonormal: P_s = K_s^T K_s
    strong, weak = K[:d_s].T @ K[:d_s], K[d_s:].T @ K[d_s:]
    eye = np.eye(z.shape[1])
    forms = [eye, eye - weak, eye - strong]
    forms.append((eye - strong @ weak).T @ (eye - strong @ weak))
    forms.append(weak @ (eye - strong) @ weak)
    n, p = z.shape
    if method is None:
        method = "least_squares" if n >= 1.2 * p + 10 else "pairs"
    estimate = _by_least_squares if method == "least_squares" else _by_pairs
    squares, noise = estimate(z, y, forms)
    return noise, squares, method


def _by_least_squares(z: Array, y: Array, forms: list[Array]) -> tuple[list[float], float]:
    n, p = z.shape
    inverse = np.linalg.inv(z.T @ z)
    a = inverse @ (z.T @ y)
    noise = float(np.sum((y - z @ a) ** 2)) / (n - p)
    return [float(np.sum(a * (R @ a)) - noise * np.sum(R * inverse)) for R in forms], noise


def _by_pairs(z: Array, y: Array, forms: list[Array]) -> tuple[list[float], float]:
    n = len(z)
    sums = z.T @ y
    size = np.sum(y**2, axis=1)

    def mean_over_pairs(R: Array) -> float:
        own = size @ np.einsum("ij,ij->i", z @ R, z)
        return float((np.sum(sums * (R @ sums)) - own) / (n * (n - 1)))

    squares = [mean_over_pairs(R) for R in forms]
    return squares, float(size.mean()) - squares[0]
