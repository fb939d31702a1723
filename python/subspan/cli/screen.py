"""What people see: tables on standard output, a bar on standard error while they wait."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

_UNBROKEN = 10**6  # columns; only terminals have an end of the line


def show(*parts: Any) -> None:
    """Print text and tables; in colour and folded on a terminal only, NO_COLOR is obeyed."""
    from rich.console import Console

    plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    console = Console(**plain)
    if console.is_terminal:
        console.print(*parts, sep="\n")
        return
    # Lines are drawn with characters that the encoding has, and end where their text does.
    text = io.TextIOWrapper(io.BytesIO(), getattr(sys.stdout, "encoding", None), errors="replace")
    Console(file=text, width=_UNBROKEN, color_system=None, **plain).print(*parts, sep="\n")
    text.seek(0)
    print("\n".join(line.rstrip() for line in text.read().splitlines()))


def facts(rows: Iterable[tuple[str, Any]]) -> Any:
    """Return a table of names and values."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", min_width=9, no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(str(value)))
    return table


def listing(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    """Return a table of numbers: names on the left, below a header."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*(_number(value) for value in row))
    return table


def _number(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value)


@contextlib.contextmanager
def progress_bar(wanted: bool) -> Iterator[Callable[..., None] | None]:
    """Give what the routines call with their progress; nothing if nobody is looking."""
    # Not what rich calls a terminal: FORCE_COLOR asks for colours in files, not for a bar.
    if not (wanted and sys.stderr is not None and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def report(done: int, total: int, info: Any = None) -> None:
            details = info if isinstance(info, dict) else {}
            part = details.get("block", 0) / max(1, details.get("blocks", 1))
            bar.update(
                task, completed=done + part, total=total, description=str(details.get("stage", ""))
            )

        yield report
