"""Gradients of every sample's loss, one parameter at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.func import functional_call, grad, vjp, vmap

from .samples import called, mapped

Loss = Callable[[Any, Any], Any]
Parts = Iterator[tuple[str, torch.Tensor]]


class NotByModules(ValueError):
    """The gradients cannot be had module by module; says why."""


def by_function(model: torch.nn.Module, names: list[str], loss_fn: Loss, x: Any, y: Any) -> Parts:
    """By ``torch.func``: any model, all gradients held at once."""
    named = dict(model.named_parameters())
    followed = {name: named[name].detach() for name in names}
    fixed = {name: p.detach() for name, p in named.items() if name not in followed}
    fixed.update(model.named_buffers())

    def loss(parameters: dict[str, torch.Tensor], inputs: Any, target: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            return functional_call(model, {**fixed, **parameters}, args, kwargs)

        return loss_fn(called(run, _alone(inputs)), target[None])

    per_sample = vmap(grad(loss), in_dims=(None, 0, 0), randomness="error")
    found = per_sample(followed, x, y)
    while names:  # freed as they are used
        name, *names = names
        yield name, found.pop(name)


@dataclasses.dataclass
class _Call:
    inputs: torch.Tensor
    output: torch.Tensor


def by_modules(
    model: torch.nn.Module,
    names: list[str],
    loss_fn: Loss,
    x: Any,
    y: Any,
    *,
    entries: int | None = None,
) -> Parts:
    """From inputs and output gradients of the modules, by one backward pass: one gradient held at a time.

    In closed form for linear layers, ``g = sum_t b_t a_t^T``, and then, given `entries`, as many rows of
    the weight at a time as have so many entries in all samples; otherwise by the vector-Jacobian product
    of the module alone.
    """
    calls = _recorded(model, names, loss_fn, x, y)
    with _one_thread():
        for name in names:
            owner, _, local = name.rpartition(".")
            module = model.get_submodule(owner)
            for rows in _pieces(module, local, len(y), entries):
                parts = (_of_call(module, local, call.inputs, b, rows) for call, b in calls[owner])
                yield name, functools.reduce(operator.add, parts)


def factors(
    model: torch.nn.Module, owners: list[str], loss_fn: Loss, x: Any, y: Any
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The a (B, T, in) and b (B, T, out) of the gradients ``sum_t b_t a_t^T`` of linear layers."""
    names = [f"{owner}.weight" if owner else "weight" for owner in owners]
    found = {}
    for owner, calls in _recorded(model, names, loss_fn, x, y).items():
        pairs = [(_steps(call.inputs), _steps(b)) for call, b in calls]
        found[owner] = torch.cat([a for a, _ in pairs], 1), torch.cat([b for _, b in pairs], 1)
    return found


def finite_samples(model: torch.nn.Module, loss_fn: Loss, x: Any, y: Any, most: int) -> list[int]:
    """The first samples, at most so many, whose loss is finite."""
    found: list[int] = []
    with torch.no_grad():
        for i in range(len(y)):
            if bool(torch.isfinite(_loss_of(model, loss_fn, x, y, i)).all()):
                found.append(i)
            if len(found) == most:
                break
    return found


def difference(model: torch.nn.Module, names: list[str], loss_fn: Loss, x: Any, y: Any) -> float:
    """How far the sums of the gradients by modules are from those of the samples alone, relatively.

    Not small where a parameter is used outside its module's call or samples meet in the model.
    """
    summed = {name: rows.double().sum(0) for name, rows in by_modules(model, names, loss_fn, x, y)}
    whole = sum_of_gradients(model, names, loss_fn, x, y)
    error = sum(
        float((g.double() - summed[n]).square().sum()) for n, g in zip(names, whole, strict=True)
    )
    size = sum(float(g.double().square().sum()) for g in whole)
    return float((error / size) ** 0.5) if size > 0 else float(error > 0)


def sum_of_gradients(
    model: torch.nn.Module, names: list[str], loss_fn: Loss, x: Any, y: Any
) -> tuple[torch.Tensor, ...]:
    """Gradients of the sum of the losses, the model being called with one sample at a time."""
    named = dict(model.named_parameters())
    wanted = [named[name] for name in names]
    with torch.enable_grad():
        losses = [_loss_of(model, loss_fn, x, y, i) for i in range(len(y))]
        total = torch.stack([loss.reshape(()) for loss in losses]).sum()
    if total.requires_grad:
        found = torch.autograd.grad(total, wanted, allow_unused=True)
        if any(g is not None for g in found):
            pairs = zip(found, wanted, strict=True)
            return tuple(torch.zeros_like(p) if g is None else g for g, p in pairs)
    raise ValueError(
        f"the loss does not depend on the parameters: no gradient reaches {', '.join(names)}"
    )


