"""Tables and plots, from result files and nothing else.

python -m bench.report [FILE or FOLDER ...]     default bench/results; plots go beside the files
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Line = dict[str, Any]
COLORS = {"ours": "tab:blue", "peer": "tab:gray", "floor": "tab:green"}


def files(place: Path) -> list[Path]:
    return sorted(place.glob("*.jsonl")) if place.is_dir() else [place]


def read(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text().splitlines()]


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


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def text(lines: list[Line]) -> str:
    """Everything in a result file as text."""
    about, *rest = lines
    parts = [heading(about), about["note"].strip()]
    for label in dict.fromkeys(line["label"] for line in rest if line["kind"] == "time"):
        mine = [line for line in rest if line["label"] == label]
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
    if any(line.get("memory") for line in rest):
        notes.append(
            "memory: peak extra of the call in a process of its own, in brackets as a multiple of "
            "(m+n) l itemsize, l the sketch size of the call or the rank"
        )
    return "\n\n".join([*parts, "What was timed\n" + "\n".join(f"  {note}" for note in notes)])


def _times(times: list[Line]) -> str:
    rows = []
    for t in times:
        low, high = min(t["seconds"]) * 1e3, max(t["seconds"]) * 1e3
        rate = f"{t['flops'] / t['median'] / 1e9:.1f}" if t["flops"] else ""
        error = f"{max(t['errors']):.2e}" if t["errors"] else ""
        count = str(len(t["seconds"]))
        first = _time(statistics.median(t["first"])) if t["first"] else ""
        row = [t["method"], t["role"], _time(t["median"]), band(low, high) + " ms", count, first]
        rows.append([*row, error, rate, _memory(t["memory"])])
    head = ["method", "role", "median", "band", "n", "first", "error", "GFLOP/s", "memory"]
    keep = [c for c in range(len(head)) if any(row[c] for row in rows)]
    return table([head[c] for c in keep], [[row[c] for c in keep] for row in rows])


def _memory(found: dict[str, int] | None) -> str:
    if not found:
        return ""
    return (
        f"{found['extra_bytes'] / 2**20:.0f} MiB ({found['extra_bytes'] / found['unit_bytes']:.1f})"
    )


def _ratios(ratios: list[Line]) -> str:
    rows = []
    for line in ratios:
        value = _short(line["ratio"]) if line["ratio"] is not None else "not resolved"
        target = f">= {line['at_least']}" if line["at_least"] is not None else ""
        target += f"<= {line['at_most']}" if line["at_most"] is not None else ""
        rows.append([line["name"], value, band(*line["band"]), target, line["verdict"]])
    return table(["ratio", "value", "band", "target", "verdict"], rows)


def _quality(lines: list[Line]) -> str:
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
    note = f"Error relative to {lines[0]['reference']}: worst, and median at that rank"
    return note + "\n" + table(["matrix", *head, "ranks"], rows)


def _worst(line: Line) -> str:
    return f"{line['worst']:.3f} ({statistics.median(line['ratios']):.2f})"


def plot(lines: list[Line], path: Path) -> None:
    """One picture: a panel per case, or one panel of error ratios for a suite about quality."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    about, *rest = lines
    cases: dict[str, list[Line]] = {}
    for line in rest:
        if line["kind"] == "time":
            cases.setdefault(line["label"], []).append(line)
    quality = [line for line in rest if line["kind"] == "quality"]
    panels = 1 if quality else len(cases)
    if not panels:
        return
    names = {q["case"]["matrix"] for q in quality}
    tallest = max([len(names)] if quality else [len(times) for times in cases.values()])
    across = min(2, panels)
    down = -(-panels // across)
    size = (8.5 * across, down * (0.24 * tallest + 1.1) + 0.4)
    figure, axes = pyplot.subplots(down, across, figsize=size, squeeze=False)
    free = list(axes.flat)
    if quality:
        _plot_quality(free.pop(0), quality)
    else:
        for label, times in cases.items():
            _plot_times(free.pop(0), label, times)
    for axis in free:
        axis.set_axis_off()
    where = f"{about['processor']}, {about['subspan']['threads']} threads"
    figure.suptitle(f"{about['suite']}: {where}", fontsize=11)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _plot_times(axis: Any, label: str, times: list[Line]) -> None:
    """Medians as dots on their bands, the error beside them; further to the left is faster."""
    for y, t in enumerate(times):
        low, high, color = min(t["seconds"]), max(t["seconds"]), COLORS[t["role"]]
        axis.plot([low, high], [y, y], color=color, lw=2, alpha=0.5)
        axis.plot(t["median"], y, "o", ms=5, color=color)
        note = _time(t["median"]) + (f", error {max(t['errors']):.1e}" if t["errors"] else "")
        axis.annotate(note, (high, y), (6, 0), textcoords="offset points", va="center", fontsize=7)
    _names(axis, [t["method"] for t in times], label)
    axis.set_xscale("log")
    low, high = axis.get_xlim()
    axis.set_xlim(low / 1.5, high * (high / low) ** 0.35)  # room for the notes
    axis.set_xlabel("seconds (blue: subspan, gray: others, green: floors)", fontsize=7)


def _plot_quality(axis: Any, lines: list[Line]) -> None:
    """Every rank and matrix a dot: its worst ratio."""
    names = list(dict.fromkeys(line["case"]["matrix"] for line in lines))
    settings = list(dict.fromkeys(line["setting"] for line in lines))
    for c, setting in enumerate(settings):
        mine = [q for q in lines if q["setting"] == setting and q["worst"] is not None]
        ys = [names.index(q["case"]["matrix"]) + 0.22 * (c - 1) for q in mine]
        axis.plot([q["worst"] for q in mine], ys, "o", ms=3.5, color=f"C{c}", label=setting)
        goal = next((q["at_most"] for q in mine if q["at_most"]), None)
        if goal:
            axis.axvline(goal, color=f"C{c}", lw=0.8, ls="--")
    axis.axvline(1, color="black", lw=0.8)
    _names(axis, names, "error at equal rank")
    axis.set_xscale("log")
    low, high = axis.get_xlim()
    ticks = [tick for tick in (0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100) if low < tick < high]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_xticks([], minor=True)
    axis.set_xlabel("error / error of pivoted QR, worst over seeds; dashed: targets", fontsize=7)
    axis.legend(fontsize=7)


def _names(axis: Any, names: list[str], title: str) -> None:
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(axis="y", alpha=0.3)
    axis.tick_params(axis="x", which="both", labelsize=7)
    axis.set_title(title, fontsize=9)


def main(arguments: list[str]) -> int:
    places = [Path(name) for name in arguments] or [Path(__file__).parent / "results"]
    for path in (path for place in places for path in files(place)):
        lines = read(path)
        print(text(lines) + "\n")
        plot(lines, path.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
