"""Heads trained by gradient descent in PyTorch, which is imported only when one is fitted."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._array import as_rank, as_tolerance
from .losses import LOSSES

Array = NDArray[np.float64]
SQUARE = "square"


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedHead:
    """Layers ``x @ weight + bias`` with ReLU between them, on centered and scaled features."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    center: Array
    scale: Array

    def __call__(self, X: Any) -> Array:
        """Outputs of rows, shape (n, k)."""
        x = (np.asarray(X, np.float64) - self.center) / self.scale
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.maximum(x @ weight + bias, 0)
        return np.asarray(x @ self.weights[-1] + self.biases[-1])


@dataclasses.dataclass(frozen=True)
class TorchHead:
    """A linear head or one with a hidden layer, trained by Adam in mini-batches.

    Given as ``head=`` to :class:`W2SExperiment`, :class:`WeakToStrongRegressor` and
    :class:`WeakToStrongClassifier` it takes the place of the closed form and of L-BFGS. PyTorch, an optional
    dependency, is imported when a head is fitted; a fitted one does without.

    Parameters
    ----------
    hidden : int
        Width of the hidden layer, of ReLU units; 0 for a linear head.
    epochs : int
    batch : int
        Rows of a mini-batch.
    learning_rate : float
        Of Adam; falls to zero along a cosine.
    warmup : float
        Part of training after which the student's own predictions have their full weight, in "logconf" and
        "product".
    seed : int
        Of initial weights and mini-batches.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s import TorchHead, W2SExperiment
    >>> x = np.random.default_rng(0).standard_normal((600, 30))
    >>> y = (x[:, 10] > 0).astype(int)
    >>> experiment = W2SExperiment("classification", head=TorchHead(hidden=8, epochs=20))
    >>> found = experiment.run(x[:, :15], x[:, 10:], y, n=[80], N=[300], seeds=range(2))  # doctest: +SKIP
    >>> experiment.head.hidden
    8
    """

    hidden: int = 0
    epochs: int = 60
    batch: int = 64
    learning_rate: float = 0.02
    warmup: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        as_rank(self.hidden, 2**20, "hidden")
        for name in ("epochs", "batch"):
            if as_rank(getattr(self, name), 2**31, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if not as_tolerance(self.learning_rate, "learning_rate") > 0:
            raise ValueError(f"learning_rate={self.learning_rate} must be positive")
        as_tolerance(self.warmup, "warmup")

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        loss: str = "xent",
        ridge: float = 0.0,
        q: float = 0.7,
        weight: float = 0.5,
        intercept: bool = True,
        seed: int = 0,
    ) -> TrainedHead:
        """Train on rows and targets.

        Parameters
        ----------
        X : array, shape (n, D)
        y : array, shape (n,) or (n, k)
            Numbers for "square", else probabilities of the classes.
        loss : {"square", "xent", "kl", "logconf", "product", "gce"}
            All but the first are those of :func:`subspan.torch.weak_to_strong_loss`.
        ridge : float
            Penalty of the weights, not of biases, on scaled features: ``ridge ||W||^2/n`` beside the mean
            square, ``ridge/2 ||W||^2`` beside the other losses, as for the heads in closed form.
        q, weight : float
            Of "gce", and of "logconf" and "product".
        intercept : bool
            Without it features are scaled but not centered, and the output has no bias.
        seed : int
            Beside that of the head.

        Returns
        -------
        TrainedHead

        Raises
        ------
        ImportError
            If PyTorch is not installed.
        ValueError
            If `loss` is unknown, or X and y do not agree or are not finite.

        Notes
        -----
        ``6 n epochs`` times the number of weights, in double precision.
        """
        if loss not in (SQUARE, *LOSSES):
            raise ValueError(f"loss={loss!r} must be one of {(SQUARE, *LOSSES)}")
        x, target = np.asarray(X, np.float64), np.asarray(y, np.float64)
        target = target.reshape(len(target), -1)
        if x.ndim != 2 or len(x) != len(target) or not len(x):
            raise ValueError(
                f"X and y have shapes {x.shape} and {np.shape(y)}; expected (n, D) and (n, k)"
            )
        if not (np.isfinite(x).all() and np.isfinite(target).all()):
            raise ValueError("X and y must be finite")
        center = x.mean(axis=0) if intercept else np.zeros(x.shape[1])
        scale = np.sqrt(np.mean((x - center) ** 2, axis=0))
        scale[scale <= len(x) * np.finfo(np.float64).eps * scale.max(initial=0.0)] = 1.0
        rng = np.random.default_rng([self.seed % 2**64, seed % 2**64])
        layers = _initial((x.shape[1], *(self.hidden,) * (self.hidden > 0), target.shape[1]), rng)
        options = {"loss": loss, "q": q, "weight": weight, "warmup": self.warmup}
        penalty = ridge / len(x) if loss == SQUARE else ridge / 2
        weights, biases = self._train(
            (x - center) / scale, target, layers, options, penalty, intercept, rng
        )
        return TrainedHead(weights, biases, center, scale)

    def _train(
        self,
        x: Array,
        target: Array,
        layers: list[tuple[Array, Array]],
        options: dict[str, Any],
        penalty: float,
        intercept: bool,
        rng: np.random.Generator,
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        try:
            import torch
        except ImportError:
            raise ImportError("TorchHead needs PyTorch: pip install 'subspan[torch]'") from None
        from ..torch import weak_to_strong_loss

        X, Y = torch.from_numpy(x), torch.from_numpy(target)
        weights, biases = (
            [torch.from_numpy(part).requires_grad_() for part in parts]
            for parts in zip(*layers, strict=True)
        )
        trained = weights + (biases if intercept else biases[:-1])
        optimizer = torch.optim.Adam(trained, lr=self.learning_rate)
        steps = self.epochs * -(-len(x) // self.batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        done = 0
        for _ in range(self.epochs):
            order = torch.from_numpy(rng.permutation(len(x)))
            for rows in order.split(self.batch):
                out = X[rows]
                for W, b in zip(weights[:-1], biases[:-1], strict=True):
                    out = torch.relu(out @ W + b)
                out = out @ weights[-1] + biases[-1]
                if options["loss"] == SQUARE:
                    value = ((out - Y[rows]) ** 2).sum(dim=1).mean()
                else:
                    value = weak_to_strong_loss(out, Y[rows], progress=done / steps, **options)
                value = value + penalty * sum((W**2).sum() for W in weights)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                schedule.step()
                done += 1
        found = [tuple(part.detach().numpy() for part in parts) for parts in (weights, biases)]
        return found[0], found[1]


def _initial(widths: tuple[int, ...], rng: np.random.Generator) -> list[tuple[Array, Array]]:
    """Weights that keep the size of activations, from zero where the problem is convex anyway."""
    linear = len(widths) == 2
    return [
        (rng.standard_normal((a, b)) * (0.0 if linear else np.sqrt(2 / a)), np.zeros(b))
        for a, b in itertools.pairwise(widths)
    ]
