"""Two runs of the same suites on one machine: old time / new time, and what has become slower.

    python -m bench compare OLD NEW [--threshold 0.1]      files, or folders of *.jsonl

A ratio above 1 means that the new run is faster. The runs did not alternate, so the band is the widest that
the rounds allow; where it holds 1 there is no ratio. Floors and other libraries show what the machine did in
the meantime: the band of a case is widened by the drift of their median. A method of ours is a regression if
what is left of the band lies beyond the threshold, or if its error grew by more than a tenth.
Exit code: 0 without regressions, 1 with, 2 if there is nothing to compare.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .report import Line, NotResults, band, files, heading, read, table
from .run import Ratio, unpaired_ratio

SAME = ("processor", "cores", "affinity", "thread_pools", "variables")
THRESHOLD = 0.1
GROWTH = 1.1  # of an error
BAD = ("SLOWER", "LESS ACCURATE", "MISSING")


@dataclass(frozen=True)
class Change:
    """What became of one method in one case."""

    label: str
    method: str
    found: Ratio
    errors: tuple[str, str]
    verdict: str

    @property
    def bad(self) -> bool:
        return self.verdict in BAD


def changes(old: list[Line], new: list[Line], threshold: float = THRESHOLD) -> list[Change]:
    """Every method that both runs timed, and those of ours that the new one has lost."""
    before, after = _times(old), _times(new)
    labels = {label for label, _ in after}
    drift = {label: _drift(label, before, after) for label in labels}
    found = []
    for (label, method), line in before.items():
        if (label, method) in after:
            now = after[label, method]
            found.append(_change(line, now, drift[label], threshold))
        elif label in labels and line["role"] == "ours":
            nothing = Ratio(None, float("nan"), float("nan"))
            found.append(Change(label, method, nothing, (_error(line), ""), "MISSING"))
    return found


def _times(lines: list[Line]) -> dict[tuple[str, str], Line]:
    return {(line["label"], line["method"]): line for line in lines if line["kind"] == "time"}


def _drift(label: str, before: dict[Any, Line], after: dict[Any, Line]) -> float:
    """Median of old time / new time over code that is not ours; 1 where there is none."""
    ratios = [
        line["median"] / after[key]["median"]
        for key, line in before.items()
        if key[0] == label and key in after and line["role"] != "ours"
    ]
    return statistics.median(ratios) if ratios else 1.0


def _change(old: Line, new: Line, drift: float, threshold: float) -> Change:
    found = unpaired_ratio(old["seconds"], new["seconds"])
    low, high = found.low / max(drift, 1.0), found.high / min(drift, 1.0)
    verdict = ""
    if old["role"] == "ours":
        if old["errors"] and new["errors"] and max(new["errors"]) > _allowed(old):
            verdict = "LESS ACCURATE"
        elif high * (1 + threshold) < 1:
            verdict = "SLOWER"
        elif low > 1 + threshold:
            verdict = "faster"
    errors = _error(old), _error(new)
    return Change(old["label"], old["method"], found, errors, verdict)


def _allowed(old: Line) -> float:
    """An error may grow by a tenth, and within rounding as it likes."""
    return max(GROWTH * max(old["errors"]), 1e-12)


def _error(line: Line) -> str:
    return f"{max(line['errors']):.2e}" if line["errors"] else ""


def as_text(found: list[Change]) -> str:
    """The table for one suite."""
    rows = []
    for c in found:
        value = f"{c.found.value:.2f}" if c.found.value is not None else "not resolved"
        spread = band(c.found.low, c.found.high)
        if c.verdict == "MISSING":
            value = spread = ""
        rows.append([c.label, c.method, value, spread, *c.errors, c.verdict])
    head = ["case", "method", "old/new", "band", "old error", "new error", "verdict"]
    return table(head, rows)


def differences(old: Line, new: Line) -> Iterator[str]:
    """Conditions that were not the same."""
    for key in SAME:
        if old[key] != new[key]:
            yield f"{key}: {old[key]} / {new[key]}"
    devices = [about["options"].get("device", "cpu") for about in (old, new)]
    if devices[0] != devices[1]:
        yield f"device: {devices[0]} / {devices[1]}"


def main(arguments: Sequence[str]) -> int:
    form = argparse.RawDescriptionHelpFormatter
    p = argparse.ArgumentParser(
        "python -m bench compare", description=__doc__, formatter_class=form
    )
    p.add_argument("old", type=Path, metavar="OLD")
    p.add_argument("new", type=Path, metavar="NEW")
    p.add_argument("--threshold", type=float, default=THRESHOLD, help="default %(default)s")
    asked = p.parse_args(arguments)
    if not asked.threshold >= 0:
        print(f"bench compare: threshold={asked.threshold} must not be negative", file=sys.stderr)
        return 2
    try:
        pairs = list(_pairs(asked.old, asked.new))
    except (OSError, NotResults) as wrong:
        print(f"bench compare: {wrong}", file=sys.stderr)
        return 2
    if not pairs:
        print(f"bench compare: no suite is in both {asked.old} and {asked.new}", file=sys.stderr)
        return 2
    return _judge(pairs, asked.threshold)


def _pairs(old: Path, new: Path) -> Iterator[tuple[list[Line], list[Line]]]:
    """Results of the same suite."""
    before, after = ({path.name: path for path in files(place)} for place in (old, new))
    if len(before) == len(after) == 1:  # two files may have any names
        after = dict(zip(before, after.values(), strict=True))
    for name in sorted(before.keys() & after.keys()):
        yield read(before[name]), read(after[name])


def _judge(pairs: list[tuple[list[Line], list[Line]]], threshold: float) -> int:
    compared: list[Change] = []
    for old, new in pairs:
        print(f"\nold: {heading(old[0])}\nnew: {heading(new[0])}")
        for difference in differences(old[0], new[0]):
            print(f"warning: not the same conditions, {difference}")
        found = changes(old, new, threshold)
        print(as_text(found))
        compared += found
    if not compared:
        print("bench compare: the runs have no case in common", file=sys.stderr)
        return 2
    bad = [c for c in compared if c.bad]
    print(f"\n{len(compared)} compared, {len(bad)} regressions beyond the noise")
    for c in bad:
        print(f"  {c.verdict.lower()}: {c.label}, {c.method}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
