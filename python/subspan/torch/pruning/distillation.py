"""How far the outputs of a model are from those of the dense one, and its derivatives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from .calibration import Batch


def outputs_of(model: Any, batch: Batch) -> torch.Tensor:
    """Logits, or last states of a model without a head, of the tokens that count: (tokens, width)."""
    device = next(model.parameters()).device
    inputs = {name: torch.as_tensor(value).to(device) for name, value in batch.inputs.items()}
    if getattr(model.config, "use_cache", None):
        inputs["use_cache"] = False
    found = model(**inputs)
    out: torch.Tensor = found.logits if hasattr(found, "logits") else found.last_hidden_state
    flat = out.reshape(-1, out.shape[-1]).float()
    if batch.used is not None and batch.used.size == len(flat):
        flat = flat[torch.as_tensor(batch.used.ravel(), device=flat.device)]
    return flat


def divergence(new: torch.Tensor, dense: torch.Tensor, has_head: bool) -> torch.Tensor:
    """Sum over tokens of the divergence KL(dense | new); of states, of half the squared distance."""
    if not has_head:
        return ((new - dense) ** 2).sum() / 2
    log_new, log_dense = (torch.log_softmax(x, -1) for x in (new, dense))
    return torch.nn.functional.kl_div(log_new, log_dense, reduction="sum", log_target=True)


def probe(new: torch.Tensor, has_head: bool, generator: torch.Generator) -> torch.Tensor:
    """A scalar whose gradient g has ``E[g g^T]`` equal to the Gauss-Newton matrix of the divergence.

    Logits: the likelihood of a label drawn from the model itself; states: signs.
    """
    if not has_head:
        signs = torch.randint(0, 2, new.shape, generator=generator).to(new) * 2 - 1
        return (signs * new).sum()
    log_new = torch.log_softmax(new, -1)
    labels = torch.multinomial(log_new.detach().exp().cpu(), 1, generator=generator)
    return -log_new.gather(1, labels.to(new.device)).sum()


@contextlib.contextmanager
def only_gradients_of(model: torch.nn.Module, layers: dict[str, Any]) -> Iterator[None]:
    """Let the weights of these layers, and nothing else, gather gradients; all is then as before."""
    before = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    try:
        for p, _, _ in before:
            p.requires_grad_(False)
            p.grad = None
        for layer in layers.values():
            layer.weight.requires_grad_(True)
        yield
    finally:
        for p, required, grad in before:
            p.requires_grad_(required)
            p.grad = grad


@contextlib.contextmanager
def hearing_gradients(
    layers: dict[str, Any], function: Callable[[str, torch.Tensor], None]
) -> Iterator[None]:
    """Call the function with a layer's name and the gradient of its output, (tokens, outputs)."""

    def heard(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, outputs: tuple[torch.Tensor, ...]) -> None:
            function(name, outputs[0].reshape(-1, outputs[0].shape[-1]))

        return hook

    handles = [layer.register_full_backward_hook(heard(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