def _loss_of(model: torch.nn.Module, loss_fn: Loss, x: Any, y: Any, i: int) -> Any:
    one_x, one_y = (mapped(lambda t: t[i : i + 1], part) for part in (x, y))
    return loss_fn(called(model, one_x), one_y)


def _alone(x: Any) -> Any:
    return mapped(lambda t: t[None], x)


def _losses(outputs: Any, y: Any, loss_fn: Loss) -> torch.Tensor:
    def alone(output: Any, target: Any) -> Any:
        return loss_fn(_alone(output), _alone(target))

    found: torch.Tensor = vmap(alone, randomness="error")(outputs, y)
    return found


def _recorded(
    model: torch.nn.Module, names: list[str], loss_fn: Loss, x: Any, y: Any
) -> dict[str, list[tuple[_Call, torch.Tensor]]]:
    """Every call of the modules that own the parameters, with the gradient of the losses in its output."""
    owners = {name.rpartition(".")[0] for name in names}
    calls: dict[str, list[_Call]] = {owner: [] for owner in owners}

    def hook(owner: str) -> Callable[..., Any]:
        def record(module: Any, args: Any, output: Any) -> Any:
            if len(args) != 1 or not all(isinstance(t, torch.Tensor) for t in (*args, output)):
                raise NotByModules(f"module {owner!r} does not map one tensor to one tensor")
            calls[owner].append(_Call(args[0].detach(), output))
            return output.clone()  # what changes it in place leaves the recorded one alone

        return record

    handles = [model.get_submodule(o).register_forward_hook(hook(o)) for o in sorted(owners)]
    try:
        with torch.enable_grad():
            outputs = called(model, x)
    finally:
        for handle in handles:
            handle.remove()
    for owner, found in calls.items():
        if not found:
            raise NotByModules(f"module {owner!r} is not called: its parameters are used elsewhere")
    flat = [(owner, call) for owner, found in calls.items() for call in found]
    with torch.enable_grad():
        total = _losses(outputs, y, loss_fn).sum()
    slopes = torch.autograd.grad(total, [call.output for _, call in flat], materialize_grads=True)
    paired: dict[str, list[tuple[_Call, torch.Tensor]]] = {owner: [] for owner in owners}
    samples = len(y)
    for (owner, call), slope in zip(flat, slopes, strict=True):
        if not (len(call.inputs) == len(slope) == samples):
            raise NotByModules(f"module {owner!r} is not called with the batch in front")
        paired[owner].append((call, slope))
    return paired


def _steps(t: torch.Tensor) -> torch.Tensor:
    """(B, ..., d) as (B, T, d)."""
    return t.reshape(len(t), -1, t.shape[-1])


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch without its workers, which would spin on the cores that the sketch needs between the parts."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _pieces(module: torch.nn.Module, local: str, samples: int, entries: int | None) -> list[slice]:
    """Rows of a parameter whose gradients are made together."""
    if entries is None or type(module) is not torch.nn.Linear or local != "weight":
        return [slice(None)]
    step = max(1, entries // (samples * module.in_features))
    return [slice(i, i + step) for i in range(0, module.out_features, step)]


def _of_call(
    module: torch.nn.Module, local: str, x: torch.Tensor, b: torch.Tensor, rows: slice
) -> torch.Tensor:
    if type(module) is torch.nn.Linear:
        a, b = _steps(x), _steps(b)[..., rows]
        if local == "bias":
            return b.sum(1)
        return b[:, 0, :, None] * a[:, 0, None] if a.shape[1] == 1 else b.mT @ a
    own = {name: p.detach() for name, p in module.named_parameters()}
    own.update(module.named_buffers())

    def pulled(sample: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
        def run(p: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = functional_call(module, {**own, local: p}, (sample[None],))
            return found

        _, pull = vjp(run, own[local])
        found: torch.Tensor = pull(slope[None])[0]
        return found

    every: torch.Tensor = vmap(pulled)(x, b)
    return every
