"""Samples of a loader in groups of fixed size, wherever its batches end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch


def mapped(f: Callable[[torch.Tensor], Any], x: Any) -> Any:
    """Apply a function to a tensor, or to every tensor of a tuple or dict of them."""
    if isinstance(x, torch.Tensor):
        return f(x)
    if isinstance(x, (tuple, list)):
        return tuple(mapped(f, part) for part in x)
    if hasattr(x, "items"):
        return {name: mapped(f, part) for name, part in x.items()}
    raise TypeError(
        f"a batch holds {type(x).__name__}; expected tensors, or tuples or dicts of them"
    )


def length(x: Any) -> int:
    """Number of samples in a batch of tensors; all must have the same."""
    lengths: list[int] = []
    mapped(lambda t: lengths.append(len(t)), x)
    if not lengths or any(n != lengths[0] for n in lengths):
        raise ValueError(f"a batch holds tensors of lengths {lengths}; expected one and the same")
    return lengths[0]


def joined(parts: list[Any]) -> Any:
    """Concatenate batches of the same form."""
    first = parts[0]
    if len(parts) == 1 or first is None:
        return first
    if isinstance(first, torch.Tensor):
        return torch.cat(parts)
    if isinstance(first, tuple):
        return tuple(joined(list(part)) for part in zip(*parts, strict=True))
    return {name: joined([part[name] for part in parts]) for name in first}


def called(f: Callable[..., Any], x: Any) -> Any:
    """Call a model with one input, a tuple of them or a dict of keywords."""
    if isinstance(x, dict):
        return f(**x)
    return f(*x) if isinstance(x, tuple) else f(x)


@dataclasses.dataclass(frozen=True)
class Group:
    """Samples `first`, `first` + 1, ... of the loader, at most a micro-batch of them."""

    first: int
    inputs: Any
    targets: Any
    count: int

    def padded(self, size: int) -> Group:
        """Repeat the first sample up to `size`, so that the last group is computed like the others."""
        if self.count == size:
            return self
        where = torch.tensor([*range(self.count), *[0] * (size - self.count)])
        return self.at(where)

    def at(self, where: torch.Tensor) -> Group:
        """Some of the samples."""

        def taken(x: Any) -> Any:
            return None if x is None else mapped(lambda t: t[where.to(t.device)], x)

        return Group(self.first, taken(self.inputs), taken(self.targets), len(where))


def groups(loader: Iterable[Any], size: int, skip: int) -> Iterator[Group]:
    """Groups of `size` samples, the last one smaller, the first `skip` samples passed over."""
    held: list[tuple[Any, Any, int]] = []
    position = waiting = 0
    for batch in loader:
        inputs, targets = _parts(batch)
        count = length(inputs)
        if targets is not None and length(targets) != count:
            raise ValueError(f"a batch has {count} inputs and {length(targets)} targets")
        passed = min(max(skip - position, 0), count)
        position += count
        if passed < count:
            held.append(_between((inputs, targets, count), passed, count))
            waiting += count - passed
        while waiting >= size:
            whole = _whole(held)
            yield Group(position - waiting, *_between(whole, 0, size))
            held = [_between(whole, size, waiting)]
            waiting -= size
    if waiting:
        yield Group(position - waiting, *_whole(held))


def _parts(batch: Any) -> tuple[Any, Any]:
    """Inputs and targets; a batch that is one tensor or dict has inputs alone."""
    if isinstance(batch, (tuple, list)):
        inputs, targets = batch[0], (batch[1] if len(batch) > 1 else None)
    else:
        inputs, targets = batch, None
    return mapped(lambda t: t, inputs), targets


def _whole(held: list[tuple[Any, Any, int]]) -> tuple[Any, Any, int]:
    inputs, targets, counts = zip(*held, strict=True)
    return joined(list(inputs)), joined(list(targets)), sum(counts)


def _between(part: tuple[Any, Any, int], start: int, stop: int) -> tuple[Any, Any, int]:
    inputs, targets, _ = part
    cut = (x if x is None else mapped(lambda t: t[start:stop], x) for x in (inputs, targets))
    return next(cut), next(cut), stop - start
