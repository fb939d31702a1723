"""One HTML file about a run: pictures inside, nothing to load, readable on a light and a dark screen."""

from __future__ import annotations

import base64
import importlib.util
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from .report import Line, band, quality_rows, ratio_rows, target, time_rows

EQUAL = 1.1  # errors up to this factor apart count as equal
SIGNS = {"met": "✓", "missed": "✗", "met at the median": "✓?", "missed at the median": "✗?"}
STYLE = """
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --rule: #ccc; --faint: #666 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --paper: #14171c; --rule: #444; --faint: #aaa } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .7rem 0 1.4rem; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .15rem .8rem .15rem 0; border-bottom: 1px solid var(--rule) }
.wide { overflow-x: auto } img { max-width: 100% } .note { color: var(--faint); white-space: pre-line }
@media print { details { display: block } }
"""


def page(results: Sequence[list[Line]]) -> str:
    """The whole page for result files of one machine."""
    suites = [lines[0]["suite"] for lines in results]
    parts = ["<h1>subspan, timed</h1>", _machine(results), _targets(results), _peers(results)]
    links = " · ".join(f'<a href="#{escape(s)}">{escape(s)}</a>' for s in suites)
    parts.append(f"<p>Suites: {links}</p>")
    parts += [_suite(lines) for lines in results]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>subspan, timed: {escape(', '.join(suites))}</title><style>{STYLE}</style></head>"
        f"<body>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in cells) + "</tr>"

    body = "\n".join(row(cells, "td") for cells in rows)
    return f'<div class="wide"><table>{row(head, "th")}\n{body}</table></div>'


def _machine(results: Sequence[list[Line]]) -> str:
    """Where and with what; a value that differs between suites is given with all its values."""
    described: dict[str, list[str]] = {}
    for about, *_ in results:
        for name, value in _conditions(about):
            if value not in described.setdefault(name, []):
                described[name].append(value)
    seconds = sum(line["seconds"] for lines in results for line in lines if line["kind"] == "end")
    if seconds:
        described["wall time"] = [f"{seconds / 60:.1f} minutes"]
    return "<h2>Machine and versions</h2>" + _table(
        ["", ""], [[name, "; ".join(values)] for name, values in described.items()]
    )


def _conditions(about: Line) -> Iterator[tuple[str, str]]:
    ours = about["subspan"]
    yield "processor", f"{about['processor']}, {about['affinity']} of {about['cores']} cores"
    yield "system", f"{about['system']}, {about['memory_GB']} GB, L3 cache {about['cache_L3']}"
    yield "device", about["options"].get("device", "cpu")
    if about.get("gpu"):
        yield "GPU", about["gpu"]
    yield "subspan", f"{ours['subspan']} at {about['commit']}, {ours['instruction set']}"
    yield "date", about["date"][:10]
    yield "threads", str(ours["threads"])
    yield "BLAS", f"{ours['BLAS library']}, from {ours['BLAS taken from']}"
    yield "versions", f"Python {ours['python']}, numpy {ours['numpy']}, SciPy {ours['scipy']}"
    for name, version in about.get("peers", {}).items():
        yield name, version or "not installed: its rows are missing"
    yield "variables", " ".join(f"{k}={v}" for k, v in about["variables"].items()) or "none set"
    yield "rounds", str(about["options"]["rounds"])


def _targets(results: Sequence[list[Line]]) -> str:
    asked = [
        line
        for lines in results
        for line in lines
        if line["kind"] in ("ratio", "quality") and line["verdict"]
    ]
    if not asked:
        return "<h2>Targets</h2><p>None of these cases has one.</p>"
    counts = Counter(line["verdict"] for line in asked)
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    rows = []
    for line in asked:
        sign = SIGNS.get(line["verdict"], "?")
        if line["kind"] == "quality":
            value, limits = f"{line['worst']:.3f}", f"<= {line['at_most']}"
            name, spread = f"{line['setting']} / {line['reference']}", ""
        else:
            value = "not resolved" if line["ratio"] is None else f"{line['ratio']:.3g}"
            limits, name, spread = target(line), line["name"], band(*line["band"])
        rows.append([f"{sign} {line['verdict']}", line["label"], name, value, spread, limits])
    head = ["verdict", "case", "ratio", "value", "band of the rounds", "target"]
    return f"<h2>Targets</h2><p>{escape(summary)}.</p>" + _table(head, rows)


