"""What can be wrong with statistics of activations."""

import numpy as np


class NotEnoughSamples(ValueError):
    """Fewer rows were seen than the units that are to be fitted, and no damping was asked for."""


class SingularMoments(np.linalg.LinAlgError):
    """A second moment that must be positive definite is not; the message says what damping does."""


class FewSamples(UserWarning):
    """A least-squares fit from so few rows that its error on other rows may be far larger."""


__all__ = ["FewSamples", "NotEnoughSamples", "SingularMoments"]
