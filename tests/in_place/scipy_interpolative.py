"""pytest plugin: subspan's functions in the place of ``scipy.linalg.interpolative``."""

import sys

import scipy.linalg
import subspan.compat.scipy_interpolative as ours

sys.modules["scipy.linalg.interpolative"] = scipy.linalg.interpolative = ours


def pytest_collection_modifyitems(items):
    """Fail unless the tests really have our functions in their hands."""
    assert items
    assert all(item.module.pymatrixid is ours for item in items)
    assert all(item.module.interp_decomp is ours.interp_decomp for item in items)
