"""Every test runs on the host and on the fake device, whose memory faults when the host touches it.

Tests marked ``host_only`` (subprocesses, huge memory, statistics of code that both devices share)
and the modules in `RUN_ONCE`, which do not look at devices, run once.
"""

import importlib
import os

# Idle workers of the two OpenBLAS pools (numpy's and SciPy's) go to sleep at once instead of
# spinning on the cores. Read when the libraries are loaded, hence before the imports.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "10")

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

BACKENDS = ("host", "fake")
RUN_ONCE = {"test_bench", "test_readme", "test_testing"}


def pytest_configure(config):
    config.addinivalue_line("markers", "host_only: does not depend on the device; runs once")


def pytest_generate_tests(metafunc):
    once = metafunc.definition.get_closest_marker("host_only") is not None
    once = once or metafunc.module.__name__.rpartition(".")[2] in RUN_ONCE
    metafunc.parametrize("backend", BACKENDS[:1] if once else BACKENDS, indirect=True)


def fake_device():
    """The module compiled for the fake device, its BLAS table filled; skips if it is not built."""
    from subspan import _native

    try:
        _fake = importlib.import_module("subspan._fake")
    except ModuleNotFoundError:
        pytest.skip("the fake device is not built: -Ccmake.define.SUBSPAN_FAKE=ON")
    _native.load_blas(_fake)
    return _fake


@pytest.fixture(autouse=True)
def backend(request, monkeypatch):
    """Name of the device that computes: "host" or "fake"."""
    name = getattr(request, "param", "host")
    if name == "fake":
        from subspan import _native

        monkeypatch.setattr(_native, "_current", fake_device())
    return name


@pytest.fixture
def rng():
    """A numpy generator with a fixed seed."""
    return np.random.default_rng(20230916)
