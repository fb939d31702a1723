"""Sketches of per-sample gradients: one operator for all samples, nothing ever concatenated."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import functional_call, grad, vmap

from .. import sketch as _sketch
from .._array import as_rank
from .._rng import seed_word

_KINDS: dict[str, Any] = {
    "gaussian": _sketch.Gaussian,
    "rademacher": _sketch.Rademacher,
    "sparse_sign": _sketch.SparseSign,
    "countsketch": _sketch.CountSketch,
}
_ON_BAD = ("raise", "drop", "zero")


@dataclasses.dataclass(frozen=True)
class GradientSketches:
    """Sketched gradients, one row per sample; converts to the array of them.

    Attributes
    ----------
    sketches : array of float32, shape (N, size)
        In memory, or memory-mapped from the file that was asked for.
    squared_norms : array of float64, shape (N,)
        Of the gradients themselves; their mean is the trace of the second moment.
    ids : array of int64, shape (N,)
        Position of each sample in the loader's order, dropped ones left out.
    bad : int
        Samples whose gradient was not finite.
    """

    sketches: NDArray[np.float32]
    squared_norms: NDArray[np.float64]
    ids: NDArray[np.int64]
    bad: int

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return np.array(self.sketches, dtype) if copy else np.asarray(self.sketches, dtype)


class GradientSketcher:
    """Sketch the gradient of every sample's loss: ``G Gamma`` of G with a row per sample.

    Parameters
    ----------
    model : torch.nn.Module
        Used as it is: call ``model.eval()`` first for layers that behave differently in training.
    loss_fn : callable
        ``loss_fn(outputs, targets)`` of a batch of one sample, a scalar.
    size : int
        Columns m of the sketch.
    params : str, list of str, callable or None
        Which parameters: a regular expression that is searched in their names, the names, or a function
        of name and parameter. None: all that require a gradient.
    sketch : {"auto", "sparse_sign", "countsketch", "gaussian", "rademacher"}
        "auto": sparse signs, 8 per parameter.
    rng : int, numpy.random.Generator, SeedSequence or None
    micro_batch : int
        Samples whose gradients are held at a time. Loader batches are divided and joined to this size,
        so that the result does not depend on theirs.

    Raises
    ------
    ValueError
        If no parameter is selected or an argument is out of range.

    Notes
    -----
    An entry of the operator depends on the seed, the parameter's coordinate and the sketch column only:
    batches, workers, restarts and devices share one operator. Memory beside the result: ``micro_batch``
    gradients. Gradients come from ``torch.func``; the sketch is made on the CPU in float32.

    References
    ----------
    Dong, Phan, Pan, Lei, arXiv 2407.06120, Section 4.1.

    Examples
    --------
    >>> import torch
    >>> from subspan.torch import GradientSketcher
    >>> model = torch.nn.Linear(5, 3)
    >>> X, y = torch.randn(20, 5), torch.randint(3, (20,))
    >>> sketcher = GradientSketcher(model, torch.nn.functional.cross_entropy, 8, rng=0)
    >>> sketcher.fit_transform([(X, y)]).sketches.shape
    (20, 8)
    """

    def __init__(
        self,
        model: torch.nn.Module,
        loss_fn: Callable[[Any, Any], Any],
        size: int,
        *,
        params: str | list[str] | Callable[[str, torch.nn.Parameter], bool] | None = None,
        sketch: str = "auto",
        rng: Any = None,
        micro_batch: int = 32,
    ) -> None:
        self.model, self.loss_fn = model, loss_fn
        self.size = as_rank(size, 2**22, "size")
        self.micro_batch = as_rank(micro_batch, 2**22, "micro_batch")
        if self.size < 1 or self.micro_batch < 1:
            raise ValueError(f"size={size} and micro_batch={micro_batch} must be at least 1")
        kind = "sparse_sign" if sketch == "auto" else sketch
        if kind not in _KINDS:
            raise ValueError(f"sketch={sketch!r} is not known; expected 'auto' or {tuple(_KINDS)}")
        self._wanted = _as_choice(params)
        self.layout = self._layout()
        if not self.layout:
            raise ValueError("no parameter that requires a gradient is selected by params")
        self.dimension = sum(int(np.prod(shape)) for _, shape in self.layout)
        self.seed = seed_word(rng)
        self.operator = _KINDS[kind](self.size, self.dimension, rng=self.seed)

    def _layout(self) -> list[tuple[str, tuple[int, ...]]]:
        return [
            (name, tuple(p.shape))
            for name, p in self.model.named_parameters()
            if p.requires_grad and self._wanted(name, p)
        ]

    def fit_transform(
        self,
        loader: Iterable[Any],
        *,
        out: str | Path | None = None,
        count: int | None = None,
        resume: bool = False,
        on_bad: str = "raise",
    ) -> GradientSketches:
        """Sketch the gradients of all samples of a loader.

        Parameters
        ----------
        loader : iterable of (inputs, targets) batches
            A DataLoader, or any iterable whose order is always the same.
        out : path, optional
            ``.npy`` file that the rows are written to as they come; in memory without.
        count : int, optional
            Number of samples, needed with `out` if the loader has no ``dataset``.
        resume : bool
            Go on after the rows that an interrupted call left in `out`: its samples are passed over,
            none is counted twice.
        on_bad : {"raise", "drop", "zero"}
            What to do about gradients that are not finite. "drop" is for results in memory.

        Returns
        -------
        GradientSketches

        Raises
        ------
        ValueError
            If a gradient is not finite, or `out` holds the rows of another sketch.
        RuntimeError
            If the model's parameters change on the way.
        """
        if on_bad not in _ON_BAD:
            raise ValueError(f"on_bad={on_bad!r} is not known; expected one of {_ON_BAD}")
        if out is None:
            if resume:
                raise ValueError("resume=True needs out, the file to go on with")
            return self._in_memory(loader, on_bad)
        if on_bad == "drop":
            raise ValueError("on_bad='drop' is for results in memory; choose 'zero' with out")
        rows = count if count is not None else len(loader.dataset)  # type: ignore[attr-defined]
        store = _Store(Path(out), rows, self._signature(), resume)
        done = store.done
        for first, inputs, targets in self._micro_batches(loader, done):
            if first + len(targets) > rows:
                raise ValueError(f"the loader has more than count={rows} samples")
            part, norms, good = self._sketch(inputs, targets)
            self._judge(good, first, on_bad)
            store.write(first, part, norms, int((~good).sum()))
        if store.done < rows:
            raise ValueError(f"the loader ended after {store.done} of count={rows} samples")
        return GradientSketches(store.rows, store.norms, np.arange(rows), store.bad)

    def _in_memory(self, loader: Iterable[Any], on_bad: str) -> GradientSketches:
        parts, norms, ids, bad = [], [], [], 0
        for first, inputs, targets in self._micro_batches(loader, 0):
            part, norm, good = self._sketch(inputs, targets)
            self._judge(good, first, on_bad)
            bad += int((~good).sum())
            kept = good if on_bad == "drop" else np.ones(len(good), bool)
            parts.append(part[kept])
            norms.append(norm[kept])
            ids.append(first + np.flatnonzero(kept))
        if not parts:
            raise ValueError("the loader is empty")
        return GradientSketches(
            np.concatenate(parts), np.concatenate(norms), np.concatenate(ids), bad
        )

    def _judge(self, good: NDArray[np.bool_], first: int, on_bad: str) -> None:
        if on_bad == "raise" and not good.all():
            sample = first + int(np.flatnonzero(~good)[0])
            raise ValueError(
                f"the gradient of sample {sample} is not finite; on_bad='drop' or 'zero' goes on"
            )

    def _micro_batches(
        self, loader: Iterable[Any], skip: int
    ) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
        """Samples in groups of `micro_batch`, the last one smaller, and where each group starts."""
        held: list[tuple[torch.Tensor, torch.Tensor]] = []
        position = waiting = 0
        for batch in loader:
            inputs, targets = batch[0], batch[1]
            if len(inputs) != len(targets):
                raise ValueError(f"a batch has {len(inputs)} inputs and {len(targets)} targets")
            passed = min(max(skip - position, 0), len(targets))
            position += len(targets)
            if passed < len(targets):
                held.append((inputs[passed:], targets[passed:]))
                waiting += len(targets) - passed
            while waiting >= self.micro_batch:
                x, y = _joined(held)
                yield position - waiting, x[: self.micro_batch], y[: self.micro_batch]
                held = [(x[self.micro_batch :], y[self.micro_batch :])]
                waiting -= self.micro_batch
        if waiting:
            x, y = _joined(held)
            yield position - waiting, x, y

    def _sketch(
        self, inputs: torch.Tensor, targets: torch.Tensor
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]:
        """Sketches, squared norms and finiteness of the gradients of one micro-batch."""
        given = len(targets)
        if (
            given < self.micro_batch
        ):  # padded, so that the last samples are computed like the others
            fill = [0] * (self.micro_batch - given)
            inputs = torch.cat([inputs, inputs[fill]])
            targets = torch.cat([targets, targets[fill]])
        gradients = self._gradients(inputs, targets)
        accumulator = self.operator.accumulator(self.micro_batch, np.float32)
        norms, good, start = np.zeros(self.micro_batch), np.ones(self.micro_batch, bool), 0
        for name, shape in self.layout:
            width = int(np.prod(shape))
            rows = gradients[name].detach().reshape(self.micro_batch, width).float().cpu().numpy()
            finite = np.isfinite(rows).all(axis=1)
            if not finite.all():
                rows = np.where(finite[:, None], rows, np.float32(0))
            good &= finite
            norms += np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
            accumulator.update(rows.T, start)
            start += width
        sketched = np.ascontiguousarray(accumulator.value.T)[:given]
        sketched[~good[:given]] = 0
        norms[~good] = 0
        return sketched, norms[:given], good[:given]

    def _gradients(self, inputs: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        if self._layout() != self.layout:
            raise RuntimeError("the model's parameters changed after the sketcher was made")
        named = dict(self.model.named_parameters())
        followed = {name: named[name].detach() for name, _ in self.layout}
        fixed = {name: p.detach() for name, p in named.items() if name not in followed}
        fixed.update(self.model.named_buffers())

        def loss(parameters: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> Any:
            output = functional_call(self.model, {**fixed, **parameters}, (x[None],))
            return self.loss_fn(output, y[None])

        device = next(iter(followed.values())).device
        per_sample = vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")
        found: dict[str, torch.Tensor] = per_sample(followed, inputs.to(device), targets.to(device))
        return found

    def _signature(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "size": self.size,
            "kind": type(self.operator).__name__,
            "micro_batch": self.micro_batch,
            "layout": [[name, list(shape)] for name, shape in self.layout],
        }


class _Store:
    """Rows in an ``.npy`` file, and beside it how many are there and what they are."""

    def __init__(self, path: Path, rows: int, signature: dict[str, Any], resume: bool) -> None:
        if path.suffix != ".npy":
            raise ValueError(f"out={str(path)!r} must end in .npy")
        self.note, self.signature = path.with_suffix(".json"), signature
        norms = path.with_name(f"{path.stem}.norms.npy")
        self.done = self.bad = 0
        mode = "w+"
        if resume and self.note.exists():
            known = json.loads(self.note.read_text())
            if known["signature"] != signature or known["rows"] != rows:
                raise ValueError(f"out={str(path)!r} holds the rows of another sketch")
            self.done, self.bad, mode = known["done"], known["bad"], "r+"
        shape = (rows, signature["size"])
        opened = np.lib.format.open_memmap
        self.rows = opened(path, mode, None if mode == "r+" else np.dtype(np.float32), shape)
        self.norms = opened(norms, mode, None if mode == "r+" else np.dtype(np.float64), (rows,))
        self._save()

    def write(self, first: int, part: Any, norms: Any, bad: int) -> None:
        """Write a group of rows, then count them: what is not counted is done again."""
        end = first + len(part)
        self.rows[first:end], self.norms[first:end] = part, norms
        self.rows.flush()
        self.norms.flush()
        self.done, self.bad = end, self.bad + bad
        self._save()

    def _save(self) -> None:
        told = {"done": self.done, "bad": self.bad, "rows": len(self.rows)}
        fresh = self.note.with_suffix(".json.part")
        fresh.write_text(json.dumps({**told, "signature": self.signature}))
        fresh.replace(self.note)


def _as_choice(params: Any) -> Callable[[str, torch.nn.Parameter], bool]:
    if params is None:
        return lambda name, p: True
    if isinstance(params, str):
        pattern = re.compile(params)
        return lambda name, p: pattern.search(name) is not None
    if callable(params):
        return lambda name, p: bool(params(name, p))
    names = set(params)
    return lambda name, p: name in names


def _joined(held: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    if len(held) == 1:
        return held[0]
    return torch.cat([x for x, _ in held]), torch.cat([y for _, y in held])
