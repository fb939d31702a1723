"""Progress of long calls: a tqdm bar, a callable, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Progress:
    """Stages of one call, reported and timed.

    Parameters
    ----------
    progress : None, bool or callable
        True shows a bar (needs tqdm); a callable receives ``(done, total, info)`` at every stage and
        between blocks of native work, and may raise to stop the call.
    total : int
        Number of stages.
    """

    def __init__(self, progress: Any, total: int) -> None:
        self.seconds: dict[str, float] = {}
        self._total = total
        self._done = 0
        self._stage = ""
        self._bar: Any = None
        self._report: Callable[..., Any] | None = None
        if progress is True:
            try:
                from tqdm import tqdm
            except ImportError:
                raise ImportError(
                    "progress=True needs tqdm: pip install 'subspan[progress]'"
                ) from None
            self._bar = tqdm(total=total, desc="subspan")
        elif callable(progress):
            self._report = progress
        elif progress not in (None, False):
            raise TypeError(
                f"progress has type {type(progress).__name__}; expected a bool or a callable"
            )

    @property
    def poll(self) -> Callable[[], None] | None:
        """What native code calls between blocks; None when nobody listens."""
        return self._tell if self._report is not None else None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and report it."""
        self._stage = name
        self._tell()
        if self._bar is not None:
            self._bar.set_postfix_str(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
            self._done += 1
            if self._bar is not None:
                self._bar.update(1)
                if self._done >= self._total:
                    self._bar.close()
        self._tell()

    def block(self, done: int, total: int) -> None:
        """Report a block of a matrix that is read in blocks; `total` may be unknown, then `done`."""
        self._tell({"block": done, "blocks": total})

    def _tell(self, more: dict[str, int] | None = None) -> None:
        if self._report is not None:
            info = {"stage": self._stage, **(more or {})}
            self._report(min(self._done, self._total), self._total, info)
