"""The CUDA module loads without a driver, says what is missing, and agrees with the host where it runs."""

import importlib

import numpy as np
import pytest
from subspan import _core

pytestmark = pytest.mark.host_only

KINDS = {"gaussian": 0, "rademacher": 1, "sparse sign": 2, "hadamard": 3}


@pytest.fixture
def cuda():
    """The compiled module; skips where it is not built."""
    try:
        return importlib.import_module("subspan._cuda")
    except ModuleNotFoundError:
        pytest.skip("not built: -Ccmake.define.SUBSPAN_CUDA=ON")


def devices(cuda):
    """Number of devices, 0 where the module says that there is none."""
    try:
        return cuda.device_count()
    except RuntimeError:
        return 0


@pytest.fixture
def driverless(cuda):
    """The compiled module on a machine without a CUDA device."""
    if devices(cuda) > 0:
        pytest.skip("there is a CUDA device")
    return cuda


@pytest.fixture
def device(cuda):
    """The compiled module on a machine with a CUDA device."""
    if devices(cuda) == 0:
        pytest.skip("there is no CUDA device")
    return cuda


def tile(native, kind, dtype):
    """Rows 16 to 41 and columns 5 to 304 of an operator."""
    S = native.SketchOperator(kind, 48, 1000, 4, seed=11)
    out = np.empty((26, 300), dtype)
    native.sketch_tile(S, 16, 5, out)
    return out


def test_same_numbers(cuda):
    assert cuda.counter_layout_version == _core.counter_layout_version


def test_says_that_there_is_no_device(driverless):
    with pytest.raises(RuntimeError, match="no CUDA device"):
        driverless.device_count()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_computation_without_device(driverless, kind):
    with pytest.raises(RuntimeError, match="no CUDA device"):
        tile(driverless, kind, np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_operators_have_the_same_bits(device, kind, dtype):
    assert np.array_equal(tile(device, kind, dtype), tile(_core, kind, dtype))
