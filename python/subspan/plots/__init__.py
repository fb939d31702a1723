"""Pictures of results. matplotlib is imported when one is drawn, never before.

Every function draws on the axes given as ``ax=``, or in a new figure, and returns the Axes: one, or an
array of them where a picture has several panels; :func:`save` writes the file. Figures are made without
pyplot: no window, any thread. On white paper by default, on dark inside ``with style("dark"):``.
"""

from .angles import angles
from .choice import choice
from .errors import error_by_rank, errors
from .figure import montage, new_figure, photograph, save
from .pruning import pruning, pruning_tradeoff
from .risks import overlap, risks
from .roofline import roofline
from .selection import selection
from .skeleton import interpolative
from .spectrum import spectrum
from .style import BEST, INK, OTHER, OURS, style
from .weak_to_strong import weak_to_strong

__all__ = [
    "BEST",
    "INK",
    "OTHER",
    "OURS",
    "angles",
    "choice",
    "error_by_rank",
    "errors",
    "interpolative",
    "montage",
    "new_figure",
    "overlap",
    "photograph",
    "pruning",
    "pruning_tradeoff",
    "risks",
    "roofline",
    "save",
    "selection",
    "spectrum",
    "style",
    "weak_to_strong",
]
