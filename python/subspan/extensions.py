"""Sketch operators and pivoters of other packages, by name.

A package offers one with an entry point in the group ``subspan.sketches`` or ``subspan.pivoters``, found
when its name is first asked for; a program registers one by a call, `subspan.sketch.register` or
`subspan.pivot.register`, which say what it has to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Registry:
    """Names of one kind of extension; those of the library itself cannot be taken."""

    def __init__(self, group: str, argument: str) -> None:
        self.group = group
        self._argument = argument
        self._reserved: frozenset[str] = frozenset()
        self._known: dict[str, Callable[..., Any]] = {}

    def reserve(self, names: Any) -> None:
        """Set the names that the library itself uses."""
        self._reserved = frozenset(names)

    def register(self, name: str, extension: Callable[..., Any]) -> None:
        """Make an extension known under a name."""
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"name={name!r} must be a string that is an identifier")
        if name in self._reserved:
            raise ValueError(f"name={name!r} is taken by subspan itself")
        if not callable(extension):
            raise TypeError(
                f"{self._argument} {name!r} has type {type(extension).__name__}; expected a callable"
            )
        if self._known.get(name, extension) is not extension:
            raise ValueError(f"name={name!r} is registered already, for {self._known[name]!r}")
        self._known[name] = extension

    def find(self, name: object) -> Callable[..., Any] | None:
        """Return the extension of that name, registered or installed; None if there is none."""
        if not isinstance(name, str) or name in self._reserved or name == "auto":
            return None
        if name not in self._known and name.isidentifier():
            self._load(name)
        return self._known.get(name)

    def names(self) -> list[str]:
        """Return the names of what is registered or installed."""
        from importlib.metadata import entry_points

        return sorted({*self._known, *entry_points(group=self.group).names} - self._reserved)

    def _load(self, name: str) -> None:
        """Import what an installed package offers under that name, if one does."""
        from importlib.metadata import entry_points

        found = {point.value: point for point in entry_points(group=self.group, name=name)}
        if len(found) > 1:
            raise ValueError(
                f"{self._argument}={name!r} is offered by several packages: {sorted(found)}"
            )
        for value, point in found.items():
            try:
                extension = point.load()
            except Exception as error:
                raise ImportError(
                    f"{self._argument}={name!r}: its entry point {value!r} does not load: {error}"
                ) from error
            self.register(name, extension)


SKETCHES = Registry("subspan.sketches", "sketch")
PIVOTERS = Registry("subspan.pivoters", "pivoting")


def register_pivoter(name: str, pivoter: Callable[[Any, int, int], Any]) -> None:
    """Make a pivoter of your own known: ``pivoting=name`` of `pivots` and `interpolative`.

    A package offers one without a call, by an entry point in the group ``subspan.pivoters``.

    Parameters
    ----------
    name : str
        An identifier that subspan does not use itself.
    pivoter : callable
        ``pivoter(A, k, seed)`` returns the indices of k distinct columns of A, in the order chosen: an
        array or a list of k integers in ``[0, n)``. A is a finite array or ``scipy.sparse`` matrix of shape
        (m, n) in one of the four precisions, in any order and not to be written to, and
        ``1 <= k <= min(m, n)``; rows are chosen by the same call on the transpose. `seed` is an integer
        below ``2**64``: the indices depend on A, k and it alone.

    Raises
    ------
    ValueError
        If the name is no identifier, or taken.
    TypeError
        If `pivoter` cannot be called.

    Notes
    -----
    What it returns is checked at every call. It works at a fixed rank, on matrices in memory.
    `interpolative` adds exact coefficients and an error estimate from an independent probe.

    Examples
    --------
    >>> import numpy as np, subspan
    >>> def longest(A, k, seed):
    ...     return np.argsort(-np.linalg.norm(A, axis=0), kind="stable")[:k]
    >>> subspan.pivot.register("longest", longest)
    >>> subspan.pivots(np.diag([1.0, 3.0, 2.0]), 2, pivoting="longest")
    array([1, 2])
    """
    PIVOTERS.register(name, pivoter)
