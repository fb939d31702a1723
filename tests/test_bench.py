"""The benches: they run, give right answers, write what they promise, and judge with care."""

import importlib.util
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
    "tensors",
)
KEYS = {
    "environment": {"date", "commit", "processor", "cores", "affinity", "thread_pools", "variables"}
    | {"subspan", "options", "note"},
    "time": {"label", "case", "method", "role", "timed", "seconds", "median", "first", "warmups"}
    | {"flops", "errors", "error_kind", "optimum", "memory"},
    "ratio": {"label", "name", "top", "bottom", "ratio", "band", "at_least", "at_most", "verdict"},
    "quality": {"label", "case", "setting", "reference", "reference_error", "ratios", "worst"}
    | {"at_most", "verdict"},
    "end": {"seconds"},
}
RESULTS = ROOT / "bench" / "results"

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
    if suite == "tensors":
        pytest.importorskip("torch")
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
    networks = suite == "pruning" and importlib.util.find_spec("transformers") is not None
    measured = suite in ("interp", "chunks") or networks
    assert any(line.get("memory") for line in lines) == measured
    assert lines[-1]["kind"] == "end"
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


# ---------------------------------------------------------------- the standard suite


def published(suite):
    return [json.loads(line) for line in (RESULTS / f"{suite}.jsonl").read_text().splitlines()]


def test_the_standard_suite_has_cases_that_exist_and_every_published_family():
    from bench import standard
    from bench.__main__ import SUITES

    for suite, labels in standard.STANDARD.items():
        known = {line["label"] for line in published(suite) if line["kind"] == "time"}
        assert set(labels) <= known, suite
    # Correctness over many seeds, two BLAS libraries and 8 GB of gradients take other runs.
    assert set(SUITES) - set(standard.STANDARD) == {"blas", "quality", "gradients"}


def test_the_standard_suite_takes_less_than_fifteen_minutes():
    """By the published times on two cores; a margin of three fifths for matrices, pauses and checks."""
    from bench import standard
    from bench.run import REPEATS

    seconds = 0.0
    for suite, labels in standard.STANDARD.items():
        about, *lines = published(suite)
        usual = about["options"]["rounds"]
        for line in lines:
            if line["kind"] != "time" or line["label"] not in labels or line["timed"] == "derived":
                continue
            few = len(line["seconds"])
            rounds = standard.ROUNDS if few >= usual else few
            calls = rounds * (1 + REPEATS if line["first"] else 1) + line["warmups"]
            seconds += calls * line["median"]
    assert 1.6 * seconds < 15 * 60


def planned(*arguments):
    from bench.__main__ import _folder, _plan, parser

    asked = parser().parse_args(arguments)
    return _plan(asked), _folder(asked)


def test_what_an_invocation_runs_and_where_it_writes():
    from bench import standard
    from bench.__main__ import ON_TENSORS, PUBLISHED, STANDARD_OUT, SUITES
    from bench.cases import interp_cases

    plan, folder = planned()
    assert (tuple(plan), folder) == (SUITES, PUBLISHED)
    plan, folder = planned("--suite", "standard", "--only", "k=100")
    assert (tuple(plan), folder) == (tuple(standard.STANDARD), STANDARD_OUT)
    assert plan["interp"].rounds == standard.ROUNDS
    assert not plan["interp"].memory
    chosen = plan["interp"].chosen(interp_cases(small=False))
    assert [case.label[:4] for case in chosen] == ["a: 4", "d: 2"]
    plan, folder = planned("--suite", "standard", "interp", "--out", "here", "--rounds", "8")
    assert (plan["svd"].rounds, folder) == (8, Path("here"))
    plan, folder = planned("--suite", "interp", "--device", "cuda")
    assert (tuple(plan), folder) == ((ON_TENSORS,), STANDARD_OUT)
    assert plan[ON_TENSORS].device == "cuda"
    assert planned("--small")[1] is None


def test_figures_of_the_readme_come_from_one_command(tmp_path, monkeypatch, capsys):
    import shutil

    from bench import __main__ as bench
    from bench import readme, standard

    ran = []

    def run(name, folder, options):
        ran.append(name)
        return Path(shutil.copy(RESULTS / f"{name}.jsonl", folder))

    monkeypatch.setattr(bench, "_run", run)
    monkeypatch.setattr(bench.report, "illustrate", lambda results: None)
    assert bench.main(["--suite", "readme", "--out", str(tmp_path)]) == 0
    assert tuple(ran) == standard.README
    assert (tmp_path / "figures.md").read_text(encoding="utf-8") == readme.figures()


# ---------------------------------------------------------------- devices and libraries


