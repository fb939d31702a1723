"""The frame: contenders timed side by side, one JSON line for everything seen.

Method. All contenders of a case run in one process, one after the other, round after round, in
alternating order; the number of rounds is even, so that none is always first. A turn begins with a
pause in which the BLAS workers of the previous contender, which spin for a while and hold a core,
go to sleep: a contender pays for the clashes between thread pools that it causes itself and for no
other's. Then a brief contender is called four times: the first call, which also wakes what has gone
to sleep, is clocked apart, and the round's time is the median of the other three. A longer one is
called once. One that takes many seconds may have fewer rounds of its own, and then no warm-up.
Times are summed up by the median and the band, the smallest and largest round. A ratio is that of
two medians, its band that of the rounds; when the band holds 1, to two digits, no ratio is given.
With OPENBLAS_THREAD_TIMEOUT=10 in the environment workers do not spin and clashes vanish, which
helps contenders that use numpy's and SciPy's pools in turn: publish a run with and one without.

A result file has these lines, told apart by "kind":

* environment: date, commit, processor, cores, affinity, thread_pools, variables, subspan (versions,
  BLAS, instruction set, threads), options, note (what the suite compares)
* time: label, case, method, role (ours, peer, floor), timed (what is inside the clock), seconds (of
  each round), median, first (of each round: the call after the pause), warmups, flops, errors,
  error_kind, optimum, memory
* ratio: label, name, top, bottom, ratio (null: not resolved), band, at_least, at_most, verdict
* quality: label, case, setting, reference, reference_error, ratios, worst, at_most, verdict
* end: seconds (wall time of the suite, matrices and checks included)
"""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROUNDS = 6
PAUSE = 0.2  # seconds; OpenBLAS workers were seen to spin for about 0.1
BRIEF = 0.5  # seconds
REPEATS = 3  # clocked calls per turn of a brief contender


@dataclass(frozen=True)
class Options:
    small: bool = False
    full: bool = False
    rounds: int = ROUNDS
    memory: bool = True
    only: str = ""  # part of the label of the cases that are wanted
    labels: tuple[str, ...] = ()  # of the cases that are wanted; all if there is none
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.rounds < 2 or self.rounds % 2:
            raise ValueError(f"rounds={self.rounds} must be even: an odd number favours one order")

    @property
    def pause(self) -> float:
        return 0.0 if self.small else PAUSE

    def chosen(self, cases: Iterable[Any]) -> list[Any]:
        wanted = [case for case in cases if self.only in case.label]
        return [case for case in wanted if not self.labels or case.label in self.labels]


@dataclass(frozen=True)
class Contender:
    """One way to do the job. `call` gets a seed; `prepare` runs before it, outside the clock."""

    name: str
    call: Callable[[int], Any]
    role: str = "ours"
    timed: str = ""
    prepare: Callable[[], object] | None = None
    error: Callable[[Any], float] | None = None
    error_kind: str = "relative Frobenius error against A in double precision"
    limit: float = math.inf  # a larger error is a wrong answer: the bench stops
    checks: int = 1  # rounds whose answer is checked
    rounds: int | None = None
    flops: float | None = None


@dataclass
class Timing:
    name: str
    role: str
    seconds: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    timed: str = ""
    error_kind: str | None = None
    warmups: int = 0
    flops: float | None = None
    memory: dict[str, int] | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


class WrongAnswer(AssertionError):
    """A contender was fast and wrong."""


def interleave(contenders: Sequence[Contender], options: Options) -> dict[str, Timing]:
    """Time the contenders round after round in alternating order."""
    timings, brief = {}, set()
    for c in contenders:
        kind = c.error_kind if c.error else None
        timing = Timing(c.name, c.role, timed=c.timed, error_kind=kind, flops=c.flops)
        timings[c.name] = timing
        if c.rounds is None:
            time.sleep(options.pause)
            timing.warmups = 1
            if _clock(c, 0)[0] < BRIEF:
                brief.add(c.name)
    for r in range(options.rounds):
        for c in contenders if r % 2 == 0 else reversed(contenders):
            if c.rounds is not None and r >= c.rounds:
                continue
            time.sleep(options.pause)
            if c.name in brief:
                timings[c.name].first.append(_clock(c, r)[0])
            clocked = [_clock(c, r) for _ in range(REPEATS if c.name in brief else 1)]
            timings[c.name].seconds.append(statistics.median(seconds for seconds, _ in clocked))
            result = clocked.pop()[1]
            clocked.clear()
            if c.error is not None and r < c.checks:
                error = c.error(result)
                timings[c.name].errors.append(error)
                if not error <= c.limit:
                    raise WrongAnswer(f"{c.name}: error {error:.3g} is above {c.limit:.3g}")
            del result
    return timings


