"""What the commands share: exit codes, seeds, files to write, values for JSON."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

MET, FAILED, BAD_INPUT, NOT_MET, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 130, 141


def seed(text: str) -> int:
    """Read a seed."""
    value = int(text)
    if not 0 <= value < 2**64:
        raise argparse.ArgumentTypeError(f"{value} must lie in [0, 2**64)")
    return value


def check_outputs(output: str | None, plot: str | None = None, *also: str) -> None:
    """Refuse a file that could not be written, before the work is done.

    Results go to .npz, .safetensors or one of the suffixes in `also`.
    """
    suffixes = (*also, ".npz", ".safetensors")
    for name in (output, plot):
        if name and not Path(name).parent.is_dir():
            raise ValueError(f"folder {Path(name).parent} does not exist")
    if output and Path(output).suffix not in suffixes:
        known = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
        raise ValueError(f"--output {output}: the name must end in {known}")
    if output and Path(output).suffix == ".safetensors":
        import importlib.util

        if importlib.util.find_spec("safetensors") is None:
            raise ImportError(f"--output {output}: pip install safetensors")
    if plot:
        from .. import plots

        pictures = plots.new_figure(1, 1).canvas.get_supported_filetypes()
        if Path(plot).suffix[1:].lower() not in pictures:
            raise ValueError(f"--plot {plot}: not a picture that matplotlib writes")


def plain(value: Any) -> Any:
    """Make a value fit for JSON, which knows neither numpy nor infinity."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
