"""What the canonical angles cost, beside the singular value decomposition that they accompany."""

from __future__ import annotations

from functools import partial
from typing import Any

import subspan
from subspan import angles

from .cases import InterpCase, angle_cases
from .run import Contender, Options, Results, interleave

PLAIN = "svd, angles=False"
SHARPER = 'svd, angles="sharper"'
ATTACHED = "r.angles.bound"
ESTIMATE = "r.angles.estimate"
PRIOR = "prior_estimates, basis"
PRIOR_BOUND = "prior_bounds"
POSTERIOR = "posterior_bounds"
POWERS = 2
# Allowed parts of the time of the decomposition.
MOST = {PRIOR: 0.05, ATTACHED: 0.10}


def run(results: Results, options: Options) -> None:
    for case in options.chosen(angle_cases(options.small)):
        results.start(case)
        one_case(case, results, options)


def one_case(case: InterpCase, results: Results, options: Options) -> None:
    A, k = case.matrix.make(), case.rank
    svd = partial(subspan.svd, A, k, power_iterations=POWERS, method="subspace")
    r = svd(rng=0)
    assert r.angles is not None
    known = r.angles.values
    spectrum = {"tail": "pad", "size": min(A.shape)}

    def fresh() -> Any:
        """The angles with nothing computed yet."""
        return r.angles.transposed()  # type: ignore[union-attr]

    contenders = [
        Contender(PLAIN, lambda seed: svd(rng=seed, angles=False), timed="the whole call"),
        Contender(SHARPER, lambda seed: svd(rng=seed, angles="sharper"), timed="the whole call"),
        Contender(ATTACHED, lambda seed: fresh().bound, timed="bounds from what svd left"),
        Contender(ESTIMATE, lambda seed: fresh().estimate, timed="draws of the law, both sides"),
        Contender(
            PRIOR,
            lambda seed: angles.prior_estimates(known, k, len(known), POWERS, rng=seed, **spectrum),
            timed="3 draws of the law, both sides, the spectrum padded",
        ),
        Contender(
            PRIOR_BOUND,
            lambda seed: angles.prior_bounds(known, k, len(known), POWERS, **spectrum),
            timed="both sides",
        ),
        Contender(
            POSTERIOR,
            lambda seed: angles.posterior_bounds(A, *r, rng=seed),
            timed="two more products of A with k vectors",
        ),
    ]
    timings = interleave(contenders, options)
    results.times(case, timings)
    for name in (PRIOR, ATTACHED, ESTIMATE, PRIOR_BOUND, POSTERIOR, SHARPER):
        target = MOST.get(name) if case.matrix.name == "a" and not options.small else None
        results.ratio(case, f"{name} / svd", timings[name], timings[PLAIN], at_most=target)
