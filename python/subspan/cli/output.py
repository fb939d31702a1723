"""What the commands share: exit codes, files that are whole or not there, values for JSON."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MET, FAILED, BAD_INPUT, NOT_MET, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 130, 141


def check_outputs(output: str | None, plot: str | None = None, *also: str) -> None:
    """Refuse a file that could not be written, before the work is done.

    Results go to .npz, .safetensors or one of the suffixes in `also`.
    """
    suffixes = (*also, ".npz", ".safetensors")
    for name in (output, plot):
        if name:
            _check_place(Path(name))
    if output and Path(output).suffix not in suffixes:
        known = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
        raise ValueError(f"--output {output}: the name must end in {known}")
    if output and Path(output).suffix == ".safetensors" and not _installed("safetensors"):
        raise ImportError(f"--output {output}: pip install 'subspan[storage]'")
    if plot:
        from .. import plots

        pictures = plots.new_figure(1, 1).canvas.get_supported_filetypes()
        if Path(plot).suffix[1:].lower() not in pictures:
            raise ValueError(f"--plot {plot}: not a picture that matplotlib writes")


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _check_place(path: Path) -> None:
    if not path.parent.is_dir():
        raise ValueError(f"folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path}: folder {path.parent} is not writable")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory")


@contextlib.contextmanager
def written(path: str | Path) -> Iterator[Path]:
    """Give a temporary name in the folder of `path`, that of a file or folder to be made.

    It takes the place of `path` when all went well, and is gone when anything went wrong.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".subspan-{secrets.token_hex(6)}{target.suffix}")
    try:
        yield temporary
        _flush(temporary)
        _take_place(temporary, target)
    except Exception as problem:
        if isinstance(problem, OSError) or type(problem).__name__ == "SafetensorError":
            text = getattr(problem, "strerror", None) or str(problem)
            raise OSError(f"{path}: could not be written: {text}") from None
        raise
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def _take_place(temporary: Path, target: Path) -> None:
    if not (temporary.is_dir() and target.is_dir()):
        os.replace(temporary, target)
        return
    former = temporary.with_suffix(".former")  # a folder takes the place of an empty one only
    os.replace(target, former)
    os.replace(temporary, target)
    shutil.rmtree(former)


def _flush(path: Path) -> None:
    """Wait for the disk: that it is full may be known only then."""
    for file in [path] if path.is_file() else path.iterdir():
        if file.is_file():
            with open(file, "rb+") as handle:
                os.fsync(handle.fileno())


def save_plot(drawn: Any, path: str | Path) -> None:
    """Write the figure that was drawn."""
    from .. import plots

    with written(path) as temporary:
        plots.save(drawn, temporary)


def plain(value: Any) -> Any:
    """Make a value fit for JSON, which knows neither numpy nor infinity."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
