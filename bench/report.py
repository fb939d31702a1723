"""Tables, plots and the page, from result files and nothing else.

python -m bench report [FILE or FOLDER ...]     default bench/results; pictures and report.html beside them
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Line = dict[str, Any]
UNIT = "(m+n) l itemsize, l the sketch size of the call or the rank"  # of memory


def files(place: Path) -> list[Path]:
    return sorted(place.glob("*.jsonl")) if place.is_dir() else [place]


class NotResults(ValueError):
    """A file that no run of the bench wrote."""


def read(path: Path) -> list[Line]:
    """Lines of a result file, that about the environment first."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError:  # neither text nor JSON
        lines = []
    about = lines[0] if lines and isinstance(lines[0], dict) else {}
    if about.get("kind") != "environment":
        raise NotResults(f"{path} is not a result file of the bench")
    return lines


def heading(about: Line) -> str:
    """One sentence about where, when and with what."""
    ours, pools = about["subspan"], about["thread_pools"]
    blas = ", ".join(f"{p['internal_api']} {p.get('version')} x{p['num_threads']}" for p in pools)
    variables = (
        " ".join(f"{key}={value}" for key, value in about["variables"].items()) or "none set"
    )
    return (
        f"{about['suite']} at {about['commit']}, {about['date']}: {about['processor']}, "
        f"{about['affinity']} cores, L3 {about['cache_L3']}, load {about['load_at_start']}; "
        f"subspan {ours['subspan']} ({ours['instruction set']}, {ours['threads']} threads, "
        f"BLAS from {ours['BLAS taken from']}), numpy {ours['numpy']}, scipy {ours['scipy']}; "
        f"libraries: {blas}; variables: {variables}; rounds: {about['options']['rounds']}"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest entry; numbers to the right, the first two to the left."""
    widths = [max(len(row[c]) for row in [head, *rows]) for c in range(len(head))]
    texts = []
    for row in [head, ["-" * width for width in widths], *rows]:
        cells = [
            cell.ljust(width) if c == 0 or not _numeric(head[c]) else cell.rjust(width)
            for c, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        texts.append("  ".join(cells).rstrip())
    return "\n".join(texts)


def _numeric(title: str) -> bool:
    return title not in ("method", "role", "verdict", "setting", "target")


def band(low: float, high: float) -> str:
    return f"{_short(low)} .. {_short(high)}"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """Three digits, in milliseconds below one second."""
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def text(lines: list[Line]) -> str:
    """Everything in a result file as text."""
    about, *rest = lines
    parts = [heading(about), about["note"].strip()]
    for label in dict.fromkeys(line["label"] for line in rest if line["kind"] == "time"):
        mine = [line for line in rest if line.get("label") == label]
        times = [line for line in mine if line["kind"] == "time"]
        optimum = times[0]["optimum"]
        best = f" (best possible error {optimum:.2e})" if optimum is not None else ""
        parts.append(f"{label}{best}\n{_times(times)}")
        ratios = [line for line in mine if line["kind"] == "ratio"]
        if ratios:
            parts.append(_ratios(ratios))
    quality = [line for line in rest if line["kind"] == "quality"]
    if quality:
        parts.append(_quality(quality))
    timed: dict[str, list[str]] = {}
    for line in rest:
        if line.get("timed") and line["method"] not in timed.setdefault(line["timed"], []):
            timed[line["timed"]].append(line["method"])
    notes = [f"{'; '.join(methods)}: {what}" for what, methods in timed.items()]
    kinds = dict.fromkeys(line["error_kind"] for line in rest if line.get("error_kind"))
    notes += [f"error: {kind}, largest of the rounds checked" for kind in kinds]
    if any(line.get("first") for line in rest):
        notes.append(
            "first: the first call after a pause, which wakes sleeping threads; not in the median"
        )
    units = dict.fromkeys(line["memory"].get("unit", UNIT) for line in rest if line.get("memory"))
    notes += [
        f"memory: peak extra of the call in a process of its own, in brackets as a multiple of {unit}"
        for unit in units
    ]
    return "\n\n".join([*parts, "What was timed\n" + "\n".join(f"  {note}" for note in notes)])


def _times(times: list[Line]) -> str:
    return table(*time_rows(times))


def time_rows(times: list[Line]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the times of one case, without columns that would be empty."""
    rows = []
    for t in times:
        low, high = min(t["seconds"]) * 1e3, max(t["seconds"]) * 1e3
        rate = f"{t['flops'] / t['median'] / 1e9:.1f}" if t["flops"] else ""
        error = f"{max(t['errors']):.2e}" if t["errors"] else ""
        count = str(len(t["seconds"]))
        first = duration(statistics.median(t["first"])) if t["first"] else ""
        row = [t["method"], t["role"], duration(t["median"]), band(low, high) + " ms", count, first]
        rows.append([*row, error, rate, _memory(t["memory"])])
    head = ["method", "role", "median", "band", "n", "first", "error", "GFLOP/s", "memory"]
    keep = [c for c in range(len(head)) if any(row[c] for row in rows)]
    return [head[c] for c in keep], [[row[c] for c in keep] for row in rows]


def _memory(found: Line | None) -> str:
    if not found:
        return ""
    return (
        f"{found['extra_bytes'] / 2**20:.0f} MiB ({found['extra_bytes'] / found['unit_bytes']:.1f})"
    )


def _ratios(ratios: list[Line]) -> str:
    return table(*ratio_rows(ratios))


def ratio_rows(ratios: list[Line]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the ratios of one case."""
    rows = []
    for line in ratios:
        value = _short(line["ratio"]) if line["ratio"] is not None else "not resolved"
        rows.append([line["name"], value, band(*line["band"]), target(line), line["verdict"]])
    return ["ratio", "value", "band", "target", "verdict"], rows


def target(line: Line) -> str:
    """What a ratio was to be; empty if nothing was asked of it."""
    text = f">= {line['at_least']}" if line["at_least"] is not None else ""
    return text + (f"<= {line['at_most']}" if line["at_most"] is not None else "")


def _quality(lines: list[Line]) -> str:
    note = f"Error relative to {lines[0]['reference']}: worst, and median at that rank"
    return note + "\n" + table(*quality_rows(lines))


def quality_rows(lines: list[Line]) -> tuple[list[str], list[list[str]]]:
    """Worst ratio of each matrix per setting, over its ranks and seeds."""
    settings = list(dict.fromkeys(line["setting"] for line in lines))
    rows = []
    for name in dict.fromkeys(line["case"]["matrix"] for line in lines):
        row, ranks = [name], []
        for setting in settings:
            mine = [q for q in lines if (q["case"]["matrix"], q["setting"]) == (name, setting)]
            known = [q for q in mine if q["worst"] is not None]
            ranks = [str(q["case"]["rank"]) for q in known]
            worst = max(known, key=lambda q: q["worst"], default=None)
            missed = any(q["verdict"] == "missed" for q in known)
            row.append(f"{_worst(worst)}{' missed' * missed}" if worst else "rounding")
        rows.append([*row, ",".join(ranks)])
    goals = {line["setting"]: line["at_most"] for line in lines}
    head = [f"{s} (<= {goals[s]})" if goals[s] else s for s in settings]
    return ["matrix", *head, "ranks"], rows


def _worst(line: Line) -> str:
    return f"{line['worst']:.3f} ({statistics.median(line['ratios']):.2f})"


def main(arguments: Sequence[str]) -> int:
    places = [Path(name) for name in arguments] or [Path(__file__).parent / "results"]
    try:
        paths = [path for place in places for path in files(place)]
        results = {path: read(path) for path in paths}
    except (OSError, NotResults) as wrong:
        print(f"bench report: {wrong}", file=sys.stderr)
        return 2
    if not results:
        print(f"bench report: no *.jsonl in {', '.join(map(str, places))}", file=sys.stderr)
        return 2
    for lines in results.values():
        print(text(lines) + "\n")
    illustrate(results)
    return 0


def illustrate(results: dict[Path, list[Line]]) -> None:
    """Write NAME.png beside every result file, and one report.html beside the first."""
    if importlib.util.find_spec("matplotlib") is None:
        print("no pictures: they need matplotlib, pip install 'subspan[bench]'", file=sys.stderr)
    else:
        from . import pictures

        for path, lines in results.items():
            pictures.write(lines, path.with_suffix(".png"))
    from .page import page

    place = next(iter(results)).with_name("report.html")
    place.write_text(page(list(results.values())), encoding="utf-8")
    print(f"report: {place}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