def test_without_a_gpu_one_line_says_what_to_do(monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    from bench.__main__ import main

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--device", "cuda", "--suite", "standard"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "finds no CUDA GPU; run on a machine with one" in said


def test_without_a_cuda_build_one_line_says_what_to_install(monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    import subspan

    from bench.__main__ import main

    def refuses(*arguments, **options):
        raise subspan.DeviceUnavailable("A is on device cuda")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "eye", lambda n, device: None)
    monkeypatch.setattr(subspan, "interpolative", refuses)
    assert main(["--device", "cuda"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "subspan[cuda13]" in said


def test_libraries_that_are_missing_cost_their_rows_alone(monkeypatch, capsys, tmp_path):
    import importlib.util

    from bench import __main__ as bench
    from bench import peers
    from bench.run import Options

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "torch" else real(n))
    assert not peers.installed("torch", "svd")
    assert peers.installed("numpy", "svd")
    assert capsys.readouterr().err == "[svd] torch is not installed: its rows are missing\n"

    def missing(name):
        raise ModuleNotFoundError("no", name="sklearn")

    monkeypatch.setattr(bench.importlib, "import_module", missing)
    assert bench._run("cholesky", tmp_path, Options()) is None
    assert "[cholesky] left out: sklearn is not installed" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- the report


def test_the_page_is_whole_and_stands_alone(tmp_path):
    pytest.importorskip("matplotlib")
    import base64
    from html.parser import HTMLParser
    from xml.etree import ElementTree

    from bench.page import page

    class Tags(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open, self.sources, self.text = [], [], []

        def handle_starttag(self, tag, attrs):
            self.sources += [v for k, v in attrs if k in ("src", "srcset", "href")]
            if tag not in ("meta", "img", "source"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

        def handle_data(self, data):
            self.text.append(data)

    about, *lines = published("interp")
    label = lines[0]["label"]
    short = [line for line in lines if line["label"] == label]
    lines = [{**about, "processor": "1 < 2 & co"}, *short, {"kind": "end", "seconds": 90.0}]
    tags = Tags()
    tags.feed(page([lines]))
    assert tags.open == []
    text = " ".join(tags.text)
    for words in (
        "1 < 2 & co",
        label,
        "1.5 minutes",
        "floor: read A once",
        "met",
        about["date"][:10],
    ):
        assert words in text
    pictures = [source for source in tags.sources if not source.startswith("#")]
    assert len(pictures) == 4  # times and rooflines, light and dark
    assert all(source.startswith("data:image/svg+xml;base64,") for source in pictures)
    for picture in (base64.b64decode(source.partition(",")[2]).decode() for source in pictures):
        assert ElementTree.fromstring(picture).tag.endswith("svg")
        assert "sans-serif" in picture
    targets = [line for line in short if line["kind"] == "ratio" and line["verdict"]]
    judged = [t for t in targets if t["verdict"] != "open"]
    assert text.count("✓") + text.count("✗") == len(judged) > 0


def test_errors_of_a_pair_are_judged():
    from bench.page import equal_error

    def line(*errors, kind="relative"):
        return {"errors": list(errors), "error_kind": kind}

    assert equal_error(line(1e-3), line(1.05e-3)).endswith("equal")
    assert equal_error(line(1e-15), line(1e-13)).endswith("equal")
    assert equal_error(line(1e-3), line(2e-3)).endswith("better")
    assert equal_error(line(1e-3, 5e-3), line(2e-3)).endswith("5.00e-03, 2.00e-03: WORSE")
    assert equal_error(line(1e-3), line()) == "not compared"
    assert equal_error(line(1e-3), line(1e-3, kind="another")) == "not compared"


def test_speed_is_that_of_a_setting_as_accurate_as_the_other():
    from bench.page import at_equal_error

    def line(method, seconds, error, role="ours", suite="interp"):
        about = {"suite": suite, "label": "a", "method": method, "role": role, "errors": [error]}
        return {**about, "error_kind": "relative", "seconds": [seconds] * 2, "median": seconds}

    ours = [line("rough", 1.0, 0.3), line("fair", 2.0, 0.105), line("slow", 9.0, 0.01)]
    timed = {("a", each["method"]): each for each in ours}
    assert at_equal_error(line("scipy", 6.0, 0.1, "peer"), timed) == "3 (fair)"
    assert at_equal_error(line("scipy", 6.0, 0.3, "peer"), timed) == "6 (rough)"
    assert at_equal_error(line("scipy", 6.0, 1e-3, "peer"), timed) == "none"
    assert at_equal_error(line("scipy", 6.0, 0.1, "peer", "batch"), timed) == ""


def test_work_under_the_roof_is_what_every_method_must_do():
    from bench import bench_interp, floors, roof

    times = [line for line in published("interp") if line["kind"] == "time"]
    dense = [t for t in times if t["label"].startswith("a: ") and t["case"]["rank"] == 100]
    work, roles, limits = roof.of(dense)
    product = next(t for t in dense if t["method"] == floors.GEMM)
    assert limits["peak"] == product["flops"] / product["median"]
    exact, few = work[bench_interp.EXACT], work[bench_interp.SKETCH]
    assert exact[0] - few[0] == 2.0 * 100 * 4000 * 4000
    assert exact[1] == few[1] == 8.0 * 4000 * 4000
    assert roles[bench_interp.OPERATOR] == "peer"
    for flops, size, seconds in work.values():  # nothing is above the roof
        assert flops / seconds <= min(limits["peak"], limits["bandwidth"] * flops / size)
    assert roof.of([t for t in times if t["label"].startswith("d: ")]) is None


@pytest.mark.parametrize("arguments", [["nothing.jsonl"], ["."], [__file__]])
def test_a_report_of_nothing_is_refused_in_one_line(arguments, capsys, tmp_path, monkeypatch):
    from bench.__main__ import main

    monkeypatch.chdir(tmp_path)
    assert main(["report", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("bench report: ")
    assert said.count("\n") == 1


# ---------------------------------------------------------------- comparison of runs


def timed(path, ours, other=(1.0, 1.1), errors=(0.1,), method="svd", **environment):
    """A result file with one case of ours and one of another library."""
    about = {**published("svd")[0], **environment}
    case = {"kind": "time", "label": "a", "errors": list(errors)}
    lines = [about]
    for name, role, seconds in ((method, "ours", ours), ("numpy", "peer", other)):
        median = sorted(seconds)[len(seconds) // 2]
        more = {"method": name, "role": role, "seconds": list(seconds), "median": median}
        lines.append({**case, **more})
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.mark.parametrize(
    ("new", "code", "verdict"),
    [
        ({"ours": (1.0, 1.2)}, 0, ""),
        ({"ours": (1.15, 1.3)}, 0, ""),  # beyond the band, but not by a tenth
        ({"ours": (2.0, 2.2)}, 1, "SLOWER"),
        ({"ours": (0.5, 2.2)}, 0, ""),  # too noisy to say
        ({"ours": (2.0, 2.2), "other": (2.0, 2.2)}, 0, ""),  # all slower: the machine
        ({"ours": (0.4, 0.5)}, 0, "faster"),
        ({"ours": (0.4, 0.5), "other": (0.4, 0.5)}, 0, ""),
        ({"ours": (1.0, 1.1), "errors": (0.12,)}, 1, "LESS ACCURATE"),
        ({"ours": (1.0, 1.1), "errors": (0.105,)}, 0, ""),
        ({"ours": (1.0, 1.1), "method": "qr"}, 1, "MISSING"),
    ],
)
def test_regressions_are_told_from_noise(new, code, verdict, tmp_path, capsys):
    from bench.__main__ import main

    old = timed(tmp_path / "old.jsonl", (1.0, 1.1))
    assert main(["compare", str(old), str(timed(tmp_path / "new.jsonl", **new))]) == code
    said = capsys.readouterr().out
    assert (verdict or "regressions") in said
    assert f"{code} regressions beyond the noise" in said
    shouted = [word for word in ("SLOWER", "LESS ACCURATE", "MISSING", "faster") if word in said]
    assert shouted == [verdict] * bool(verdict)


def test_the_threshold_is_the_callers(tmp_path):
    from bench.__main__ import main

    old, new = timed(tmp_path / "old", (1.0, 1.1)), timed(tmp_path / "new", (1.2, 1.3))
    arguments = ["compare", str(old), str(new), "--threshold"]
    assert main([*arguments, "0"]) == 1
    assert main([*arguments, "0.5"]) == 0
    assert main([*arguments, "-1"]) == 2


def test_folders_are_compared_suite_by_suite_and_conditions_told(tmp_path, capsys):
    from bench.__main__ import main

    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        timed(tmp_path / name / "svd.jsonl", (1.0, 1.1), processor=name)
    timed(tmp_path / "old" / "qr.jsonl", (1.0, 1.1))
    assert main(["compare", str(tmp_path / "old"), str(tmp_path / "new")]) == 0
    assert "not the same conditions, processor: old / new" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    for wrong, words in (
        (tmp_path / "empty", "no suite is in both"),
        (tmp_path / "none.jsonl", "No such file"),
        (Path(__file__), "is not a result file of the bench"),
    ):
        assert main(["compare", str(tmp_path / "old" / "svd.jsonl"), str(wrong)]) == 2
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1
