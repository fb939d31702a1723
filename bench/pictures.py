"""Pictures of result files: times on their bands, error ratios, and rooflines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from subspan import plots
from subspan.plots.style import Palette, palette_of

from . import roof
from .report import Line, duration

MARKS = {"ours": ("o", "full"), "peer": ("s", "none"), "floor": ("|", "full")}
WORDS = {"ours": "subspan", "peer": "others", "floor": "floors"}


def write(lines: list[Line], path: Path) -> None:
    """One picture of a suite as PNG, if there is anything to show."""
    drawn = draw(lines)
    if drawn is not None:
        drawn.savefig(path, dpi=110)


def draw(lines: list[Line]) -> Any:
    """A figure with a panel per case, or one panel of error ratios for a suite about quality."""
    about, *rest = lines
    cases = by_case(rest)
    quality = [line for line in rest if line["kind"] == "quality"]
    panels = 1 if quality else len(cases)
    if not panels:
        return None
    names = {q["case"]["matrix"] for q in quality}
    tallest = max([len(names)] if quality else [len(times) for times in cases.values()])
    across = min(2, panels)
    down = -(-panels // across)
    size = (8.5 * across, down * (0.24 * tallest + 1.1) + 0.6)
    figure = plots.new_figure(*size)
    axes = figure.subplots(down, across, squeeze=False)
    free = list(axes.flat)
    palette = palette_of(free[0])
    if quality:
        _draw_quality(free.pop(0), quality, palette)
    else:
        for label, times in cases.items():
            _draw_times(free.pop(0), label, times, palette)
    for ax in free:
        ax.set_axis_off()
    where = f"{about['processor']}, {about['subspan']['threads']} threads"
    figure.suptitle(f"{about['suite']}: {where}", fontsize=11, color=palette.ink)
    return figure


def by_case(lines: list[Line]) -> dict[str, list[Line]]:
    """Times of every case."""
    cases: dict[str, list[Line]] = {}
    for line in lines:
        if line["kind"] == "time":
            cases.setdefault(line["label"], []).append(line)
    return cases


def rooflines(lines: list[Line]) -> Any:
    """A figure with a roofline for every case whose work is known; None if there is none."""
    known = {label: found for label, times in by_case(lines).items() if (found := roof.of(times))}
    if not known:
        return None
    figure = plots.new_figure(10, 4.4 * len(known))
    axes = figure.subplots(len(known), 1, squeeze=False)[:, 0]
    for ax, (label, (work, roles, limits)) in zip(axes, known.items(), strict=True):
        plots.roofline(work, roles=roles, ax=ax, **limits)
        ax.set_title(label, fontsize=9.5)
    return figure


def _draw_times(ax: Any, label: str, times: list[Line], palette: Palette) -> None:
    """Medians on their bands, the error beside them; further to the left is faster."""
    colours = {"ours": palette.ours, "peer": palette.other, "floor": palette.ink}
    named = set()
    for y, t in enumerate(times):
        low, high, role = min(t["seconds"]), max(t["seconds"]), t["role"]
        mark, fill = MARKS[role]
        name = {} if role in named else {"label": WORDS[role]}
        named.add(role)
        ax.plot([low, high], [y, y], color=colours[role], lw=2, alpha=0.5)
        style = {"color": colours[role], "fillstyle": fill, "ls": "none", "ms": 6, **name}
        ax.plot(t["median"], y, mark, **style)
        note = duration(t["median"])
        note += f", error {max(t['errors']):.1e}" if t["errors"] else ""
        place = {"xytext": (7, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(note, (high, y), fontsize=7, color=palette.ink, **place)
    _names(ax, [t["method"] for t in times], label, palette)
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.set_xlim(low / 1.5, high * max((high / low) ** 0.4, 4))  # room for the notes
    ax.set_xlabel("seconds, median on the band of the rounds", fontsize=7)
    ax.legend(fontsize=7, loc="upper right", framealpha=0.8, labelcolor=palette.ink)


def _draw_quality(ax: Any, lines: list[Line], palette: Palette) -> None:
    """Every rank and matrix a mark: its worst ratio."""
    names = list(dict.fromkeys(line["case"]["matrix"] for line in lines))
    settings = list(dict.fromkeys(line["setting"] for line in lines))
    for c, setting in enumerate(settings):
        mine = [q for q in lines if q["setting"] == setting and q["worst"] is not None]
        ys = [names.index(q["case"]["matrix"]) + 0.22 * (c - 1) for q in mine]
        line = palette.line(c)
        dash = line.pop("linestyle")
        ax.plot([q["worst"] for q in mine], ys, ls="none", label=setting, **line)
        goal = next((q["at_most"] for q in mine if q["at_most"]), None)
        if goal:
            ax.axvline(goal, color=line["color"], lw=0.8, ls=dash if dash != "-" else (0, (9, 3)))
    ax.axvline(1, color=palette.ink, lw=0.8)
    _names(ax, names, "error at equal rank", palette)
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ticks = [tick for tick in (0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100) if low < tick < high]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("error / error of pivoted QR, worst over seeds; dashed: targets", fontsize=7)
    ax.legend(fontsize=7, labelcolor=palette.ink)


def _names(ax: Any, names: list[str], title: str, palette: Palette) -> None:
    ax.set_yticks(range(len(names)), names, fontsize=7)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    ax.tick_params(axis="x", which="both", labelsize=7)
    ax.set_title(title, fontsize=9, color=palette.ink)
