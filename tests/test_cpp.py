"""The C++ library installs, and a project of its own finds and uses it."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import subspan

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "cpp"
pytestmark = [
    pytest.mark.host_only,
    pytest.mark.slow,
    pytest.mark.skipif(not EXAMPLE.is_dir(), reason="no checkout around the tests"),
    pytest.mark.skipif(
        not (shutil.which("cmake") and shutil.which("c++")), reason="no CMake or no C++ compiler"
    ),
]


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The example, built against an installed library."""
    folder = tmp_path_factory.mktemp("cpp")
    build, prefix = folder / "build", folder / "prefix"
    flags = ("-DCMAKE_BUILD_TYPE=Release",)
    run("cmake", "-S", ROOT, "-B", build, "-DSUBSPAN_PYTHON=OFF", *flags)
    run("cmake", "--build", build, "--parallel", 2)
    run("cmake", "--install", build, "--prefix", prefix)
    found = f"-DCMAKE_PREFIX_PATH={prefix}"
    run("cmake", "-S", EXAMPLE, "-B", folder / "example", found, *flags)
    run("cmake", "--build", folder / "example")
    return folder / "example" / "interpolative"


@pytest.fixture(scope="module")
def blas():
    """The library that numpy has loaded."""
    libraries = (Path(np.__file__).parents[1] / "numpy.libs").glob("*openblas*")
    path = next(iter(libraries), None)
    if path is None:
        pytest.skip("numpy is not from a wheel with OpenBLAS beside it")
    return path


def test_same_columns_as_in_python(program, blas):
    columns, error = run(program, blas).splitlines()
    i, j = np.ogrid[:300, :200]
    A = 1 / (1.0 + i + j)
    picks = [int(word) for word in columns.removeprefix("columns:").split()]
    expected = subspan.pivots(A, 8, pivoting="lupp", sketch="gaussian", rng=7)
    assert picks == expected.tolist()
    Q, _ = np.linalg.qr(A[:, picks])
    best = np.linalg.norm(A - Q @ (Q.T @ A)) / np.linalg.norm(A)
    # Least squares on l = 2 k Gaussian rows: the expected square is 1 + k / (l - k - 1) of the best.
    assert best * (1 - 1e-3) <= float(error.split()[-1]) <= 2 * np.sqrt(1 + 8 / 7) * best


def test_without_a_library_it_says_so(program):
    done = subprocess.run([program, "/no/such/library.so"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: interpolative LIBRARY")
