"""Two results of the same suite on one machine: old time / new time, for every method and case.

    python -m bench.compare OLD NEW      files, or folders of *.jsonl

The runs did not alternate, so the band is the widest that the rounds allow; where it holds 1 there
is no ratio. A ratio above 1 means that the new run is faster.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from .report import band, files, heading, read, table
from .run import unpaired_ratio

SAME = ("processor", "cores", "affinity", "thread_pools", "variables")


def compare(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> str:
    """The table for one suite."""
    before = {(line["label"], line["method"]): line for line in old if line["kind"] == "time"}
    rows = []
    for line in new:
        if line["kind"] != "time" or (line["label"], line["method"]) not in before:
            continue
        other = before[line["label"], line["method"]]
        found = unpaired_ratio(other["seconds"], line["seconds"])
        value = f"{found.value:.2f}" if found.value is not None else "not resolved"
        errors = [f"{max(each['errors']):.2e}" if each["errors"] else "" for each in (other, line)]
        rows.append([line["label"], line["method"], value, band(found.low, found.high), *errors])
    head = ["case", "method", "old/new", "band", "old error", "new error"]
    return table(head, rows)


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [f"{key}: {old[key]} / {new[key]}" for key in SAME if old[key] != new[key]]


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    old, new = ({path.name: path for path in files(Path(name))} for name in arguments)
    if len(old) == len(new) == 1:  # two files may have any names
        new = dict(zip(old, new.values(), strict=True))
    for name in sorted(old.keys() & new.keys()):
        lines = read(old[name]), read(new[name])
        print(f"\nold: {heading(lines[0][0])}\nnew: {heading(lines[1][0])}")
        for difference in differences(lines[0][0], lines[1][0]):
            print(f"warning: not the same conditions, {difference}")
        print(compare(*lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
