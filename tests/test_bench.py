"""The benches: they run, give right answers, write what they promise, and judge with care."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SUITES = (
    "sketch",
    "interp",
    "pivot",
    "blas",
    "quality",
    "svd",
    "qr",
    "cur",
    "cholesky",
    "chunks",
    "batch",
    "gradients",
    "selection",
    "w2s",
    "pruning",
)
KEYS = {
    "environment": {"date", "commit", "processor", "cores", "affinity", "thread_pools", "variables"}
    | {"subspan", "options", "note"},
    "time": {"label", "case", "method", "role", "timed", "seconds", "median", "first", "warmups"}
    | {"flops", "errors", "error_kind", "optimum", "memory"},
    "ratio": {"label", "name", "top", "bottom", "ratio", "band", "at_least", "at_most", "verdict"},
    "quality": {"label", "case", "setting", "reference", "reference_error", "ratios", "worst"}
    | {"at_most", "verdict"},
}

pytestmark = pytest.mark.host_only

if not (ROOT / "bench").is_dir():
    pytest.skip(
        "the benches are not installed, only the checkout has them", allow_module_level=True
    )


@pytest.fixture(autouse=True)
def _on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


def _python(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_THREAD_TIMEOUT": "10"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_runs_and_writes_the_documented_lines(suite, tmp_path):
    text = _python("bench", "--suite", suite, "--small", "--out", tmp_path)
    path = tmp_path / f"{suite}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["kind"] == "environment"
    assert {"time", "ratio"} <= {line["kind"] for line in lines}
    for line in lines:
        assert line["suite"] == suite
        assert line.keys() - {"suite", "kind"} >= KEYS[line["kind"]]
    for line in (line for line in lines if line["kind"] == "time"):
        assert len(line["seconds"]) >= 1
        assert min(line["seconds"]) > 0
        assert line["label"] in text
        assert line["method"] in text
        assert bool(line["errors"]) >= (line["role"] == "ours"), "a time without its error"
        assert bool(line["errors"]) >= (suite == "interp" and line["role"] == "peer")
    assert any(line.get("memory") for line in lines) == (suite in ("interp", "chunks"))
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.part"))
    again = _python("bench.compare", path, path)
    assert "not resolved" in again
    assert "warning" not in again


def test_a_fast_wrong_kernel_stops_the_bench():
    from bench.run import Contender, Options, WrongAnswer, interleave

    wrong = Contender("zero", lambda seed: 0, error=lambda answer: abs(answer - 1), limit=0.5)
    with pytest.raises(WrongAnswer, match=r"zero: error 1 is above 0\.5"):
        interleave([wrong], Options(small=True, rounds=2))


def test_contenders_alternate_in_reversed_order():
    from bench.run import BRIEF, REPEATS, Contender, Options, interleave

    assert BRIEF > 0
    seen: list[str] = []
    both = [Contender(name, lambda seed, name=name: seen.append(name)) for name in "ab"]
    once = Contender("c", lambda seed: seen.append("c"), rounds=1)
    timings = interleave([*both, once], Options(small=True, rounds=2))
    turn = 1 + REPEATS
    assert "".join(seen) == "ab" + "a" * turn + "b" * turn + "c" + "b" * turn + "a" * turn
    assert [len(timings[name].seconds) for name in "abc"] == [2, 2, 1]
    assert [timings[name].warmups for name in "abc"] == [1, 1, 0]


def test_an_odd_number_of_rounds_is_refused():
    from bench.run import Options

    with pytest.raises(ValueError, match="rounds=3 must be even"):
        Options(rounds=3)


def test_no_ratio_when_the_band_holds_one():
    from bench.run import ratio, unpaired_ratio

    assert ratio([2.0, 2.0], [1.0, 3.0]).value is None
    assert ratio([2.0, 4.0], [1.0, 2.0]).value == 2.0
    assert ratio([1.001, 1.0], [1.0, 1.0]).value is None  # to the two digits that are printed
    crosswise = unpaired_ratio([2.0, 4.0], [1.0, 3.0])
    assert (crosswise.value, crosswise.low, crosswise.high) == (None, 2 / 3, 4.0)
    assert ratio([4.0], [1.0, 2.0]).low == 2.0  # unequal rounds are not paired


def test_verdicts():
    from bench.run import Ratio, verdict

    assert verdict(Ratio(4.0, 3.5, 5.0), 3, None) == "met"
    assert verdict(Ratio(4.0, 2.5, 5.0), 3, None) == "met at the median"
    assert verdict(Ratio(2.6, 2.5, 5.0), 3, None) == "missed at the median"
    assert verdict(Ratio(2.0, 1.5, 2.5), None, 1.3) == "missed"
    assert verdict(Ratio(None, 0.9, 1.2), None, 1.3) == "met"
    assert verdict(Ratio(None, 0.9, 1.5), None, 1.3) == "open"
    assert verdict(Ratio(2.0, 1.5, 2.5), None, None) == ""


def test_errors_are_measured_the_same_way_for_dense_and_sparse():
    import numpy as np
    import scipy.sparse as sp

    from bench.peers import csc_lu, csr_lu, gaussian_lu, pair, relative_error, scipy_operator

    A = np.random.default_rng(0).standard_normal((60, 40))
    for call in (gaussian_lu, csr_lu, csc_lu, scipy_operator):
        J, W = pair(call(A, 12, 0), 12)
        direct = np.linalg.norm(A - A[:, J] @ W) / np.linalg.norm(A)
        np.testing.assert_allclose(relative_error(A, J, W), direct, rtol=1e-12)
        np.testing.assert_allclose(relative_error(sp.csr_array(A), J, W), direct, rtol=1e-12)
        np.testing.assert_allclose(W[:, J], np.eye(12), atol=1e-12)


def test_figures_of_the_readme_are_those_of_the_results():
    from bench import readme

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text == readme.replaced(text, readme.figures())
