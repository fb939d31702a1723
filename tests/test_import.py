"""What `import subspan` loads, and what its names are before and after something else was imported."""

import importlib
import json
import pkgutil
import subprocess
import sys

import numpy as np
import pytest
import subspan
from subspan.result import _HOMES, Result

pytestmark = pytest.mark.host_only

HEAVY = {"dask", "h5py", "jax", "matplotlib", "pandas", "scipy", "sklearn", "torch", "zarr"}


def fresh(program):
    """What a program prints, as JSON, in a process that has imported nothing yet."""
    command = [sys.executable, "-c", f"import json, sys\n{program}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def loaded_by(program):
    """Top-level names of the modules that a program leaves loaded."""
    return set(fresh(f"{program}\nprint(json.dumps([m for m in sys.modules if '.' not in m]))"))


def test_import_loads_nothing_but_the_standard_library():
    ours = fresh("import subspan\nprint(json.dumps([m for m in sys.modules if 'subspan' in m]))")
    assert set(ours) == {"subspan", "subspan._core", "subspan._native"}
    strange = loaded_by("import subspan") - loaded_by("") - {"subspan"} - sys.stdlib_module_names
    assert not strange


def test_the_usual_call_loads_numpy_alone():
    call = "import subspan, numpy\nsubspan.interpolative(numpy.eye(6, 4), 2, rng=0)"
    loaded = loaded_by(call)
    assert "numpy" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("first", ["names", "modules"])
def test_a_function_stays_a_function(first):
    """Though a module of its name is imported before or after it is asked for."""
    names = "before = {name: getattr(subspan, name) for name in subspan.__all__}"
    modules = """
import subspan.chunks, subspan.cur, subspan.generalized_nystrom, subspan.qr.driver
import subspan.range_finder, subspan.svd.driver
"""
    order = (names, modules) if first == "names" else (modules, names)
    program = f"""
import subspan, types
{order[0]}
{order[1]}
after = {{name: getattr(subspan, name) for name in subspan.__all__}}
same = all(before[name] is after[name] for name in after)
modules = [name for name in after if isinstance(after[name], types.ModuleType)]
print(json.dumps([same, modules, sorted(set(after) - set(dir(subspan)))]))
"""
    assert fresh(program) == [True, ["angles", "error", "sketch"], []]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'subspan' has no attribute 'pivot_rows'"):
        subspan.pivot_rows  # noqa: B018


def test_a_name_can_be_replaced_for_a_while(monkeypatch):
    monkeypatch.setattr(subspan, "svd", lambda A: "replaced")
    assert subspan.svd(np.eye(2)) == "replaced"
    monkeypatch.undo()
    assert callable(subspan.svd)


def test_no_blas_is_said_at_the_first_call():
    program = """
import os
os.environ["SUBSPAN_BLAS"] = "/no/such/library.so"
import subspan, numpy
try:
    subspan.svd(numpy.eye(3), 1)
except ImportError as error:
    print(json.dumps(str(error)))
"""
    assert "SUBSPAN_BLAS='/no/such/library.so': not a shared library" in fresh(program)


def test_threads_that_call_first_agree():
    """The first calls of eight threads fill the function table once and give one answer."""
    program = """
import numpy, subspan
from concurrent.futures import ThreadPoolExecutor
A = numpy.arange(60.0).reshape(10, 6) % 7
with ThreadPoolExecutor(8) as pool:
    picks = list(pool.map(lambda _: subspan.pivots(A, 3, rng=0).tolist(), range(8)))
print(json.dumps(picks))
"""
    picks = fresh(program)
    assert picks == [picks[0]] * 8


def test_load_knows_every_result_of_the_package():
    """Files are read in a fresh process, where the class of the result was not imported yet."""
    for module in pkgutil.walk_packages(subspan.__path__, "subspan."):
        optional = ("_fake", "_cuda", "__main__", ".torch", "compat.torch", "compat.trak")
        if not any(part in module.name for part in optional):
            importlib.import_module(module.name)
    listed = {name for names in _HOMES.values() for name in names}
    defined = {
        name
        for name, cls in Result._registry.items()
        if cls.__module__.startswith("subspan.") and not name.startswith("_")
    }
    elsewhere = {"FactoredResult", "ModelStatistics"}  # a base; what needs PyTorch
    assert defined - elsewhere == listed - elsewhere, "see _HOMES of subspan/result.py"
    for home in _HOMES.keys() - {"torch.pruning"}:
        importlib.import_module(f"subspan.{home}")


@pytest.mark.parametrize("kind", ["svd", "cur", "qr"])
def test_a_saved_result_opens_in_a_fresh_process(kind, tmp_path):
    path = tmp_path / "result.npz"
    result = getattr(subspan, kind)(np.vander(np.linspace(0, 1, 9), 5), 2, rng=0)
    result.save(path)
    program = f"import subspan\nprint(json.dumps(type(subspan.load({str(path)!r})).__name__))"
    assert fresh(program) == type(result).__name__


def test_a_selection_opens_in_a_fresh_process(tmp_path):
    from subspan import selection

    path = tmp_path / "selection.npz"
    selection.select(np.vander(np.linspace(0, 1, 9), 5), 3, method="uniform", rng=0).save(path)
    program = f"import subspan\nprint(json.dumps(type(subspan.load({str(path)!r})).__name__))"
    assert fresh(program) == "Selection"
