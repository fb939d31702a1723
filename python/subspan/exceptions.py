"""Warnings and errors of the package, beyond the built-in ones."""

import sys
from pathlib import Path

_HERE = str(Path(__file__).parent)


class ToleranceNotMet(UserWarning):
    """The requested tolerance was not reached; the result says so in ``converged``."""


class MisleadingEstimate(UserWarning):
    """A published estimator was asked for that does not measure what it is named after."""


class DeviceUnavailable(RuntimeError):
    """The requested device cannot be used; the message says how to get it."""


def callers_level() -> int:
    """Return the `stacklevel` of a warning that is to point at the caller of the package."""
    level = 1
    while sys._getframe(level).f_code.co_filename.startswith(_HERE):
        level += 1
    return level


__all__ = ["DeviceUnavailable", "MisleadingEstimate", "ToleranceNotMet", "callers_level"]
