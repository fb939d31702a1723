"""Column-pivoted QR, truncated at a rank or tolerance, or full."""

from .decomposition import PivotedQR
from .driver import qr

__all__ = ["PivotedQR", "qr"]
