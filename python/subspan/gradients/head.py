"""Sketched gradients of a linear head from its inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from .._array import as_rank, to_host
from .._rng import seed_word
from .factored import FactoredSketch
from .random_labels import random_labels
from .row_sketch import RowSketch, finite_rows, operator_of
from .sketches import GradientSketches
from .stores import open_store

_ENTRIES = 2**22  # of the gradients that are formed at a time
_LOSSES = ("cross_entropy", "squared")


def sketch_head(
    features: Any,
    logits: Any,
    size: int,
    *,
    labels: Any = None,
    loss: str | Callable[[Any, Any], Any] = "cross_entropy",
    bias: bool = True,
    sketch: str = "auto",
    rng: Any = None,
    out: str | Path | Any = None,
    resume: bool = False,
    on_bad: str = "raise",
) -> GradientSketches:
    """Sketch the per-sample gradients of a linear head ``logits = W a + c``; no model, no autograd.

    The gradient of sample i is ``b_i a_i^T`` with its features a_i and the gradient b_i of its loss in
    the logits: ``softmax(logits_i) - e_y`` for the cross entropy, ``2 (logits_i - y_i) / K`` for the
    mean squared error.

    Parameters
    ----------
    features : array, shape (N, d)
        Inputs of the head: in memory, memory-mapped, or whatever can be sliced by rows.
    logits : array, shape (N, K)
        Outputs of the head.
    size : int
        Columns m of the sketch.
    labels : array, optional
        Classes, shape (N,), or for the squared loss also targets, shape (N, K). None: a class drawn
        uniformly for every sample, a function of seed and position.
    loss : {"cross_entropy", "squared"} or callable
        A callable gives ``b`` of a block from its logits and labels, shape (rows, K).
    bias : bool
        Whether the head has one; its gradient is b_i.
    sketch : {"auto", "sparse_sign", "countsketch", "gaussian", "rademacher", "factored"}
        As in :class:`subspan.torch.GradientSketcher`; "factored" does not form the gradients.
    rng : int, numpy.random.Generator, SeedSequence or None
    out, resume, on_bad
        As in :meth:`subspan.torch.GradientSketcher.fit_transform`.

    Returns
    -------
    GradientSketches
        For a seed those of :class:`subspan.torch.GradientSketcher` with the parameters of the head,
        weights first, up to rounding.

    Raises
    ------
    ValueError
        If shapes do not match, a gradient is not finite or an argument is out of range.

    Notes
    -----
    ``O(N K d)`` operations, 4 of them additions of the sketch, or ``O(N (m + sqrt(m) d))`` factored.
    Memory beside the result: 16 MiB. Bits do not depend on N.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.gradients import sketch_head
    >>> rng = np.random.default_rng(0)
    >>> features, W = rng.standard_normal((100, 20)), rng.standard_normal((3, 20))
    >>> sketch_head(features, features @ W.T, 16, rng=0)
    GradientSketches(100 x 16, 0 not finite)
    """
    features, logits = to_host(features, "features"), to_host(logits, "logits")
    size = as_rank(size, 2**24 - 1, "size")
    if size < 1:
        raise ValueError(f"size={size} must be at least 1")
    count, d = _shape(features, "features")
    rows, K = _shape(logits, "logits")
    labels = None if labels is None else np.asarray(to_host(labels, "labels"))
    if rows != count:
        raise ValueError(f"logits has {rows} rows; expected {count}, one per row of features")
    if labels is not None and len(labels) != count:
        raise ValueError(f"labels has length {len(labels)}; expected {count}, one per sample")
    slope = _slope_of(loss)
    seed = seed_word(rng)
    block = max(1, min(1024, _ENTRIES // (K * (d + bias))))
    made = _factored if sketch == "factored" else _formed
    sketched = made(sketch, size, K, d, bias, seed, block)
    signature = {"seed": seed, "size": size, "kind": sketch, "head": [K, d, bias]}
    store = open_store(out, count, size, signature, resume, on_bad)
    try:
        for first in range(store.done, count, block):
            part = slice(first, min(first + block, count))
            y = (
                random_labels(seed, first, part.stop - first, K)[:, 0]
                if labels is None
                else labels[part]
            )
            z = np.asarray(logits[part], np.float64)
            a = np.zeros((block, d), np.float32)
            b = np.zeros((block, K), np.float32)
            a[: len(z)], b[: len(z)] = features[part], slope(z, y)
            rows_of = tuple(x[: len(z)] for x in sketched(a, b))
            judge(rows_of[2], first, on_bad)
            store.write(*rows_of)
    finally:
        store.flush()
    return store.result()


def judge(good: NDArray[np.bool_], first: int, on_bad: str) -> None:
    """Refuse gradients that are not finite, unless the caller chose otherwise."""
    if on_bad == "raise" and not good.all():
        sample = first + int(np.flatnonzero(~good)[0])
        raise ValueError(
            f"the gradient of sample {sample} is not finite; on_bad='drop' or 'zero' goes on"
        )


def _shape(X: Any, name: str) -> tuple[int, int]:
    shape = tuple(getattr(X, "shape", ()))
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name} has shape {shape}; expected two dimensions, none empty")
    return int(shape[0]), int(shape[1])


def _slope_of(loss: str | Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Gradient of the loss in the logits, sample by sample."""
    if callable(loss):
        return loss
    if loss not in _LOSSES:
        raise ValueError(f"loss={loss!r} is not known; expected a callable or one of {_LOSSES}")
    if loss == "cross_entropy":
        return lambda z, y: softmax(z, axis=1) - _targets(y, z.shape[1], one_hot=True)
    return lambda z, y: 2 / z.shape[1] * (z - _targets(y, z.shape[1], one_hot=False))


def _targets(y: Any, K: int, *, one_hot: bool) -> Any:
    if y.ndim == 2 and y.shape[1] == K and not one_hot:
        return y
    if y.ndim != 1 or y.dtype.kind not in "iub":
        raise ValueError(
            f"labels has shape {y.shape}, dtype {y.dtype}; expected classes of samples"
        )
    if y.min() < 0 or y.max() >= K:
        raise ValueError(f"labels must lie in [0, {K}), found {y.min()} .. {y.max()}")
    return np.eye(K)[y]


_Sketched = Callable[[Any, Any], tuple[Any, Any, Any]]


def _formed(sketch: str, size: int, K: int, d: int, bias: bool, seed: int, block: int) -> _Sketched:
    """Gradients formed a block at a time, in PyTorch's order: weights by rows, then the bias."""
    S = operator_of(sketch, size, K * (d + bias), seed)

    def sketched(a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[Any, Any, Any]:
        sums = RowSketch(S, block)
        sums.add((b[:, :, None] * a[:, None, :]).reshape(block, K * d), 0)
        if bias:
            sums.add(b, K * d)
        return sums.rows()

    return sketched


def _factored(
    sketch: str, size: int, K: int, d: int, bias: bool, seed: int, block: int
) -> _Sketched:
    S = FactoredSketch(size, K, d + bias, rng=seed)

    def sketched(a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[Any, Any, Any]:
        if bias:  # the bias is the weight of an input that is always 1
            a = np.concatenate([a, np.ones((block, 1), np.float32)], axis=1)
        a, b = a[:, None], b[:, None]
        with np.errstate(invalid="ignore"):
            return finite_rows(S.apply(a, b), S.squared_norms(a, b))

    return sketched
