"""Diagnosis of a pair of models beside the products alone, and a grid of predicted risks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from subspan.w2s import diagnose, predict_risk

from .run import Contender, Options, Results, interleave

DIAGNOSE = "diagnose, one pass"
PRODUCTS = "the products X^T X alone"
GRID = "predict_risk, 100 x 100"
DIM, OVERLAP = 60, 20
BATCH = 50_000


@dataclass(frozen=True)
class PairCase:
    """Paired features with a planted overlap, streamed in batches of the same rows."""

    rows: int
    strong: int
    weak: int

    @property
    def label(self) -> str:
        return f"pairs: {self.rows} rows of {self.strong} and {self.weak} features, float32"

    def batch(self) -> tuple[NDArray[Any], NDArray[Any]]:
        rng = np.random.default_rng(0)
        z = rng.standard_normal((min(BATCH, self.rows), 2 * DIM - OVERLAP), np.float32)
        parts = (z[:, :DIM], self.strong), (z[:, DIM - OVERLAP :], self.weak)
        S, W = (x @ rng.standard_normal((DIM, D), np.float32) for x, D in parts)
        return S, W


def run(results: Results, options: Options) -> None:
    cases = [PairCase(20_000, 96, 64) if options.small else PairCase(10**6, 768, 512)]
    for case in options.chosen(cases):
        results.start(case)
        one_case(case, results, options)


def one_case(case: PairCase, results: Results, options: Options) -> None:
    S, W = case.batch()
    count = case.rows // len(S)

    def stream() -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        return ((S, W) for _ in range(count))

    def products() -> None:
        both = np.concatenate([S, W], axis=1)
        for _ in range(count):
            both.T @ both

    n, N = np.arange(200, 10_200, 100)[:, None], np.arange(200, 10_200, 100)
    once = 2 if not options.small else None
    contenders = [
        Contender(
            DIAGNOSE,
            lambda seed: diagnose(stream(), rank=DIM, rng=seed),
            error=lambda report: abs(report.d_overlap / OVERLAP - 1),
            error_kind="relative error of the correlation dimension",
            limit=0.05,
            rounds=once,
            flops=case.rows * float(case.strong + case.weak) ** 2,
        ),
        Contender(
            PRODUCTS, lambda seed: products(), role="floor", timed="nothing else", rounds=once
        ),
        Contender(
            GRID,
            lambda seed: predict_risk(100, 150, 50, n, N, 1.0),
            error=lambda risks: float(np.isnan(risks.w2s).any()),
            error_kind="whether a risk is missing",
            limit=0.5,
        ),
    ]
    timings = interleave(contenders, options)
    results.times(case, timings)
    results.ratio(
        case, f"{DIAGNOSE} / {PRODUCTS}", timings[DIAGNOSE], timings[PRODUCTS], at_most=None
    )
