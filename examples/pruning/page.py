"""Tables and figures of this folder's page, from its results."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from subspan import plots

HERE = Path(__file__).parent
_WIDEST = 25  # ratio that the figure shows
Row = dict[str, Any]


def load(path: Path) -> list[Row]:
    """The rows of a file, if it is there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def cell(rows: Sequence[Row]) -> str:
    """Mean over the seeds, and their range."""
    values = [row["ratio"] for row in rows]
    if not values:
        return ""
    least, mean, most = map(number, (min(values), sum(values) / len(values), max(values)))
    return mean if least == most else f"{mean} ({least} to {most})"


def number(ratio: float) -> str:
    """Three digits, as far as anybody cares."""
    return f"{ratio:#.3g}".rstrip(".") if ratio < 1000 else "> 1000"


def grouped(rows: Sequence[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of these keys, in the order in which they come."""
    found: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row.get(key) for key in keys)].append(row)
    return found


def table(rows: Sequence[Row], title: str) -> list[str]:
    """Methods down; dropped and repaired across; a star where fewer calibration sets were used."""
    by = grouped(rows, "method", "reconstruct")
    sets = len({row["seed"] for row in rows})
    if sets > 1:
        title += f", {sets} calibration sets"
    lines = [f"| {title} | dropped | repaired |", "| --- | ---: | ---: |"]
    for method in dict.fromkeys(row["method"] for row in rows):
        groups = [by.get((method, repair), []) for repair in (False, True)]
        cells = [cell(g) + (" *" if 0 < len(g) < sets else "") for g in groups]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return lines


def named(rows: Sequence[Row]) -> list[Row]:
    """The rows, with widths that are not uniform named with the method."""
    return [
        {**r, "method": f"{r['method']}, measured widths"} if r.get("budget") else r for r in rows
    ]


def unit_tables(rows: Sequence[Row]) -> list[str]:
    """Everything about the language model."""
    dense, *rest = named(rows)
    units = [r for r in rest if r.get("structured", True) and not r.get("heads")]
    heads = [r for r in rest if r.get("heads")]
    masks = [r for r in rest if not r.get("structured", True)]
    lines = [
        f"Dense: perplexity {dense['perplexity']:.1f} over {dense['tokens']} held-out tokens in windows of "
        f"{dense['length']}; {dense['parameters'] / 1e6:.1f} million parameters. Calibration on "
        f"{dense['calibration']} tokens, a fifth of them held out. Ratios to the dense perplexity: the mean "
        "of the calibration sets, and the range where that differs; * where fewer sets were used.",
        "",
        "Units of the feed-forward modules removed, the same share of each but for measured widths:",
    ]
    for share in sorted({r["sparsity"] for r in units}):
        of_share = [r for r in units if r["sparsity"] == share]
        lines += ["", *table(of_share, f"{share:.0%} of the units")]
    fast = [r for r in units if "speedup" in r]
    if fast:
        speed = sum(r["speedup"] for r in fast) / len(fast)
        lines += ["", f"A forward pass of the model with 25 % less is {speed:.2f} times as fast."]
    if heads:
        lines += ["", "Attention heads removed, one of the three that share keys and values:", ""]
        lines += table(heads, f"{heads[0]['heads']:.0%} of the heads")
    if masks:
        shares = sorted({r["sparsity"] for r in masks})
        by = grouped(masks, "method", "sparsity")
        lines += [
            "",
            "Single weights of all linear layers set to zero, as many in every row; SparseGPT and I-OBS go "
            f"block by block, on {dense['sequential']} tokens:",
            "",
        ]
        lines += ["| method | " + " | ".join(f"{s:.0%}" for s in shares) + " |"]
        lines += ["| --- |" + " ---: |" * len(shares)]
        for method in dict.fromkeys(r["method"] for r in masks):
            cells = [cell(by.get((method, s), [])) for s in shares]
            lines.append(f"| {method} | {' | '.join(cells)} |")
    return lines


def encoder_tables(rows: Sequence[Row]) -> list[str]:
    """Everything about the sentence encoder."""
    dense, *rest = rows
    lines = [
        f"Dense: {dense['accuracy']:.1%} of {dense['tested']} held-out passages get the right genre of "
        f"{dense['classes']}. Accuracy after pruning, and mean cosine of an embedding with the dense one:",
        "",
    ]
    shares = sorted({r["sparsity"] for r in rest})
    by = grouped(rest, "method", "reconstruct", "sparsity")
    lines += ["| method | " + " | ".join(f"{s:.0%} of the units" for s in shares) + " |"]
    lines += ["| --- |" + " ---: |" * len(shares)]
    for method, repair in grouped(rest, "method", "reconstruct"):
        found = [by[method, repair, s][0] for s in shares]
        cells = [f"{r['accuracy']:.1%}, {r['cosine']:.3f}" for r in found]
        lines.append(f"| {method}{', repaired' if repair else ''} | {' | '.join(cells)} |")
    return lines


def picture(rows: Sequence[Row], path: Path) -> None:
    """Perplexity ratios at 25 %, method by method, dropped and repaired."""
    units = [r for r in named(rows)[1:] if r.get("structured", True) and not r.get("heads")]
    by = grouped([r for r in units if r["sparsity"] == 0.25], "method", "reconstruct")
    found = {key: sum(r["ratio"] for r in group) / len(group) for key, group in by.items()}
    best = {m: min(v for (n, _), v in found.items() if n == m) for m, _ in found}
    methods = sorted(best, key=best.__getitem__, reverse=True)
    figure = plots.new_figure(7, 4.5)
    axes = figure.subplots()
    kinds = ((False, plots.OTHER, "s", "dropped"), (True, plots.OURS, "o", "repaired"))
    for repair, colour, marker, label in kinds:
        points = [(found[m, repair], y) for y, m in enumerate(methods) if (m, repair) in found]
        if points:
            axes.plot(*zip(*points, strict=True), marker, color=colour, label=label)
    axes.set_xscale("log")
    axes.set_xlim(0.95, _WIDEST)
    ticks = [1, 1.5, 2, 3, 5, 10, 20]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    names = [m if best[m] < _WIDEST else f"{m} (beyond the scale)" for m in methods]
    axes.set_yticks(range(len(methods)), names)
    axes.grid(axis="x", which="both", alpha=0.2)
    axes.axvline(1, color=plots.INK, linewidth=0.8)
    axes.set_xlabel("perplexity / dense perplexity on held-out text, 25 % of the units removed")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def write(folder: Path) -> None:
    """Put the tables of all results into the page, and draw the figure."""
    page = folder / "README.md"
    text = page.read_text() if page.exists() else (HERE / "README.md").read_text()
    for name, tables in (("smollm2", unit_tables), ("encoder", encoder_tables)):
        rows = load(folder / "results" / f"{name}.jsonl")
        if rows:
            body = "\n".join(tables(rows)) + "\n"
            pattern = rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)"
            text = re.sub(pattern, lambda m, b=body: m[1] + b + m[2], text, flags=re.S)
            if name == "smollm2":
                picture(rows, folder / "smollm2.png")
    page.write_text(text)
