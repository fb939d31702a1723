"""Sketches of per-sample gradients: one operator for all samples, nothing ever concatenated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._array import as_rank
from .._rng import seed_word
from ..gradients import FactoredSketch, GradientSketches
from ..gradients.head import judge
from ..gradients.random_labels import random_labels
from ..gradients.row_sketch import RowSketch, finite_rows, operator_of
from ..gradients.stores import open_store
from . import per_sample
from .samples import Group, called, groups, mapped

_METHODS = ("auto", "modules", "functional")
_ENTRIES = (
    2**21
)  # of gradients made at a time where a layer's can be divided: they stay in the caches
_COMPARED = 4  # samples on which two methods are compared
_AGREE = 1e-3  # relative difference between two float32 sums of gradients that are the same
_Rows = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]


class GradientSketcher:
    """Sketch the gradient of every sample's loss: ``G Gamma`` of G with a row per sample.

    Parameters
    ----------
    model : torch.nn.Module
        Used as it is: call ``model.eval()`` first, dropout and batch normalization in training are
        refused.
    loss_fn : callable
        ``loss_fn(outputs, targets)`` of a batch of one sample, a scalar.
    size : int
        Columns m of the sketch.
    params : str, list of str, callable or None
        Which parameters: a regular expression that is searched in their names, the names, or a function
        of name and parameter. None: all that require a gradient.
    sketch : {"auto", "sparse_sign", "countsketch", "gaussian", "rademacher", "factored"}
        "auto": sparse signs, 4 per parameter; "sparse_sign": 8. "factored": for the weights (and
        biases) of linear layers, whose gradients are then not formed, see
        :class:`subspan.gradients.FactoredSketch`.
    rng : int, numpy.random.Generator, SeedSequence or None
    micro_batch : int
        Samples whose gradients are held at a time. Loader batches are divided and joined to this size,
        so that the result does not depend on theirs.
    targets : {"given", "random"} or callable
        "given": what the loader yields. "random": classes drawn uniformly, once for every sample (and
        position of a sequence), a function of seed and place in the loader's order; the loader may
        yield inputs alone. A callable gets (ids, given targets or None) and returns the targets.
    method : {"auto", "modules", "functional"}
        "modules": one backward pass for all samples, then the gradients of one parameter at a time.
        "functional": ``torch.func``, for any model, all gradients at once. "auto": by modules if this
        is seen to give the gradients of the first samples, see `chosen_method`.
    precondition : callable, optional
        ``precondition(name, gradients)`` of one parameter, shape ``(micro_batch, ...)``, returns what is
        sketched instead, e.g. divided by the roots of Adam's second moments.

    Attributes
    ----------
    layout : list of (name, shape)
        The parameters, in the order of the coordinates.
    dimension : int
        Their number r.
    chosen_method : str or None
        "modules" or "functional", once samples were seen.

    Raises
    ------
    ValueError
        If no parameter is selected or an argument is out of range.

    Notes
    -----
    An entry of the operator depends on the seed, the parameter's coordinate and the sketch column only:
    batches, workers, restarts and devices share one operator. Rows have the same bits for any division
    into batches, any workers and restarts, given `micro_batch`, the model's device and PyTorch's
    threads: each is computed at the same place of a group of the same size. Between devices and
    `micro_batch` the operator is the same and rows agree up to the rounding of the gradients.

    Memory beside the result: ``micro_batch`` gradients of the largest parameter (8 MiB for linear layers)
    and the activations, or of all parameters when functional. The sketch is made on the CPU in float32:
    one reading of the gradients, which also gives their norms.

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
        targets: str | Callable[[NDArray[np.int64], Any], Any] = "given",
        method: str = "auto",
        precondition: Callable[[str, torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        self.model, self.loss_fn = model, loss_fn
        self.size = as_rank(size, 2**22, "size")
        self.micro_batch = as_rank(micro_batch, 2**22, "micro_batch")
        if self.size < 1 or self.micro_batch < 1:
            raise ValueError(f"size={size} and micro_batch={micro_batch} must be at least 1")
        if not callable(targets) and targets not in ("given", "random"):
            raise ValueError(
                f"targets={targets!r} is not known; expected 'given', 'random', a callable"
            )
        if method not in _METHODS:
            raise ValueError(f"method={method!r} is not known; expected one of {_METHODS}")
        self.targets, self.method, self.precondition = targets, method, precondition
        self.chosen_method = None if method == "auto" else method
        self.sketch, self._seen = sketch, False
        self._wanted = _as_choice(params)
        self.layout = self._layout()
        if not self.layout:
            raise ValueError("no parameter that requires a gradient is selected by params")
        self.dimension = sum(int(np.prod(shape)) for _, shape in self.layout)
        self.seed = seed_word(rng)
        self._classes: tuple[int, int] | None = None
        self.operator: Any = (
            self._factored()
            if sketch == "factored"
            else operator_of(sketch, self.size, self.dimension, self.seed)
        )

    def _layout(self) -> list[tuple[str, tuple[int, ...]]]:
        return [
            (name, tuple(p.shape))
            for name, p in self.model.named_parameters()
            if p.requires_grad and self._wanted(name, p)
        ]

    def _factored(self) -> dict[str, FactoredSketch]:
        """An operator for every linear layer, the bias being the weight of an input that is 1."""
        if self.precondition is not None:
            raise ValueError(
                "precondition needs gradients that are formed; sketch='factored' forms none"
            )
        names = [name for name, _ in self.layout]
        operators: dict[str, FactoredSketch] = {}
        for name in names:
            owner, _, local = name.rpartition(".")
            module = self.model.get_submodule(owner)
            weight = f"{owner}.{'weight'}".lstrip(".")
            if type(module) is not torch.nn.Linear or weight not in names:
                raise ValueError(
                    f"sketch='factored' is for weights of linear layers, with their bias or without; "
                    f"params selects {name!r} of a {type(module).__name__}"
                )
            if local == "weight":
                bias = weight.removesuffix("weight") + "bias" in names
                seed = np.random.SeedSequence([self.seed, len(operators)])
                shape = (module.out_features, module.in_features + bias)
                operators[owner] = FactoredSketch(self.size, *shape, rng=seed)
        return operators

    def fit_transform(
        self,
        loader: Iterable[Any],
        *,
        out: str | Path | Any = None,
        count: int | None = None,
        resume: bool = False,
        on_bad: str = "raise",
    ) -> GradientSketches:
        """Sketch the gradients of all samples of a loader.

        Parameters
        ----------
        loader : iterable of batches
            A DataLoader, or any iterable whose order is always the same. A batch is (inputs, targets),
            or inputs alone; inputs are a tensor, a tuple of them or a dict of keyword arguments.
        out : path or array, optional
            ``.npy`` file or ``.zarr`` group that the rows are written to as they come, or an array of
            shape (samples, size) to fill; in memory without.
        count : int, optional
            Number of samples, needed with a path if the loader has no ``dataset``.
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
            If a gradient is not finite, samples and labels do not match, the model is in training, the
            loss does not depend on the parameters, or `out` holds the rows of another sketch.
        RuntimeError
            If the model's parameters change on the way.
        """
        rows = count
        if rows is None and hasattr(loader, "dataset"):
            rows = len(loader.dataset)
        store = open_store(out, rows, self.size, self._signature(), resume, on_bad)
        _refuse_training(self.model)
        try:
            for group in groups(loader, self.micro_batch, store.done):
                sketched = self._sketch(group)
                judge(sketched[2], group.first, on_bad)
                store.write(*sketched)
        finally:
            store.flush()
        return store.result()

    def _sketch(self, group: Group) -> _Rows:
        """Sketches, squared norms and finiteness of the gradients of one group."""
        if self._layout() != self.layout:
            raise RuntimeError("the model's parameters changed after the sketcher was made")
        device = dict(self.model.named_parameters())[self.layout[0][0]].device
        whole = self._with_targets(group, device).padded(self.micro_batch)
        x, y = (mapped(lambda t: t.to(device), part) for part in (whole.inputs, whole.targets))
        if not self._seen:
            self._choose(x, y)
        if self.sketch == "factored":
            sketches, norms, good = self._sketch_factored(x, y)
        else:
            sketches, norms, good = self._by(self.chosen_method or "functional", x, y)
        return sketches[: group.count], norms[: group.count], good[: group.count]

    def _choose(self, x: Any, y: Any) -> None:
        """See on the first finite samples that there are gradients, and which method gives them."""
        good = per_sample.finite_samples(self.model, self.loss_fn, x, y, _COMPARED)
        if not good:  # the next samples decide
            return
        x, y = (mapped(lambda t: t[good], part) for part in (x, y))
        names, reason = (
            [name for name, _ in self.layout],
            "they differ from those of single samples",
        )
        per_sample.sum_of_gradients(self.model, names, self.loss_fn, x, y)
        self._seen = True
        if self.chosen_method == "functional":
            return
        try:
            off = per_sample.difference(self.model, names, self.loss_fn, x, y)
        except (per_sample.NotByModules, RuntimeError) as error:
            off, reason = np.inf, str(error)
        if off <= _AGREE:
            self.chosen_method = "modules"
        elif self.method == "auto" and self.sketch != "factored":
            self.chosen_method = "functional"
        else:
            raise ValueError(
                f"gradients cannot be had module by module: {reason}; choose method='functional' and "
                "a sketch other than 'factored'"
            )

    def _by(self, method: str, x: Any, y: Any) -> _Rows:
        names, sums, start = [name for name, _ in self.layout], RowSketch(self.operator, len(y)), 0
        if method == "modules":
            entries = _ENTRIES if self.precondition is None else None
            parts = per_sample.by_modules(self.model, names, self.loss_fn, x, y, entries=entries)
        else:
            parts = per_sample.by_function(self.model, names, self.loss_fn, x, y)
        for name, part in parts:
            if self.precondition is not None:
                part = self.precondition(name, part)
            rows = part.detach().reshape(len(y), -1).float().cpu().numpy()
            sums.add(rows, start)
            start += rows.shape[1]
        return sums.rows()

    def _sketch_factored(self, x: Any, y: Any) -> _Rows:
        names = [name for name, _ in self.layout]
        value = np.zeros((len(y), self.size), np.float32)
        norms = np.zeros(len(y))
        recorded = per_sample.factors(self.model, list(self.operator), self.loss_fn, x, y)
        for owner, (a, b) in recorded.items():
            if f"{owner}.bias".lstrip(".") in names:
                a = torch.cat([a, torch.ones_like(a[..., :1])], -1)
            left, right = (t.detach().float().cpu().numpy() for t in (a, b))
            with np.errstate(invalid="ignore"):
                value += self.operator[owner].apply(left, right)
                norms += FactoredSketch.squared_norms(left, right)
        return finite_rows(value, norms)

    def _with_targets(self, group: Group, device: torch.device) -> Group:
        ids = np.arange(group.first, group.first + group.count)
        targets = group.targets
        if callable(self.targets):
            targets = self.targets(ids, targets)
            if len(targets) != group.count:
                raise ValueError(f"targets gave {len(targets)} for {group.count} samples")
        elif self.targets == "random":
            classes, positions = self._output_shape(group, device)
            drawn = random_labels(self.seed, group.first, group.count, classes, positions)
            targets = torch.from_numpy(drawn if positions > 1 else drawn[:, 0])
        if targets is None:
            raise ValueError(
                "the loader yields no targets; expected (inputs, targets), or targets='random'"
            )
        return Group(group.first, group.inputs, targets, group.count)

    def _output_shape(self, group: Group, device: torch.device) -> tuple[int, int]:
        """Classes and positions of the model's outputs, asked for once."""
        if self._classes is None:
            x = mapped(lambda t: t[:1].to(device), group.inputs)
            with torch.no_grad():
                output = called(self.model, x)
            if not isinstance(output, torch.Tensor) or output.ndim not in (2, 3):
                raise ValueError(
                    "targets='random' needs outputs of shape (N, classes) or (N, T, classes)"
                )
            self._classes = output.shape[-1], 1 if output.ndim == 2 else output.shape[1]
        return self._classes

    def _signature(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "size": self.size,
            "kind": self.sketch,
            "micro_batch": self.micro_batch,
            "targets": self.targets if isinstance(self.targets, str) else "callable",
            "layout": [[name, list(shape)] for name, shape in self.layout],
        }


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


def _refuse_training(model: torch.nn.Module) -> None:
    """Refuse layers that draw numbers or let samples meet."""
    refused = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)
    for name, module in model.named_modules():
        if module.training and isinstance(module, refused) and getattr(module, "p", 1) > 0:
            raise ValueError(
                f"{type(module).__name__} {name!r} is in training, where gradients are not per sample "
                "or not the same twice; call model.eval() first"
            )
