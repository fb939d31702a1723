"""Numbers and tables as the demo prints them."""

from __future__ import annotations

from collections.abc import Sequence


def percent(x: float | None) -> str:
    """A share, or nothing."""
    return "" if x is None else f"{100 * x:.2f} %"


def seconds_text(seconds: float | None) -> str:
    """Seconds, or nothing."""
    if seconds is None:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header: the first column to the left, the rest to the right."""
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    for i, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  " + "  ".join(cells).rstrip())
        if i == 0:
            print("  " + "  ".join("-" * width for width in widths))
