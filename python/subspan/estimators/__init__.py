"""The scikit-learn face: estimators for pipelines and searches, computed by subspan's routines.

Needs scikit-learn: ``pip install 'subspan[sklearn]'``. ``random_state`` is what ``rng`` is elsewhere;
None draws fresh entropy and leaves numpy's global state alone.
"""

from .._optional import extra

with extra("sklearn", "sklearn"):
    from .cur_decomposer import CURDecomposer
    from .interpolative_selector import InterpolativeSelector
    from .nystroem import NystroemRBRP
    from .randomized_svd import RandomizedSVD
    from .row_selector import RowSelector
    from .sketch_transformer import SketchTransformer

__all__ = [
    "CURDecomposer",
    "InterpolativeSelector",
    "NystroemRBRP",
    "RandomizedSVD",
    "RowSelector",
    "SketchTransformer",
]
