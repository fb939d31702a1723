"""Warnings and errors of the package, beyond the built-in ones."""


class ToleranceNotMet(UserWarning):
    """The requested tolerance was not reached; the result says so in ``converged``."""


class DeviceUnavailable(RuntimeError):
    """The requested device cannot be used; the message says how to get it."""


__all__ = ["DeviceUnavailable", "ToleranceNotMet"]
