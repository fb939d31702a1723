"""What is finetuned on chosen texts: a linear head, or all weights of a small network. Needs torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from subspan.torch import GradientSketcher

Features = NDArray[np.float32]
Classes = NDArray[np.int64]


def linear(width: int, classes: int, seed: int) -> torch.nn.Module:
    """A linear head, zero at first."""
    head = torch.nn.Linear(width, classes)
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    return head


def network(width: int, classes: int, seed: int, hidden: int = 64) -> torch.nn.Module:
    """One hidden layer, at random; the linear head that follows is random as well."""
    model = torch.nn.Sequential(
        torch.nn.Linear(width, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, classes)
    )
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        scale = parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.0
        with torch.no_grad():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return model


MODELS: dict[str, Callable[..., torch.nn.Module]] = {
    "linear head": linear,
    "network of one hidden layer": network,
}
DECAY = {"linear head": 3e-4, "network of one hidden layer": 1e-3}  # of half the squared weights


def sketched_gradients(
    model: torch.nn.Module, X: Features, classes: int, size: int, seed: int
) -> Features:
    """Gradients of the loss at the first weights, for labels at random, since none is known yet."""
    labels = np.random.default_rng([seed, 1]).integers(classes, size=len(X))
    sketcher = GradientSketcher(
        model, torch.nn.functional.cross_entropy, size, rng=seed, micro_batch=256
    )
    batch = (torch.from_numpy(X), torch.from_numpy(labels))
    return sketcher.fit_transform([batch]).sketches


def finetune(
    model: torch.nn.Module, X: Features, y: Classes, decay: float, steps: int = 60
) -> None:
    """Minimise mean cross entropy and ``decay / 2`` times the squared weights by L-BFGS."""
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y)
    weights = [p for p in model.parameters() if p.ndim > 1]
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=steps, history_size=20, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        loss = loss + decay / 2 * sum((p**2).sum() for p in weights)
        loss.backward()
        return loss

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small products, and sums that do not depend on the machine
    optimizer.step(closure)
    torch.set_num_threads(threads)


def errors(model: torch.nn.Module, X: Features, y: Classes, classes: int) -> tuple[float, float]:
    """Wrong answers in per cent: of all texts, and the mean of the classes' own."""
    with torch.inference_mode():
        wrong = model(torch.from_numpy(X)).argmax(dim=1).numpy() != y
    by_class = [wrong[y == c].mean() for c in range(classes) if (y == c).any()]
    return 100 * float(wrong.mean()), 100 * float(np.mean(by_class))
