"""The command line: formats, exit codes, one line of complaint."""

import json
import subprocess
import sys
import types

import numpy as np
import pytest
import scipy.io
import scipy.sparse
import subspan
from subspan import cli, testing

pytestmark = pytest.mark.host_only


@pytest.fixture(scope="module")
def matrix():
    return testing.MATRICES["exp"](seed=0)[:120, :90]


@pytest.fixture(scope="module")
def sparse():
    return scipy.sparse.random_array((80, 60), density=0.1, rng=0, format="csr")


@pytest.fixture(scope="module")
def files(tmp_path_factory, matrix, sparse):
    """A folder with the matrix in every format, and with files that are wrong."""
    here = tmp_path_factory.mktemp("files")
    np.save(here / "dense.npy", matrix)
    np.save(here / "fortran.npy", np.asfortranarray(matrix))
    np.save(here / "complex.npy", (matrix + 1j * matrix[::-1]).astype(np.complex64))
    np.savez(here / "dense.npz", A=matrix)
    np.savez(here / "two.npz", A=matrix, B=matrix[:5])
    scipy.io.savemat(here / "dense.mat", {"A": matrix, "name": "text"})
    scipy.io.mmwrite(here / "dense.mtx", matrix, precision=17)
    np.savetxt(here / "dense.csv", matrix, delimiter=",")
    np.savetxt(here / "heading.csv", matrix, delimiter=",", header="a,b", comments="")
    scipy.sparse.save_npz(here / "sparse.npz", sparse)
    scipy.io.mmwrite(here / "sparse.mtx", sparse)
    bad = matrix.copy()
    bad[3, 4] = np.nan
    np.save(here / "nan.npy", bad)
    np.save(here / "vector.npy", matrix[0])
    np.save(here / "words.npy", np.array([["a", "b"]]))
    np.save(here / "objects.npy", np.array([[None, 1]], dtype=object))
    (here / "junk.npy").write_bytes(b"not an array")
    (here / "junk.npz").write_bytes(b"not an archive")
    (here / "junk.mat").write_bytes(b"not a file of MATLAB" * 20)
    (here / "junk.mtx").write_text("nothing\n")
    (here / "junk.csv").write_text("1,2\n3,four\n")
    (here / "empty.csv").write_text("")
    (here / "heading_only.csv").write_text("a,b\n")
    (here / "junk.png").write_bytes(b"not a picture")
    (here / "table.parquet").write_bytes(b"")
    (here / "table.xlsx").write_bytes(b"")
    (here / "folder.npy").mkdir()
    subspan.interpolative(matrix, 5, rng=0).save(here / "result.npz")
    return here


def run(capsys, *words):
    """Exit code, standard output and standard error of a command."""
    code = cli.main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_json(capsys, *words):
    code, out, err = run(capsys, *words, "--json")
    assert err == ""
    return code, json.loads(out)


