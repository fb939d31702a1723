"""How far to trust singular vectors: canonical angles to the true singular subspaces.

Before a decomposition, `prior_bounds` and `prior_estimates` say from the spectrum alone how close the
computed subspaces will be, and `recommend` how to split a number of products between oversampling and
power iterations. After it, `posterior_bounds` and `posterior_estimates` say how close they are. Every
:func:`subspan.svd` carries the answer in ``result.angles``.

After Dong, Martinsson and Nakatsukasa, arXiv 2211.04676.
"""

from .canonical import CanonicalAngles, canonical_angles
from .posterior import posterior_bounds, posterior_estimates
from .prior import prior_bounds, prior_estimates, saibaba_bounds
from .recommend import Recommendation, recommend

__all__ = [
    "CanonicalAngles",
    "Recommendation",
    "canonical_angles",
    "posterior_bounds",
    "posterior_estimates",
    "prior_bounds",
    "prior_estimates",
    "recommend",
    "saibaba_bounds",
]
