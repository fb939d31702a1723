"""Every test runs on the host and on the fake device, whose memory faults when the host touches it.

Where the CUDA module is built and finds a device, they run on that as well.

Tests marked ``host_only`` (subprocesses, huge memory, statistics of code that both devices share)
and the modules in `RUN_ONCE`, which do not look at devices, run once.
"""

import importlib
import importlib.util
import os

# Idle workers of the two OpenBLAS pools (numpy's and SciPy's) go to sleep at once instead of
# spinning on the cores. Read when the libraries are loaded, hence before the imports.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "10")
if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # a process per core: PyTorch's threads would fight for them
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Drawn examples never depend on the day; the backend fixture is set up once per test, not per
# example, which is what we want.
settings.register_profile(
    "deterministic",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("deterministic")


def has_cuda():
    """Whether the CUDA module is built and finds a device."""
    try:
        return importlib.import_module("subspan._cuda").device_count() > 0
    except (ImportError, RuntimeError):
        return False


HAS_FAKE = importlib.util.find_spec("subspan._fake") is not None
BACKENDS = ("host", *(("fake",) if HAS_FAKE else ()), *(("cuda",) if has_cuda() else ()))
RUN_ONCE = (
    "test_bench",
    "test_examples",
    "test_plots",
    "test_prun",
    "test_readme",
    "test_selection_methods",
    "test_testing",
    "test_w2s",
)  # how their names start


def pytest_report_header():
    """What the tests run on, and what would run them on the fake device too."""
    hint = "" if HAS_FAKE else "; the fake device needs -Ccmake.define.SUBSPAN_FAKE=ON"
    return f"devices: {', '.join(BACKENDS)}{hint}"


def pytest_configure(config):
    config.addinivalue_line("markers", "host_only: does not depend on the device; runs once")


def pytest_generate_tests(metafunc):
    once = metafunc.definition.get_closest_marker("host_only") is not None
    once = once or metafunc.module.__name__.rpartition(".")[2].startswith(RUN_ONCE)
    metafunc.parametrize("backend", BACKENDS[:1] if once else BACKENDS, indirect=True)


def device_module(name):
    """The module compiled for a device, its BLAS table filled."""
    from subspan import _native

    module = importlib.import_module(f"subspan._{name}")
    _native.load_blas(module)
    return module


@pytest.fixture(autouse=True)
def backend(request, monkeypatch):
    """Name of the device that computes: "host", "fake" or "cuda"."""
    name = getattr(request, "param", "host")
    if name != "host":
        from subspan import _native

        monkeypatch.setattr(_native, "_current", device_module(name))
    return name


@pytest.fixture
def rng():
    """A numpy generator with a fixed seed."""
    return np.random.default_rng(20230916)