def complaint(capsys, *words):
    """The one line on standard error of a command that must refuse its input."""
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("subspan: error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    return err


@pytest.mark.parametrize(
    "name",
    ["dense.npy", "fortran.npy", "dense.npz", "dense.mat", "dense.mtx", "dense.csv", "heading.csv"],
)
def test_every_format_gives_the_same_columns(name, files, matrix, capsys):
    code, got = run_json(capsys, "id", files / name, "--rank", 12, "--seed", 5)
    expected = subspan.interpolative(matrix, 12, rng=5)
    assert code == 0
    assert got["indices"] == expected.indices.tolist()
    assert got["error"]["value"] == pytest.approx(expected.error.value, rel=1e-9)


@pytest.mark.parametrize("name", ["sparse.npz", "sparse.mtx"])
def test_sparse_stays_sparse(name, files, sparse, capsys):
    code, got = run_json(capsys, "id", files / name, "--rank", 10, "--seed", 5)
    assert code == 0
    assert got["plan"]["choices"]["input"] == "sparse"
    assert got["indices"] == subspan.interpolative(sparse.tocsc(), 10, rng=5).indices.tolist()


def test_npy_is_mapped_not_read(files):
    A = cli.read_matrix(files / "dense.npy")
    assert isinstance(A, np.memmap)
    assert not A.flags.writeable


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_image_becomes_gray(suffix, tmp_path, capsys):
    Image = pytest.importorskip("PIL.Image")
    ramp = np.add.outer(np.arange(40), 3 * np.arange(60)).astype(np.uint8)
    Image.fromarray(np.stack([ramp] * 3, axis=2)).save(tmp_path / f"ramp.{suffix}")
    A = cli.read_matrix(tmp_path / f"ramp.{suffix}")
    assert A.shape == (40, 60)
    if suffix == "png":
        assert np.abs(A - ramp).max() <= 1
    code, got = run_json(capsys, "id", tmp_path / f"ramp.{suffix}", "--rank", 5)
    assert (code, got["shapes"]["A"]) == (0, [40, 60])


def test_deep_image_keeps_its_range(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    deep = (np.arange(600).reshape(20, 30) * 100).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert (cli.read_matrix(tmp_path / "deep.png") == deep).all()


def test_json_has_every_key(files, capsys):
    _, got = run_json(capsys, "id", files / "dense.npy", "--rank", 12, "--seed", 5)
    keys = "file rank axis indices shapes dtype error converged stop_reason seed seconds plan names"
    assert set(got) == set(keys.split())
    assert set(got["error"]) == {
        "value", "relative", "upper", "norm", "kind", "failure_probability",
    }  # fmt: skip
    assert set(got["plan"]) == {"choices", "reasons", "passes", "seconds"}
    assert (got["rank"], got["axis"], got["converged"], got["seed"]) == (12, 1, True, 5)
    assert got["shapes"] == {"A": [120, 90], "skeleton": [120, 12], "coefficients": [12, 90]}
    assert got["seconds"] > 0


def test_rows_and_both(files, matrix, capsys):
    _, rows = run_json(capsys, "id", files / "dense.npy", "--rank", 12, "--axis", 0, "--seed", 1)
    assert rows["shapes"]["coefficients"] == [120, 12]
    assert rows["indices"] == subspan.interpolative(matrix, 12, axis=0, rng=1).indices.tolist()
    _, both = run_json(capsys, "id", files / "dense.npy", "--rank", 40, "--axis", "both")
    assert both["axis"] == "both"
    assert len(both["indices"]["columns"]) == 40
    assert both["shapes"]["coefficients"]["rows"] == [120, len(both["indices"]["rows"])]


def test_single_precision_complex(files, capsys):
    _, got = run_json(capsys, "id", files / "complex.npy", "--rank", 5)
    assert got["dtype"] == "complex64"


def test_options_reach_the_call(files, capsys):
    _, got = run_json(
        capsys, "id", files / "dense.npy", "--rank", 12, "--pivoting", "cpqr", "--coefficients",
        "osid", "--oversampling", 20, "--norm", "spectral",
    )  # fmt: skip
    choices = got["plan"]["choices"]
    assert (choices["pivoting"], choices["coefficients"]) == ("cpqr", "osid")
    assert choices["sketch size"] == 2 * (12 + 20) + 24  # drawn larger, then mixed
    assert got["error"]["norm"] == "spectral"


def test_tolerance_met_and_not_met(files, capsys):
    """Exit code 3 says that the tolerance is not met; nobody has to read a warning."""
    path = files / "dense.npy"
    code, got = run_json(capsys, "id", path, "--rtol", 0.1)
    assert (code, got["converged"]) == (0, True)
    assert got["error"]["relative"] <= 0.1
    code, got = run_json(capsys, "id", path, "--rtol", 0.01, "--rank", 3)
    assert (code, got["converged"], got["rank"]) == (3, False, 3)
    code, out, err = run(capsys, "id", path, "--rtol", 0.01, "--rank", 3)
    assert (code, err) == (3, "")
    assert "NOT met" in out


def test_text_summary(files, capsys):
    code, out, err = run(capsys, "id", files / "dense.npy", "--rank", 4, "--seed", 9)
    assert (code, err) == (0, "")
    assert out.startswith("4 columns of a 120 x 90 matrix, float64")
    assert "seed       9\n" in out
    assert "pivoting" in out
    code, out, _ = run(capsys, "id", files / "dense.npy", "--rank", 4, "--axis", "both")
    assert code == 0
    assert "\nrows " in out
    assert "\ncolumns " in out


@pytest.mark.parametrize("name", ["dense.npy", "sparse.npz"])
def test_output_and_plot(name, files, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    code, got = run_json(
        capsys,
        "id",
        files / name,
        "--rank",
        6,
        "-o",
        tmp_path / "r.npz",
        "--plot",
        tmp_path / "r.png",
    )
    assert code == 0
    assert subspan.load(tmp_path / "r.npz").indices.tolist() == got["indices"]
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nan.npy", r"A\[3, 4\] is nan"),
        ("vector.npy", "2-d"),
        ("words.npy", "dtype"),
        ("objects.npy", "objects.npy: "),
        ("junk.npy", "junk.npy: is not an .npy file"),
        ("junk.npz", "junk.npz"),
        ("junk.mat", "junk.mat"),
        ("junk.mtx", "junk.mtx"),
        ("junk.csv", "junk.csv: .*four"),
        ("empty.csv", "empty.csv: is empty"),
        ("heading_only.csv", "heading_only.csv: holds no numbers"),
        ("junk.png", "junk.png"),
        ("two.npz", "found A, B; choose with --variable"),
        ("result.npz", "subspan.load"),
        ("table.parquet", "table.parquet: Parquet file size is 0 bytes"),
        ("table.xlsx", "unknown format"),
        ("missing.npy", "missing.npy: no such file"),
        ("folder.npy", "folder.npy: is a directory"),
    ],
)
def test_bad_file(name, expected, files, capsys):
    if name.endswith(".png"):
        pytest.importorskip("PIL")
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    assert_found(expected, complaint(capsys, "id", files / name, "--rank", 1))


def assert_found(pattern, text):
    import re

    assert re.search(pattern, text), text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--rank", 91], r"rank=91 must lie in \[0, 90\] for A of shape \(120, 90\)"),
        (["--rank", -1], "rank=-1"),
        (["--rank", "two"], "'--rank': 'two' is not a valid integer"),
        (["--rtol", 1e-300], "below what float64 allows"),
        (["--rtol", "nan"], "rtol"),
        ([], "One of --rank, --rtol and --atol is required"),
        (["--rank", 2, "--pivoting", "luck"], "'--pivoting': 'luck' is not one of 'auto', 'lupp'"),
        (["--rank", 2, "--axis", 2], "--axis"),
        (["--rank", 2, "--seed", -1], "'--seed': -1 is not in the range"),
        (["--rank", 2, "--variable", "A"], "an entry can be chosen of .npz .mat .h5"),
        (["--rank", 2, "-o", "nowhere/r.npz"], "folder nowhere does not exist"),
        (["--rank", 2, "-o", "r.txt"], r"must end in .npz or .safetensors"),
        (["--rtol", 0.1, "--pivoting", "deim"], "'deim' works at a fixed rank only"),
        (["--rank", 2, "--frobnicate"], "frobnicate"),
    ],
)
def test_bad_arguments(words, expected, files, capsys):
    assert_found(expected, complaint(capsys, "id", files / "dense.npy", *words))


