"""Directives that put measured figures on a page, from bench/results and from nothing else.

``{bench-table} TITLE``: the table of the README whose heading starts with TITLE, by `bench.readme`.
``{bench-slower} SUITE ...``: where another library was faster than every setting of ours that is as accurate.
``{bench-missed}``: every target of ours that was missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from bench import readme, report

_SAME_ERROR = 1.1  # errors of two methods closer than this count as equal
_ROUNDING = 1e-13  # and so do errors below this


def tables() -> dict[str, tuple[str, str]]:
    """Heading of each table of the README -> (the sentence above it, the table)."""
    parts = readme.figures().strip().split("\n\n")
    # Each table is followed by the sentence of the next one.
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {sentence.split(",")[0].split(" in ")[0]: (sentence, table) for sentence, table in pairs}


def slower(suite: str) -> Iterator[tuple[str, ...]]:
    """Case, peer, its time and error, our fastest setting of that error, its time and error.

    Where no setting of ours has that error, the most accurate one stands for them.
    """
    lines = [
        line
        for line in report.read(readme.RESULTS / f"{suite}.jsonl")[1:]
        if line["kind"] == "time" and line["errors"]
    ]
    for peer in (line for line in lines if line["role"] == "peer"):
        ours = [x for x in lines if (x["label"], x["role"]) == (peer["label"], "ours")]
        allowed = max(_SAME_ERROR * max(peer["errors"]), _ROUNDING)
        equal = [line for line in ours if max(line["errors"]) <= allowed]
        fastest = min(equal, key=lambda line: line["median"], default=None)
        best = fastest or min(ours, key=lambda line: max(line["errors"]))
        if peer["median"] < best["median"]:
            yield peer["label"], peer["method"], _cell(peer), best["method"], _cell(best)


def missed() -> Iterator[tuple[str, ...]]:
    """Suite, case, ratio, measured, band, target, verdict."""
    for path in report.files(readme.RESULTS):
        for line in report.read(path):
            if line["kind"] == "ratio" and line["verdict"].startswith(("missed", "open")):
                goal = f"≥ {line['at_least']:.3g}" if line["at_least"] else ""
                goal += f"≤ {line['at_most']:.3g}" if line["at_most"] else ""
                value = f"{line['ratio']:.3g}" if line["ratio"] is not None else "not resolved"
                name = line["name"], value, report.band(*line["band"])
                yield path.stem, line["label"], *name, goal, line["verdict"]


def _cell(line: dict[str, Any]) -> str:
    seconds = line["median"]
    text = f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
    return text + (f" ({max(line['errors']):.0e})" if line["errors"] else "")


def markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


class _Figures(SphinxDirective):
    """Base: what a directive makes is Markdown, parsed where it stands."""

    def text(self) -> str:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        for path in report.files(readme.RESULTS):
            self.env.note_dependency(str(path))
        made = self.parse_text_to_nodes(self.text())
        for table in (t for node in made for t in node.findall(nodes.table)):
            table["classes"].append("figures")
        return made


class BenchTable(_Figures):
    required_arguments, final_argument_whitespace = 1, True

    def text(self) -> str:
        found = tables()
        if self.arguments[0] not in found:
            raise self.error(f"no table {self.arguments[0]!r}; there are {list(found)}")
        return "\n\n".join(found[self.arguments[0]])


class BenchSlower(_Figures):
    required_arguments, final_argument_whitespace = 1, True

    def text(self) -> str:
        rows = [row for suite in self.arguments[0].split() for row in slower(suite)]
        if not rows:
            return "No case."
        return markdown(("case", "faster", "", "subspan's fastest of that error", ""), rows)


class BenchMissed(_Figures):
    def text(self) -> str:
        rows = list(missed())
        if not rows:
            return "No target was missed."
        head = ("suite", "case", "ratio", "measured", "band", "target", "verdict")
        return markdown(head, rows)


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("bench-table", BenchTable)
    app.add_directive("bench-slower", BenchSlower)
    app.add_directive("bench-missed", BenchMissed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
