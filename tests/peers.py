"""Run another library's own installed test file with our functions in the place of its own."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run_in_place(module, plugin, folder, *options):
    """Run the tests of an installed module under one of the plugins in ``tests/in_place``.

    Skips if the library comes without its tests. Warnings are errors, as in our own tests.
    Returns how many passed; a failure shows the report.
    """
    library = module.partition(".")[0]
    pytest.importorskip(library)
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{library} is installed without its tests")
    path = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    out = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "pytest", "--pyargs", module, "-q"),
            *("-c", os.devnull, "--noconftest", "-p", "no:cacheprovider"),
            *("-p", f"in_place.{plugin}", *options),
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert out.returncode == 0, out.stdout + out.stderr
    return int(re.search(r"(\d+) passed", out.stdout)[1])