def test_bad_plot_name(files, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    text = complaint(capsys, "id", files / "dense.npy", "--rank", 2, "--plot", tmp_path / "r.xyz")
    assert "not a picture that matplotlib writes" in text


def test_variable_chooses(files, capsys):
    code, got = run_json(capsys, "id", files / "two.npz", "--rank", 2, "--variable", "B")
    assert (code, got["shapes"]["A"]) == (0, [5, 90])
    assert "'C' is not one of A, B" in complaint(
        capsys, "id", files / "two.npz", "--rank", 2, "--variable", "C"
    )


def test_no_command_and_unknown_command(capsys):
    assert "Missing command" in complaint(capsys)
    assert "'svdd'" in complaint(capsys, "svdd")


def test_numerical_failure_is_not_bad_input(files, capsys, monkeypatch):
    def fail(*arguments, **keywords):
        raise np.linalg.LinAlgError("no convergence")

    monkeypatch.setattr("subspan.interp.interpolative", fail)
    code, out, err = run(capsys, "id", files / "dense.npy", "--rank", 2)
    assert (code, out, err) == (1, "", "subspan: error: no convergence\n")


def test_interrupt(files, capsys, monkeypatch):
    def stop(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr("subspan.interp.interpolative", stop)
    code, _, err = run(capsys, "id", files / "dense.npy", "--rank", 2)
    assert (code, err) == (130, "subspan: error: interrupted\n")


def test_config(capsys):
    code, out, err = run(capsys, "config")
    assert (code, err) == (0, "")
    assert out.startswith("subspan ")
    assert "BLAS" in out


def test_demo_hands_its_options_over(capsys, monkeypatch, tmp_path):
    from subspan import demo

    seen = {}
    monkeypatch.setattr(demo, "run", lambda out, **keywords: seen.update(out=out, **keywords))
    assert run(capsys, "demo", "--out", tmp_path, "--seed", 3, "--no-plot")[0] == 0
    assert seen == {"out": tmp_path, "seed": 3, "plot": False}


def test_demo_without_its_packages(capsys, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install 'subspan[demo]'" in complaint(capsys, "demo", "--no-plot")


def test_as_a_process(files):
    """As the console script calls it, with warnings as errors; help works and imports little."""
    code = "import sys; from subspan.cli import main; sys.exit(main())"
    path = str(files / "dense.npy")
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        [*command, "id", path, "--rank", "1", "--rtol", "1e-9"], capture_output=True
    )
    assert (done.returncode, done.stderr) == (3, b"")
    check = code.replace("sys.exit(main())", "main(['config']); print([*sys.modules])")
    modules = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    ).stdout
    for heavy in ("matplotlib", "sklearn", "PIL", "scipy.linalg", "scipy.io"):
        assert f"'{heavy}'" not in modules


def test_closed_pipe_is_quiet(files):
    code = "import sys; from subspan.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "id", str(files / "dense.npy"), "--rank", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), complaint) == (cli.PIPE_CLOSED, b"")


# ---------------------------------------------------------------- select


@pytest.fixture
def candidates(tmp_path):
    X = np.random.default_rng(5).standard_normal((80, 6)) * np.linspace(1, 3, 6)
    np.save(tmp_path / "X.npy", X)
    (tmp_path / "labels.txt").write_text("\n".join(["cat", "dog"] * 40) + "\n")
    np.save(tmp_path / "costs.npy", np.linspace(1, 2, 80))
    np.save(tmp_path / "before.npy", np.array([3, 4]))
    (tmp_path / "scores.txt").write_text("\n".join(str(i % 7) for i in range(80)))
    np.save(tmp_path / "target.npy", X[:5])
    return tmp_path


def test_select_is_the_call(candidates, capsys):
    X = np.load(candidates / "X.npy")
    expected = subspan.selection.select(X, 12, rng=3)
    code, out, err = run(capsys, "select", candidates / "X.npy", "-n", 12, "--seed", 3)
    assert (code, err) == (0, "")
    assert f"rows       {' '.join(map(str, expected.indices))}" in out
    assert out.startswith("12 of 80 rows by moment matching")
    code, found = run_json(capsys, "select", candidates / "X.npy", "-n", 12, "--seed", 3)
    assert code == 0
    assert found["indices"] == expected.indices.tolist()
    assert found["certificate"]["variance"] == expected.variance
    assert found["uniform"]["coverage"] > 1


def test_select_saves(candidates, capsys):
    for name in ("s.csv", "s.npz"):
        out = candidates / name
        words = ("select", candidates / "X.npy", "-n", 9, "--seed", 0, "-o", out)
        assert run(capsys, *words)[0] == 0
    lines = (candidates / "s.csv").read_text().splitlines()
    whole = subspan.load(candidates / "s.npz")
    assert lines[0] == "index,weight"
    table = [line.split(",") for line in lines[1:]]
    assert [int(i) for i, _ in table] == whole.indices.tolist()
    assert [float(w) for _, w in table] == whole.weights.tolist()


def test_select_under_constraints(candidates, capsys):
    X = candidates / "X.npy"
    labels = ("--labels", candidates / "labels.txt")
    _, found = run_json(capsys, "select", X, "-n", 10, *labels, "--per-group", "equal", "--seed", 0)
    assert found["groups"] == {"cat": [5, 40], "dog": [5, 40]}
    words = ("--costs", candidates / "costs.npy", "--budget", 12, "--method", "v_opt", "--seed", 0)
    _, found = run_json(capsys, "select", X, *words)
    assert np.linspace(1, 2, 80)[found["indices"]].sum() <= 12
    words = ("--already-selected", candidates / "before.npy", "--method", "scores", "--seed", 0)
    words += ("--scores", candidates / "scores.txt", "--sketch-size", 4)
    _, found = run_json(capsys, "select", X, "-n", 11, *words)
    assert found["indices"] == [i for i in range(80) if i % 7 == 6]
    words = ("--method", "influence", "--target", candidates / "target.npy", "--seed", 0)
    assert len(run_json(capsys, "select", X, "-n", 4, *words)[1]["indices"]) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "n"),
        (("-n", 81), "n=81 must lie between 1 and the 80 candidates"),
        (("-n", 5, "--method", "best"), "method='best' is not known"),
        (("-n", 5, "--per-group", "equal"), "needs labels"),
        (("-n", 5, "-o", "s.parquet"), "the name must end in .csv, .npy, .npz or .safetensors"),
        (("-n", 5, "--labels", "labels.md"), "unknown format; expected .npy, or .txt"),
        (("-n", 5, "--labels", "nowhere.txt"), "nowhere.txt"),
        (("--budget", 5.0), "budget needs costs"),
    ],
)
def test_select_complains_in_one_line(candidates, capsys, words, message):
    code, out, err = run(capsys, "select", candidates / "X.npy", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_interrupted_before_it_begins(monkeypatch, capsys):
    """Ctrl-C while NumPy is still being loaded."""

    class Loading(types.ModuleType):
        def __getattr__(self, name):
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "numpy.linalg", Loading("numpy.linalg"))
    assert cli.main(["config"]) == 130
    assert capsys.readouterr() == ("", "subspan: error: interrupted\n")