def _peers(results: Sequence[list[Line]]) -> str:
    """Ratios of others to us, with the errors that both reached."""
    rows = []
    for lines in results:
        timed = {(t["label"], t["method"]): t for t in lines if t["kind"] == "time"}
        for line in lines:
            if line["kind"] != "ratio":
                continue
            top, ours = (timed.get((line["label"], line[end])) for end in ("top", "bottom"))
            if top and ours and (top["role"], ours["role"]) == ("peer", "ours"):
                value = "not resolved" if line["ratio"] is None else f"{line['ratio']:.3g}"
                pair = [line["label"], top["method"], ours["method"], value]
                rows.append([*pair, band(*line["band"]), equal_error(ours, top)])
    head = ["case", "other", "subspan", "times faster", "band", "errors, ours and theirs"]
    note = f"Errors count as equal up to a factor of {EQUAL}."
    return f"<h2>Against others</h2><p>{note}</p>" + _table(head, rows) if rows else ""


def equal_error(ours: Line, other: Line) -> str:
    """The largest errors of two methods, and whether they are a fair pair."""
    if not ours["errors"] or not other["errors"] or ours["error_kind"] != other["error_kind"]:
        return "not compared"
    mine, theirs = max(ours["errors"]), max(other["errors"])
    low, high = sorted((mine, theirs))
    word = "equal" if high <= EQUAL * low or high < 1e-11 else "better" if mine == low else "WORSE"
    return f"{mine:.2e}, {theirs:.2e}: {word}"


def _suite(lines: list[Line]) -> str:
    about, *rest = lines
    parts = [f'<h2 id="{escape(about["suite"])}">{escape(about["suite"])}</h2>']
    parts.append(f'<p class="note">{escape(about["note"].strip())}</p>')
    parts += list(_figures(lines))
    for label in dict.fromkeys(line["label"] for line in rest if line["kind"] == "time"):
        mine = [line for line in rest if line.get("label") == label]
        times = [line for line in mine if line["kind"] == "time"]
        ratios = [line for line in mine if line["kind"] == "ratio"]
        optimum = times[0]["optimum"]
        best = f" (best possible error {optimum:.2e})" if optimum is not None else ""
        tables = _table(*time_rows(times)) + (_table(*ratio_rows(ratios)) if ratios else "")
        parts.append(f"<details open><summary>{escape(label + best)}</summary>{tables}</details>")
    quality = [line for line in rest if line["kind"] == "quality"]
    if quality:
        parts.append(_table(*quality_rows(quality)))
    return "\n".join(parts)


def _figures(lines: list[Line]) -> Iterator[str]:
    """Pictures inside the page, one for light and one for dark screens."""
    if importlib.util.find_spec("matplotlib") is None:
        yield "<p>No pictures: matplotlib is not installed.</p>"
        return
    from . import pictures

    for draw in (pictures.draw, pictures.rooflines):
        light, dark = (_data(draw, lines, name) for name in ("light", "dark"))
        if light:
            about = f"{lines[0]['suite']}: {'times' if draw is pictures.draw else 'rooflines'}"
            yield (
                f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
                f'<img src="{light}" alt="{escape(about)}"></picture>'
            )


def _data(draw: Any, lines: list[Line], paper: str) -> str:
    from matplotlib import rc_context
    from subspan import plots

    with plots.style(paper), rc_context({"svg.fonttype": "none"}):  # words, not outlines
        figure = draw(lines)
        if figure is None:
            return ""
        file = io.BytesIO()
        figure.savefig(file, format="svg")
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
