"""Libraries that only some parts need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str, *packages: str) -> Iterator[None]:
    """Imports inside that fail for want of one of the packages say which extra brings it."""
    try:
        yield
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in packages:
            raise
        text = f"this needs {package}, which is not installed: pip install 'subspan[{name}]'"
        raise ModuleNotFoundError(text, name=package) from None
