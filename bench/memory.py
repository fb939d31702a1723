"""Peak extra memory of one call, in a child process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

Call = Callable[[Any, int, int], Any]  # (A, rank, seed) -> result
Load = Callable[[Path], Any]

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@contextmanager
def stored(A: Any) -> Iterator[Path]:
    """A file that children can load A from."""
    with tempfile.TemporaryDirectory() as folder:
        if sp.issparse(A):
            path = Path(folder) / "A.npz"
            sp.save_npz(path, A, compressed=False)
        else:
            path = Path(folder) / "A.npy"
            np.save(path, A)
        yield path


def load_stored(path: Path) -> Any:
    """Load what `stored` wrote."""
    return sp.load_npz(path) if path.suffix == ".npz" else np.load(path)


def peak_extra(
    call: Call, path: Path, rank: int, load: Load = load_stored
) -> dict[str, Any] | None:
    """Bytes that ``call(load(path), rank, 0)`` adds at its peak, result included; None without /proc.

    The high-water mark of resident memory, reset just before the call; threads and libraries have
    been started by a small problem.
    """
    return in_child(_measure, call, path, rank, load)


def in_child(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any] | None:
    """What a function that calls `high_water` says in a process of its own; None without /proc."""
    if not _CLEAR.exists():
        return None
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def high_water(call: Callable[[], Any]) -> tuple[int, Any]:
    """Bytes by which resident memory rises during a call, and its result."""
    _CLEAR.write_text("5")
    before = _status("VmRSS")
    result = call()
    return _status("VmHWM") - before, result


def _measure(call: Call, path: Path, rank: int, load: Load) -> dict[str, int]:
    A = load(path)
    warm = np.random.default_rng(0).standard_normal((300, 200)).astype(A.dtype)
    call(sp.csr_array(warm) if sp.issparse(A) else warm, 5, 0)
    extra, result = high_water(lambda: call(A, rank, 0))
    plan = getattr(result, "plan", None)
    size = max(rank, int(plan.choices.get("sketch size") or 0)) if plan is not None else rank
    m, n = A.shape
    return {"extra_bytes": extra, "unit_bytes": (m + n) * size * A.dtype.itemsize, "size": size}


def _status(key: str) -> int:
    lines = _STATUS.read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key + ":"))
