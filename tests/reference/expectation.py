"""Exact expectations and probabilities by enumeration, for n up to about 8."""

from itertools import combinations

import numpy as np

from .coefficients import optimal_coefficients
from .subspace import arp_coefficients


def exhaustive_expectation(weight, value, n, k):
    """``sum_S weight(S) value(S) / sum_S weight(S)`` over all S of k out of n indices."""
    subsets = [list(S) for S in combinations(range(n), k)]
    weights = np.array([weight(S) for S in subsets])
    values = np.array([value(S) if w > 0 else 0.0 for S, w in zip(subsets, weights, strict=True)])
    return np.sum(weights * values) / np.sum(weights)


def volume_sampling_expectation(A, k):
    """Mean squared error of the optimal ID when ``P(S)`` is proportional to ``det(A_S^H A_S)``."""

    def volume(S):
        return np.linalg.det(A[:, S].conj().T @ A[:, S]).real

    def squared_error(S):
        return np.linalg.norm(A - A[:, S] @ optimal_coefficients(A, S)) ** 2

    return exhaustive_expectation(volume, squared_error, A.shape[1], k)


def arp_expectation(A, Q):
    """Mean squared error of ARP with the basis Q (n, k) and its own coefficients."""

    def probability(S):
        return np.abs(np.linalg.det(Q[S])) ** 2

    def squared_error(S):
        return np.linalg.norm(A - A[:, S] @ arp_coefficients(Q, S)) ** 2

    return exhaustive_expectation(probability, squared_error, *Q.shape)


def elementary_symmetric(values, k):
    """The k-th elementary symmetric polynomial."""
    e = np.array([1.0])
    for x in values:
        e = np.append(e, 0.0) + x * np.append(0.0, e)
    return e[k]


def successive_pair_probabilities(weights):
    """P(i first, then j) when drawing without replacement by weight; shape (n, n)."""
    w = np.asarray(weights) / np.sum(weights)
    pairs = w[:, np.newaxis] * w / (1 - w[:, np.newaxis])
    np.fill_diagonal(pairs, 0)
    return pairs


def sequential_pair_probabilities(A):
    """P(i first, then j) under sequential random pivoting of A; shape (n, n)."""
    n = A.shape[1]
    d = np.linalg.norm(A, axis=0) ** 2
    pairs = np.zeros((n, n))
    for i in np.flatnonzero(d):
        q = A[:, [i]] / np.sqrt(d[i])
        e = np.linalg.norm(A - q @ (q.conj().T @ A), axis=0) ** 2
        e[i] = 0
        pairs[i] = d[i] / np.sum(d) * e / np.sum(e)
    return pairs
