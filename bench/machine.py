"""Where and with what a run took place: hardware, versions, commit, threads, BLAS."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PREFIXES = ("OPENBLAS_", "OMP_", "MKL_", "SUBSPAN_")


PEERS = ("scikit-learn", "torch", "dask", "threadpoolctl", "matplotlib")


def environment(device: str = "cpu") -> dict[str, Any]:
    """Everything needed to judge a timing. No host name and no path."""
    from subspan.config import config

    from .device import name

    ours = config()
    ours["BLAS taken from"] = Path(ours["BLAS taken from"]).name
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "affinity": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "memory_GB": _memory_gb(),
        "cache_L3": _last_level_cache(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "subspan": ours,
        "gpu": name(device),
        "peers": {package: _version(package) for package in PEERS},
        "thread_pools": _pools(),
        "variables": {
            name: Path(value).name  # SUBSPAN_BLAS may be a path
            for name, value in sorted(os.environ.items())
            if name.startswith(PREFIXES)
        },
    }


def commit() -> str:
    """Commit of the checkout, "+" added if files differ from it."""
    root = Path(__file__).parents[1]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        found = git("rev-parse", "--short=12", "HEAD")
        return found + "+" * bool(git("status", "--porcelain", "csrc", "python")) or "unknown"
    except OSError:
        return "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def _last_level_cache() -> str:
    try:
        return Path("/sys/devices/system/cpu/cpu0/cache/index3/size").read_text().strip()
    except OSError:
        return "unknown"


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pools() -> list[dict[str, Any]]:
    """One entry per loaded BLAS or OpenMP library: they may keep a thread pool each."""
    import scipy.linalg.blas  # noqa: F401  (so that SciPy's library is among them)

    try:
        from threadpoolctl import threadpool_info
    except ModuleNotFoundError:
        return []

    keys = ("internal_api", "version", "num_threads", "architecture", "threading_layer")
    return [{key: pool[key] for key in keys if key in pool} for pool in threadpool_info()]
