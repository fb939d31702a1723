"""CUR decomposition: A in terms of its own columns and rows."""

from .decomposition import CURDecomposition
from .driver import cur
from .factors import CORES

__all__ = ["CORES", "CURDecomposition", "cur"]
