"""Pictures of results. matplotlib is imported when one is drawn, never before.

Figures are made without pyplot: no window, no global state, any thread.
"""

from .angles import angles
from .cur import cur
from .figure import BEST, INK, OTHER, OURS, montage, new_figure, photograph
from .pruning import pruning
from .selection import selection
from .skeleton import error_by_rank, interpolative
from .weak_to_strong import weak_to_strong

__all__ = [
    "BEST",
    "INK",
    "OTHER",
    "OURS",
    "angles",
    "cur",
    "error_by_rank",
    "interpolative",
    "montage",
    "new_figure",
    "photograph",
    "pruning",
    "selection",
    "weak_to_strong",
]
