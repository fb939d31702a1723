"""Headings of the picture."""

from __future__ import annotations

from typing import Any

from .. import plots


def headline(figure: Any, text: str) -> None:
    """Write the heading of one row."""
    figure.suptitle(text, x=0.008, ha="left", fontsize=14.5, fontweight="bold", color=plots.INK)
