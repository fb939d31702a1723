"""What is missing is named together with what installs it."""

import subprocess
import sys

import pytest
from subspan._optional import extra

pytestmark = pytest.mark.host_only

CALLS = {
    "subspan.selection.SkMM": "sklearn",
    "subspan.w2s.WeakToStrongRegressor": "sklearn",
    "subspan.estimators.RowSelector": "sklearn",
    "subspan.pruning.prune_model": "torch",
    "__import__('subspan.torch')": "torch",
}


@pytest.mark.parametrize("call", CALLS)
def test_a_missing_library_names_its_extra(call):
    name = CALLS[call]
    program = f"import sys; sys.modules[{name!r}] = None; import subspan; {call}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert last.endswith(
        f"this needs {name}, which is not installed: pip install 'subspan[{name}]'"
    )


def test_other_failures_pass_unchanged():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), extra("torch", "torch"):
        import no_such_module  # noqa: F401