def _clock(c: Contender, seed: int) -> tuple[float, Any]:
    if c.prepare is not None:
        c.prepare()
    start = time.perf_counter()
    result = c.call(seed)
    return time.perf_counter() - start, result


@dataclass(frozen=True)
class Ratio:
    value: float | None  # None: the band holds 1
    low: float
    high: float


def ratio(top: Sequence[float], bottom: Sequence[float]) -> Ratio:
    """Ratio of medians. Rounds of one interleaved run are paired, others set against each other."""
    if len(top) == len(bottom):
        rounds = [a / b for a, b in zip(top, bottom, strict=True)]
        return _resolved(top, bottom, min(rounds), max(rounds))
    return unpaired_ratio(top, bottom)


def unpaired_ratio(top: Sequence[float], bottom: Sequence[float]) -> Ratio:
    """Ratio of medians of runs that did not alternate: the widest band that the rounds allow."""
    return _resolved(top, bottom, min(top) / max(bottom), max(top) / min(bottom))


def _resolved(top: Sequence[float], bottom: Sequence[float], low: float, high: float) -> Ratio:
    if round(low, 2) <= 1 <= round(high, 2):
        return Ratio(None, low, high)
    return Ratio(statistics.median(top) / statistics.median(bottom), low, high)


def verdict(found: Ratio, at_least: float | None, at_most: float | None) -> str:
    """Whether a target is met: by the whole band, or else by the median."""
    if at_least is None and at_most is None:
        return ""

    def holds(value: float) -> bool:
        over = at_least is None or value >= at_least
        return over and (at_most is None or value <= at_most)

    ends = holds(found.low), holds(found.high)
    if ends[0] == ends[1]:
        return "met" if all(ends) else "missed"
    if found.value is None:
        return "open"
    return ("met" if holds(found.value) else "missed") + " at the median"


class Results:
    """The result file of one suite; takes the place of an older one when it is finished."""

    def __init__(self, suite: str, folder: Path, options: Options, note: str) -> None:
        from .machine import environment

        folder.mkdir(parents=True, exist_ok=True)
        self.suite = suite
        self.path = folder / f"{suite}.jsonl"
        self._part = self.path.with_suffix(".part")
        self._part.write_text("")
        self._start = time.perf_counter()
        about = environment(options.device)
        self.line("environment", **about, options=dataclasses.asdict(options), note=note)

    def line(self, kind: str, **values: Any) -> None:
        with self._part.open("a") as file:
            file.write(json.dumps({"suite": self.suite, "kind": kind, **values}) + "\n")

    def finish(self) -> None:
        self.line("end", seconds=time.perf_counter() - self._start)
        self._part.replace(self.path)

    def start(self, case: Any) -> None:
        print(f"[{self.suite}] {case.label}", file=sys.stderr, flush=True)

    def times(self, case: Any, timings: dict[str, Timing], optimum: float | None = None) -> None:
        about = {"label": case.label, "case": dataclasses.asdict(case), "optimum": optimum}
        for timing in timings.values():
            values = dataclasses.asdict(timing)
            method = values.pop("name")
            self.line("time", **about, method=method, median=timing.median, **values)

    def ratio(
        self,
        case: Any,
        name: str,
        top: Timing,
        bottom: Timing,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        found = ratio(top.seconds, bottom.seconds)
        self.line(
            "ratio",
            label=case.label,
            name=name,
            top=top.name,
            bottom=bottom.name,
            ratio=found.value,
            band=[found.low, found.high],
            at_least=at_least,
            at_most=at_most,
            verdict=verdict(found, at_least, at_most),
        )
