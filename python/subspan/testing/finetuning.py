"""Data for judging the selection of training samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FinetuningMixture:
    """Features in clusters, a label per row that is constant in its cluster, and the clusters."""

    X: Array
    y: Array
    clusters: npt.NDArray[np.int64]

    @cached_property
    def gram(self) -> Array:
        """Inner products of all rows."""
        return np.asarray(self.X @ self.X.T)

    def ridge_risk(self, indices: npt.NDArray[np.int64], ridge: float) -> float:
        """Mean squared error over all rows of ridge regression on a subset, solved exactly.

        The objective is the sum of squares and ``ridge ||theta||^2``.
        """
        S = np.asarray(indices)
        return float(np.mean((self.gram[:, S] @ self._dual(S, ridge) - self.y) ** 2))

    def validated_risk(self, indices: npt.NDArray[np.int64]) -> float:
        """The same with the ridge chosen on the subset alone, by 2-fold cross-validation."""
        S = np.random.default_rng(0).permutation(np.asarray(indices))
        half = len(S) // 2
        folds = (S[:half], S[half : 2 * half]), (S[half : 2 * half], S[:half])
        errors = []
        ridges = np.logspace(-2, 2, 9)
        for ridge in ridges:
            total = 0.0
            for fit, held in folds:
                found = self.gram[np.ix_(held, fit)] @ self._dual(fit, ridge)
                total += float(np.mean((found - self.y[held]) ** 2))
            errors.append(total)
        return self.ridge_risk(S, float(ridges[int(np.argmin(errors))]))

    def _dual(self, S: npt.NDArray[np.int64], ridge: float) -> Array:
        regular = self.gram[np.ix_(S, S)] + ridge * np.eye(len(S))
        return np.asarray(np.linalg.solve(regular, self.y[S]))


def finetuning_mixture(
    N: int = 2000, r: int = 2400, *, clusters: int = 8, spread: float = 0.04, seed: int = 0
) -> FinetuningMixture:
    """Gaussian mixture of the experiments on sketchy moment matching.

    Cluster j is centred at ``norm_j e_j`` with a standard deviation below `spread`; sizes and norms
    differ by much, so that uniform subsets miss small clusters and large norms swamp small ones.

    Parameters
    ----------
    N, r : int
        Rows and features.
    clusters : int
    spread : float
    seed : int

    Returns
    -------
    FinetuningMixture

    References
    ----------
    Dong, Phan, Pan, Lei, arXiv 2407.06120, synthetic experiments.

    Examples
    --------
    >>> from subspan.testing import finetuning_mixture
    >>> import numpy as np
    >>> np.bincount(finetuning_mixture(2000, 8).clusters).tolist()
    [82, 69, 389, 76, 406, 251, 427, 300]
    """
    rng = np.random.default_rng(seed)
    breaks = np.sort(rng.integers(1, N - 1, clusters - 1))
    sizes = np.diff(np.concatenate([[0], breaks, [N]]))
    norms = clusters * rng.integers(1, clusters + 1, clusters)
    deviations = spread * rng.random(clusters)
    labels = norms * rng.normal(size=clusters)
    cluster = np.repeat(np.arange(clusters), sizes)
    X = rng.normal(size=(N, r)) * deviations[cluster, None]
    X[np.arange(N), cluster] += norms[cluster]
    return FinetuningMixture(X, labels[cluster], cluster)
