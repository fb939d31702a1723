"""Truncated singular value decomposition, to a rank or to a tolerance."""

from .decomposition import SVDResult
from .driver import svd

__all__ = ["SVDResult", "svd"]
