"""Pictures, made gray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..._optional import extra


def read(path: Path, entry: str | None, by_rows: bool) -> Any:
    """Read the picture, from 0 to 255 or, where its pixels are deeper, as it is."""
    with extra("demo", "PIL"):
        from PIL import Image

    with Image.open(path) as image:
        deep = image.mode.startswith(("I", "F"))
        gray = np.asarray(image if deep else image.convert("L"))
    return gray.astype(np.float64)
