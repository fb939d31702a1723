"""pytest plugin: subspan's randomized_svd and TruncatedSVD in the place of scikit-learn's."""

import pytest
import sklearn.decomposition
import sklearn.utils.extmath
from subspan.compat import sklearn as ours

sklearn.utils.extmath.randomized_svd = ours.randomized_svd
sklearn.decomposition.TruncatedSVD = ours.TruncatedSVD


@pytest.fixture
def global_random_seed():
    """What scikit-learn's conftest.py gives its tests."""
    return 42


def pytest_collection_modifyitems(items):
    """Fail unless the tests really have our functions in their hands."""
    for item in items:
        if "test_extmath" in item.module.__name__:
            assert item.module.randomized_svd is ours.randomized_svd
        else:
            assert item.module.TruncatedSVD is ours.TruncatedSVD
