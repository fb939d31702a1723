"""Choosing the units of the feed-forward modules of a language model: one module, and all thirty.

Sizes are those of SmolLM2-135M at 25 %: 1152 of 1536 units stay, 576 outputs. Peers: the same backward
elimination in numpy, one unit at a time, and LAPACK's column-pivoted QR of the activations by SciPy, which is
how Chee et al. prune. With PyTorch and transformers, ten blocks of that size are pruned as well, beside
the passes of the data through it that it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from subspan.pruning import Moments, gram, reconstruct, select_units

from . import memory
from .peers import installed
from .run import Contender, Options, Results, interleave

BACKWARD, FORWARD, OUTPUT = "backward OBS", "forward weighted ID", "forward output pursuit"
LOOP = "backward OBS in numpy, unit by unit"
QR = "SciPy pivoted QR of the activations"
GEMM = "floor: the flops of backward OBS as one GEMM"
WHOLE, PASSES = "prune_model, OBS and least squares", "two passes through the blocks"
CHOSEN = {BACKWARD: "obs", FORWARD: "weighted_id", OUTPUT: "output"}


@dataclass(frozen=True)
class ModuleCase:
    """Modules of one shape, whose activations have decaying variances and shared directions."""

    layers: int
    outputs: int
    units: int
    kept: int
    tokens: int

    @property
    def label(self) -> str:
        some = f"{self.layers} modules" if self.layers > 1 else "one module"
        return f"{some}: {self.kept} of {self.units} units, {self.outputs} outputs, {self.tokens} tokens"

    def make(self) -> tuple[NDArray[Any], NDArray[Any]]:
        rng = np.random.default_rng(0)
        scale = np.geomspace(1, 0.05, self.units)
        mixing = rng.standard_normal((self.units // 4, self.units))
        shared = rng.standard_normal((self.tokens, self.units // 4)) @ mixing
        H = (shared / np.sqrt(self.units) + rng.standard_normal((self.tokens, self.units))) * scale
        return H, rng.standard_normal((self.outputs, self.units))


@dataclass(frozen=True)
class NetworkCase:
    """A Llama with random weights, and random tokens."""

    blocks: int
    width: int
    units: int
    heads: int
    tokens: int

    @property
    def label(self) -> str:
        return (
            f"network: {self.blocks} blocks of width {self.width} and {self.units} units, "
            f"{self.tokens} tokens"
        )

    def make(self) -> tuple[Any, Any]:
        """Model, and windows of 128 tokens."""
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(0)
        config = LlamaConfig(
            num_hidden_layers=self.blocks, hidden_size=self.width, intermediate_size=self.units,
            num_attention_heads=self.heads, num_key_value_heads=self.heads // 3, vocab_size=1000,
            max_position_embeddings=128,
        )  # fmt: skip
        model = LlamaForCausalLM(config).eval()
        return model, torch.randint(0, 1000, (self.tokens // 128, 128))


def run(results: Results, options: Options) -> None:
    shape = (32, 96, 72, 400) if options.small else (576, 1536, 1152, 6144)
    cases = [ModuleCase(1, *shape), ModuleCase(2 if options.small else 30, *shape)]
    for case in options.chosen(cases):
        results.start(case)
        one_case(case, results, options)
    network = (
        NetworkCase(2, 48, 96, 6, 1280) if options.small else NetworkCase(10, 576, 1536, 9, 8192)
    )
    wanted = options.chosen([network])
    if wanted and installed("torch", "pruning") and installed("transformers", "pruning"):
        results.start(network)
        whole_network(network, results, options)


def one_case(case: ModuleCase, results: Results, options: Options) -> None:
    H, W = case.make()
    M = gram(H)
    best = _loss(W, M, select_units(W, M, case.kept, method="obs").keep)

    def ours(name: str) -> Contender:
        def call(seed: int) -> Any:
            for _ in range(case.layers):
                keep = select_units(W, M, case.kept, method=CHOSEN[name], rng=seed).keep
            return keep

        return Contender(
            name,
            call,
            timed="from the Gram matrix to the indices, every module anew",
            error=lambda keep: _loss(W, M, keep) / best - 1,
            error_kind="excess of the least-squares error over that of backward OBS",
            limit=0.2,
        )

    flops = case.layers * _flops(case)
    side = round((flops / 2) ** (1 / 3))
    left, right = (np.ones((side, side)) for _ in range(2))
    out = np.empty((side, side))
    contenders = [ours(name) for name in CHOSEN]
    contenders.append(
        Contender(
            GEMM,
            lambda seed: np.matmul(left, right, out=out),
            "floor",
            f"numpy product of order {side}",
            flops=2.0 * side**3,
        )
    )
    if case.layers == 1:
        contenders += _peers(case, H, W, M, best)
    timings = interleave(contenders, options)
    results.times(case, timings)
    results.ratio(case, f"{BACKWARD} / floor", timings[BACKWARD], timings[GEMM])
    for peer, mine in ((LOOP, BACKWARD), (QR, FORWARD)):
        if peer in timings:
            results.ratio(case, f"{peer} / {mine}", timings[peer], timings[mine])


def whole_network(case: NetworkCase, results: Results, options: Options) -> None:
    import torch

    model, data = case.make()

    def passes(seed: int) -> None:
        with torch.no_grad():
            for batch in (*data.split(4), *data.split(4)):
                model.model(batch, use_cache=False)

    contenders = [
        Contender(
            WHOLE,
            lambda seed: _pruned(model, data),
            timed="from the model and the tokens to the smaller model and its report",
            error=lambda report: max(r.measured / r.dropped_held_out for r in report.layers),
            error_kind="measured error of a module over that of dropping its units, held-out rows",
            limit=1 + 1e-4,  # a module where nothing helps is as dropped, but for single precision
            rounds=2,
        ),
        Contender(PASSES, passes, "floor", "the dense model without its head", rounds=2),
    ]
    timings = interleave(contenders, options)
    if options.memory:
        timings[WHOLE].memory = memory.in_child(_network_memory, case)
    results.times(case, timings)
    results.ratio(case, f"{WHOLE} / {PASSES}", timings[WHOLE], timings[PASSES])


def _pruned(model: Any, data: Any) -> Any:
    from subspan.torch.pruning import prune_model

    return prune_model(model, data, sparsity=0.25, method="obs")


def _network_memory(case: NetworkCase) -> dict[str, Any]:
    _pruned(*NetworkCase(1, 48, 96, 6, 1280).make())  # libraries and threads
    model, data = case.make()
    extra, report = memory.high_water(lambda: _pruned(model, data))
    smaller = sum(p.numel() * p.element_size() for p in report.model.parameters())
    moments = 2 * 8 * case.units**2
    unit = "the smaller model and the moments of one block, fitted and held-out rows"
    return {"extra_bytes": extra, "unit_bytes": smaller + moments, "unit": unit}


def _peers(
    case: ModuleCase, H: NDArray[Any], W: NDArray[Any], M: Moments, best: float
) -> list[Contender]:
    def excess(keep: Any) -> float:
        return _loss(W, M, keep) / best - 1

    kind = "excess of the least-squares error over that of backward OBS"
    return [
        Contender(
            LOOP,
            lambda seed: _eliminate(W, M.second_moment(), case.kept),
            "peer",
            "from the Gram matrix to the indices",
            error=excess,
            error_kind=kind,
            limit=0.2,
            rounds=1,
        ),
        Contender(
            QR,
            lambda seed: np.sort(
                scipy.linalg.qr(H, mode="r", pivoting=True, check_finite=False)[1][: case.kept]
            ),
            "peer",
            "from the activations to the indices",
            error=excess,
            error_kind=kind,
            limit=1.0,
            rounds=1,
        ),
    ]


def _flops(case: ModuleCase) -> float:
    """Inverse, ``W^T W``, and the symmetric updates of two matrices."""
    m = float(case.units)
    return m**3 + case.outputs * m**2 + 3 * m**2 * (case.units - case.kept)


def _loss(W: NDArray[Any], M: Moments, keep: Any) -> float:
    return reconstruct(W, M, keep, damping=1e-6).predicted.absolute


def _eliminate(W: NDArray[Any], S: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Optimal Brain Surgeon on columns, as written on paper."""
    S = S + 1e-2 * np.median(np.diag(S)) * np.eye(len(S))
    inverse, W, alive = np.linalg.inv(S), W.copy(), np.ones(len(S), bool)
    for _ in range(len(S) - k):
        scores = np.full(len(S), np.inf)
        scores[alive] = (W[:, alive] ** 2).sum(0) / np.diag(inverse)[alive]
        q = int(scores.argmin())
        u = inverse[q] / inverse[q, q]
        W -= np.outer(W[:, q], u)
        inverse -= np.outer(inverse[:, q], u)
        alive[q] = False
    return np.flatnonzero(alive)
