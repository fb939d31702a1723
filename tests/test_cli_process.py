"""The console script on real files: whatever is wrong is one line and an exit code, never half a result."""

import fcntl
import io
import json
import os
import pickle
import pty
import signal
import struct
import subprocess
import sys
import sysconfig
import termios
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import subspan
import subspan.selection
import subspan.w2s  # what load is to find
from subspan import cli

pytestmark = [
    pytest.mark.slow,  # a process each
    pytest.mark.host_only,
    pytest.mark.skipif(sys.platform != "linux", reason="limits and terminals of Linux"),
]

SCRIPT = Path(sysconfig.get_path("scripts")) / "subspan"
PACKAGE = Path(subspan.__file__).parents[1]
SIDE = 10**6  # of a matrix whose 10^12 entries nobody has stored


def environment(**more):
    """The script finds the package under test, wherever it is called; nobody has a say on colours."""
    path = os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")])
    ours = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    return {**ours, "PYTHONPATH": path, **more}


# Starts a program as a terminal would, with interrupts heard, and with room for files if one is given.
# Not by preexec_fn, which forks: a library with threads in this process may warn of that.
LAUNCH = """
import os, resource, signal, sys
room, *command = sys.argv[1:]
signal.signal(signal.SIGINT, signal.SIG_DFL)
if room:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(room), int(room)))
os.execv(command[0], command)
"""


def launched(*words, room=""):
    return [sys.executable, "-c", LAUNCH, str(room), str(SCRIPT), *map(str, words)]


def run(*words, room="", **options):
    options.setdefault("env", environment())
    return subprocess.run(
        launched(*words, room=room),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        **options,
    )


def assert_refused(done, code=2):
    """One line on standard error, no word of Python's inner life."""
    assert (done.returncode, done.stdout) == (code, ""), done
    assert done.stderr.startswith("subspan: error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def matrix():
    x = np.linspace(1, 2, 90)[:, None]
    return 1 / (x + np.linspace(0, 1, 40)) + 1e-3 * np.random.default_rng(0).standard_normal(
        (90, 40)
    )


WRITERS = {
    "npy": lambda path, A: np.save(path, A),
    "npz": lambda path, A: np.savez(path, A=A),
    "mtx": lambda path, A: scipy.io.mmwrite(path, A, precision=17),
    "mat": lambda path, A: scipy.io.savemat(path, {"A": A}),
    "csv": lambda path, A: np.savetxt(path, A, delimiter=","),
}


def writer(suffix):
    def write(function):
        WRITERS[suffix] = function
        return function

    return write


@writer("h5")
def write_h5(path, A):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["group/A"] = A
        file["label"] = np.arange(len(A))


@writer("zarr")
def write_zarr(path, A):
    pytest.importorskip("zarr").create_array(path, data=A)


@writer("parquet")
def write_parquet(path, A):
    table = pytest.importorskip("pyarrow").table({f"c{j}": A[:, j] for j in range(A.shape[1])})
    pytest.importorskip("pyarrow.parquet").write_table(table, path)


@writer("safetensors")
def write_safetensors(path, A):
    pytest.importorskip("safetensors.numpy").save_file({"A": A, "bias": A[0]}, path)


@writer("pt")
def write_pt(path, A):
    torch = pytest.importorskip("torch")
    torch.save({"layer": {"A": torch.tensor(A)}, "bias": torch.tensor(A[0])}, path)


@writer("png")
def write_png(path, A):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.rint(80 * A).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, matrix):
    """The matrix and what belongs to it, as every command wants it."""
    here = tmp_path_factory.mktemp("files")
    np.save(here / "A.npy", matrix)
    np.save(here / "B.npy", matrix[:, :20] + 1e-6)
    rng = np.random.default_rng(1)
    features = rng.standard_normal((400, 18))
    np.save(here / "strong.npy", features[:, :12])
    np.save(here / "weak.npy", features[:, 8:])
    return here


# ---------------------------------------------------------------- what it reads and writes


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format(suffix, matrix, tmp_path):
    path = tmp_path / f"A.{suffix}"
    WRITERS[suffix](path, matrix)
    done = run("id", path, "--rank", 5, "--seed", 1, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    A = np.rint(80 * matrix) if suffix == "png" else matrix
    assert json.loads(done.stdout)["indices"] == subspan.interpolative(A, 5, rng=1).indices.tolist()


COMMANDS = {
    "id": ("id", "A.npy", "--rank", 4),
    "cur": ("cur", "A.npy", "--rank", 4),
    "svd": ("svd", "A.npy", "--rank", 4),
    "angles": ("angles", "A.npy", "B.npy"),
    "select": ("select", "A.npy", "-n", 6),
    "w2s": ("w2s", "strong.npy", "weak.npy"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_result_is_saved_drawn_and_read_back(name, folder, tmp_path):
    pytest.importorskip("matplotlib")
    out, picture = tmp_path / "r.npz", tmp_path / "r.png"
    done = run(*COMMANDS[name], "-o", out, "--plot", picture, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["seconds"] >= 0
    result = subspan.load(out)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert sorted(tmp_path.iterdir()) == [out, picture]
    if name in ("id", "cur", "svd"):
        assert {"rank", "shapes", "error", "converged", "seed"} <= set(found)
        assert (found["rank"], found["converged"], result.shape) == (4, True, (90, 40))
        assert found["error"]["value"] == result.error.value
    if name == "cur":
        assert found["indices"]["columns"] == result.columns.tolist()
    if name == "svd":
        assert found["singular_values"] == result.s.tolist()
        assert found["trusted"]["for_sure"] == result.trusted(rigorous=True)
    if name == "angles":
        assert found["exact"]["left"] == result.left.tolist()
    if name == "select":
        assert found["indices"] == result.indices.tolist()
    if name == "w2s":
        assert found["d_overlap"] == result.d_overlap


@pytest.mark.parametrize("name", COMMANDS)
def test_people_see_tables(name, folder):
    done = run(*COMMANDS[name], cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert not [line for line in done.stdout.splitlines() if line != line.rstrip()]


@pytest.mark.parametrize("name", ["cur", "svd"])
def test_a_tolerance_that_is_not_met_is_code_3(name, folder):
    done = run(name, "A.npy", "--rank", 2, "--rtol", 1e-9, cwd=folder)
    assert (done.returncode, done.stderr) == (3, "")
    assert "NOT met" in done.stdout


@pytest.mark.parametrize("name", ["id", "cur", "svd"])
def test_an_absolute_tolerance(name, folder):
    done = run(name, "A.npy", "--atol", 0.3, "--seed", 5, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    routine = {"id": subspan.interpolative}.get(name) or getattr(subspan, name)
    result = routine(np.load(folder / "A.npy"), atol=0.3, rng=5)
    assert (found["rank"], found["error"]["value"]) == (result.rank, result.error.value)
    assert found["error"]["value"] <= 0.3
    assert 0 < found["rank"] < 40


def test_the_module_is_the_command(folder):
    words = ("svd", "A.npy", "--rank", "3", "--seed", "2", "--json")
    module = [sys.executable, "-m", "subspan", *words]
    done = subprocess.run(module, capture_output=True, text=True, cwd=folder, env=environment())
    assert (done.returncode, done.stderr) == (0, "")
    script = run(*words, cwd=folder)
    singular_values = [json.loads(out)["singular_values"] for out in (done.stdout, script.stdout)]
    assert singular_values[0] == singular_values[1]


def test_angles_of_a_saved_svd(folder, tmp_path):
    assert run("svd", "A.npy", "--rank", 3, "-o", tmp_path / "s.npz", cwd=folder).returncode == 0
    done = run("angles", "A.npy", "--svd", tmp_path / "s.npz", "--rank", 2, "--json", cwd=folder)
    found = json.loads(done.stdout)
    assert found["rank"] == 2
    U = np.linalg.svd(np.load(folder / "A.npy"))[0][:, :3]
    svd = subspan.load(tmp_path / "s.npz")
    truth = subspan.angles.canonical_angles(svd.U[:, :2], U[:, :2]).left
    assert (truth <= np.array(found["bound"]["left"]) + 1e-12).all()
    both = run("angles", tmp_path / "s.npz", tmp_path / "s.npz", "--json").stdout
    assert max(json.loads(both)["exact"]["right"]) < 1e-12
    with_matrix = json.loads(run("angles", tmp_path / "s.npz", folder / "B.npy", "--json").stdout)
    assert (with_matrix["rank"], with_matrix["exact"]["right"]) == (3, None)
    assert_refused(run("angles", "A.npy", cwd=folder))
    assert_refused(run("angles", "A.npy", "--svd", "B.npy", cwd=folder))


def test_risks_are_predicted(folder):
    words = ("w2s", "strong.npy", "weak.npy", "-n", 60, "-N", 300)
    found = json.loads(run(*words, "--json", cwd=folder).stdout)
    from subspan.w2s import diagnose

    report = diagnose(np.load(folder / "strong.npy"), np.load(folder / "weak.npy"))
    assert found["risks"]["w2s"] == pytest.approx(float(report.predict(60, 300).w2s))
    assert "strong_ceiling" in run(*words, cwd=folder).stdout
    assert_refused(run(*words[:-2], cwd=folder))


def test_indices_as_npy(folder, tmp_path):
    done = run("select", "A.npy", "-n", 5, "-o", tmp_path / "i.npy", "--json", cwd=folder)
    assert np.load(tmp_path / "i.npy").tolist() == json.loads(done.stdout)["indices"]


# ---------------------------------------------------------------- files that are wrong


def npy_header(shape):
    header = io.BytesIO()
    described = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


def hole(path, start, size):
    with open(path, "wb") as file:
        file.write(start)
        try:
            file.truncate(size)
        except OSError:
            pytest.skip("the file system has no files of that size")


DAMAGES = ("enormous", "truncated", "text", "empty", "promise", "objects", "missing")


@pytest.mark.parametrize(
    ("name", "damage"),
    [("id", damage) for damage in DAMAGES]
    + [(name, damage) for name in COMMANDS if name != "id" for damage in DAMAGES[:3]],
)
def test_every_command_refuses_a_bad_file(name, damage, folder, tmp_path):
    path = tmp_path / "bad.npy"
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "truncated":
        path.write_bytes((folder / "A.npy").read_bytes()[:-1000])
    elif damage == "text":
        path.write_text("%PDF-1.7 is another format\n" * 20)
    elif damage == "enormous":
        header = npy_header((SIDE, SIDE))
        hole(path, header, len(header) + 8 * SIDE**2)
    elif damage == "promise":
        path.write_bytes(npy_header((SIDE, SIDE)) + b"\0" * 64)
    elif damage == "objects":
        np.save(path, np.array([[Trap()]], dtype=object))
    words = [path if str(word) in ("A.npy", "strong.npy") else word for word in COMMANDS[name]]
    done = run(*words, "-o", tmp_path / "r.npz", cwd=folder)
    assert_refused(done)
    assert "bad.npy" in done.stderr
    assert {file.name for file in tmp_path.iterdir()} <= {"bad.npy"}


class Trap:
    """Unpickled, it leaves a file."""

    def __reduce__(self):
        return (os.mkdir, ("sprung",))


@pytest.mark.parametrize("suffix", [s for s in WRITERS if s not in ("npy", "zarr")])
@pytest.mark.parametrize("damage", ["truncated", "text"])
def test_every_format_damaged(suffix, damage, matrix, tmp_path):
    """In this process, as the readers are many and slow to import."""
    path = tmp_path / f"A.{suffix}"
    WRITERS[suffix](path, matrix)
    whole = path.read_bytes()
    cut = whole.rindex(b",") if suffix == "csv" else len(whole) * 6 // 10
    path.write_bytes(whole[:cut] if damage == "truncated" else b"another thing\n" * 9)
    with pytest.raises(ValueError, match=rf"A\.{suffix}"):
        cli.read_matrix(path)


def test_promises_of_other_formats(tmp_path):
    promise = npy_header((SIDE, SIDE)) + b"\0" * 64
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("A.npy", promise)
    real = "%%MatrixMarket matrix {} real general\n"
    (tmp_path / "array.mtx").write_text(f"{real.format('array')}{SIDE} {SIDE}\n1.0\n")
    (tmp_path / "lines.mtx").write_text(f"{real.format('coordinate')}9 9 {SIDE**2}\n1 1 1.0\n")
    (tmp_path / "wide.mtx").write_text(f"{real.format('coordinate')}9 {SIDE**2} 1\n1 1 1.0\n")
    offsets = [0, 8 * SIDE**2]
    header = json.dumps({"A": {"dtype": "F64", "shape": [SIDE, SIDE], "data_offsets": offsets}})
    start = struct.pack("<Q", len(header)) + header.encode()
    (tmp_path / "short.safetensors").write_bytes(start)
    hole(tmp_path / "long.safetensors", start, len(start) + offsets[1])
    hole(tmp_path / "line.csv", b"", 2**40)
    for path in sorted(tmp_path.iterdir()):
        done = run("id", path, "--rank", 2)
        assert_refused(done)
        assert path.name in done.stderr


def test_empty_stores(tmp_path):
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("A", shape=(SIDE, SIDE), chunks=(100, 100), dtype="f8")
    zarr.create_array(tmp_path / "a.zarr", shape=(SIDE, SIDE), chunks=(1000, 1000), dtype="f8")
    (tmp_path / "b.zarr").mkdir()
    for path in sorted(tmp_path.iterdir()):
        assert_refused(run("svd", path, "--rank", 2))


@pytest.mark.parametrize("suffix", ["pt", "npz", "zarr"])
def test_nothing_in_a_file_is_executed(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    if suffix == "pt":
        pytest.importorskip("torch")
        path.write_bytes(pickle.dumps(Trap()))
    elif suffix == "npz":
        np.savez(path, A=np.array([[Trap()]], dtype=object))
    else:
        zarr = pytest.importorskip("zarr")
        zarr.create_array(path, shape=(2, 2), chunks=(2, 2), dtype="f8", zarr_format=2)
        described = json.loads((path / ".zarray").read_text())
        described["filters"] = [{"id": "pickle", "protocol": 5}]
        (path / ".zarray").write_text(json.dumps(described))
        (path / "0.0").write_bytes(pickle.dumps(Trap()))
    assert_refused(run("id", path, "--rank", 1, cwd=tmp_path))
    assert not (tmp_path / "sprung").exists()


# ---------------------------------------------------------------- outputs that fail


NEARLY_FULL = 300  # bytes of a file


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("option", ["-o r.npz", "--plot r.png"])
def test_no_room_for_the_output(name, option, folder, tmp_path):
    if "png" in option:
        pytest.importorskip("matplotlib")
    flag, file = option.split()
    (tmp_path / file).write_text("what was there before")
    done = run(*COMMANDS[name], flag, tmp_path / file, cwd=folder, room=NEARLY_FULL)
    assert_refused(done)
    assert f"{file}: could not be written" in done.stderr
    assert (tmp_path / file).read_text() == "what was there before"
    assert [path.name for path in tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("file", ["r.safetensors", "r.csv", "r.npy"])
def test_no_room_for_other_formats(file, folder, tmp_path):
    if file.endswith("safetensors"):
        pytest.importorskip("safetensors")
    words = ("select", "A.npy", "-n", 60, "-o", tmp_path / file)
    assert_refused(run(*words, cwd=folder, room=NEARLY_FULL))
    assert not list(tmp_path.iterdir())


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 KiB, where a person may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("may not mount")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("name", ["r.npz", "r.safetensors"])
def test_a_full_disk(name, small_disk, folder):
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors")
    done = run("svd", "A.npy", "--rank", 30, "-o", small_disk / name, cwd=folder)
    assert_refused(done)
    assert "No space left" in done.stderr
    assert not list(small_disk.iterdir())


@pytest.mark.parametrize(
    "output", ["nowhere/r.npz", "folder.npz", "/proc/r.npz", "r.txt"], ids=lambda name: name[-12:]
)
def test_outputs_that_cannot_be(output, folder, tmp_path):
    (tmp_path / "folder.npz").mkdir()
    for name in ("id", "angles", "w2s"):
        words = [folder / word if str(word).endswith("npy") else word for word in COMMANDS[name]]
        assert_refused(run(*words, "-o", output, cwd=tmp_path))
    assert [path.name for path in tmp_path.rglob("*")] == ["folder.npz"]


@pytest.mark.parametrize(
    "words", [("id", "A.npy", "--rank", 2, "--json"), ("config",), ("--help",)]
)
def test_standard_output_is_full(words, folder):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [SCRIPT, *map(str, words)],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment(),
        )
    assert done.returncode == 2
    assert done.stderr.decode().count("\n") == 1


@pytest.mark.parametrize("name", ["id", "cur", "svd", "select"])
def test_interrupted(name, tmp_path):
    """Ctrl-C while the matrix is worked on, or read."""
    A = np.random.default_rng(0).standard_normal((4000, 3000))
    np.save(tmp_path / "A.npy", A)
    how = {"select": ("-n", 1500, "--method", "d_opt"), "id": ("--rank", 2000, "--pivoting", "rp")}
    process = subprocess.Popen(
        launched(name, "A.npy", *how.get(name, ("--rank", 2000)), "-o", "r.npz"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    maps = Path(f"/proc/{process.pid}/maps")
    while "A.npy" not in maps.read_text() and process.poll() is None:
        time.sleep(0.02)
    time.sleep(0.3)  # reading is over
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "subspan: error: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["A.npy"]


# ---------------------------------------------------------------- terminals, shells, what is imported


def on_a_terminal(*words, **variables):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 90, 0, 0))
    env = environment(TERM="xterm-256color", **variables)
    with subprocess.Popen([SCRIPT, *words], stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # nobody writes any more
                break
            if not part:
                break
            seen += part
    os.close(ours)
    assert process.returncode == 0
    return seen.decode()


def test_colour_and_progress_on_terminals_only(folder):
    words = ("id", str(folder / "A.npy"), "--rank", "30")
    seen = on_a_terminal(*words)
    assert "\x1b[3" in seen or "\x1b[9" in seen  # a coloured bar
    assert "\x1b[2K" in seen  # that is wiped away
    plain = on_a_terminal(*words, NO_COLOR="1")
    assert "\x1b[3" not in plain
    assert "\x1b[9" not in plain
    assert "\x1b[2K" not in on_a_terminal(*words, "--no-progress")
    assert run(*words, env=environment(FORCE_COLOR="1")).stderr == ""


def test_an_encoding_without_lines(folder):
    done = run(*COMMANDS["select"], cwd=folder, env=environment(PYTHONIOENCODING="ascii"))
    assert done.returncode == 0
    assert "---" in done.stdout


def test_completion(tmp_path):
    script = run("completion", "bash")
    assert (script.returncode, script.stderr) == (0, "")
    assert subprocess.run(["bash", "-n"], input=script.stdout, text=True).returncode == 0
    asked = {
        "_SUBSPAN_COMPLETE": "bash_complete",
        "COMP_CWORD": "2",
        "COMP_WORDS": "subspan id --ax",
    }
    assert run(env=environment(**asked)).stdout == "plain,--axis\n"
    assert_refused(run("completion", "cmd"))


def test_config(folder):
    found = json.loads(run("config", "--json").stdout)
    assert found["subspan"] == subspan.__version__
    assert found["numpy"] == np.__version__


@pytest.mark.parametrize(
    "words", [("--help",), ("id", "A.npy", "--rank", 2), ("svd", "A.npy", "--rank", 2)], ids=str
)
def test_light_commands_import_little(words, folder):
    done = run(*words, cwd=folder, env=environment(PYTHONPROFILEIMPORTTIME="1"))
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    heavy = {"torch", "matplotlib", "sklearn", "PIL", "pandas", "h5py", "zarr", "dask", "pyarrow"}
    assert not heavy & imported


def test_the_package_itself_imports_neither_click_nor_rich():
    code = "import sys, subspan; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"click", "rich", "tqdm"} & set(modules.stdout.split())


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_the_extra_is_named(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None; from subspan.cli import main; "
        "sys.exit(main(['config']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert_refused(done)
    assert done.stderr.endswith("pip install 'subspan[cli]'\n")


@pytest.mark.parametrize(
    ("suffix", "library", "extra"),
    [
        ("h5", "h5py", "storage"),
        ("zarr", "zarr", "storage"),
        ("parquet", "pyarrow", "storage"),
        ("pt", "torch", "torch"),
        ("png", "PIL", "demo"),
    ],
)
def test_a_format_without_its_library(suffix, library, extra, tmp_path, monkeypatch):
    (tmp_path / f"a.{suffix}").write_bytes(b"")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"{library}.*pip install 'subspan\[{extra}\]'"):
        cli.read_matrix(tmp_path / f"a.{suffix}")


# ---------------------------------------------------------------- the other commands


def test_demo_in_a_folder_that_cannot_be(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    (tmp_path / "file").write_text("")
    assert_refused(run("demo", "--out", tmp_path / "file"))
    assert_refused(run("demo", "--seed", -1))


def test_demo(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    pytest.importorskip("PIL")
    done = run("demo", "--out", tmp_path / "made", "--seed", 3)
    assert (done.returncode, done.stderr) == (0, ""), done
    pictures = list((tmp_path / "made").glob("*.png"))
    assert pictures
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)


def test_prune(tmp_path):
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(50)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="w0")
    config = transformers.LlamaConfig(
        num_hidden_layers=2, num_attention_heads=4, hidden_size=32, intermediate_size=48,
        num_key_value_heads=2, vocab_size=50, max_position_embeddings=64,
    )  # fmt: skip
    dense, small = tmp_path / "dense", tmp_path / "small"
    transformers.LlamaForCausalLM(config).save_pretrained(dense)
    tokenizer.save_pretrained(dense)
    for name in ("calib", "eval"):
        numbers = np.random.default_rng(len(name)).integers(1, 50, 700)
        (tmp_path / f"{name}.txt").write_text(" ".join(f"w{i}" for i in numbers))
    texts = ("--calib", "calib.txt", "--eval", "eval.txt", "--length", 20)
    done = run("prune", "dense", "--out", "small", *texts, "--json", cwd=tmp_path)
    assert done.returncode == 0, done
    model = transformers.AutoModelForCausalLM.from_pretrained(small)
    assert model.config.intermediate_size == 40  # 36, to the next multiple of 8
    counted = sum(p.numel() for p in model.parameters())
    assert json.loads(done.stdout)["parameters"][1] == counted
    again = run("prune", "dense", "--out", "small", *texts, cwd=tmp_path)
    assert again.returncode == 0
    assert "perplexity" in again.stdout


def test_prune_refuses(tmp_path):
    words = ("--calib", tmp_path / "text.txt", "--out", tmp_path / "small")
    assert_refused(run("prune", tmp_path / "nowhere", *words))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "precious").write_text("")
    done = run("prune", tmp_path, *words)
    assert_refused(done)
    assert "holds something else than a pruned model" in done.stderr
    assert (tmp_path / "small" / "precious").exists()


def test_prune_a_damaged_model(tmp_path):
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text('{"model_type": "llama"')
    done = run("prune", tmp_path, "--calib", tmp_path / "text.txt", "--out", tmp_path / "small")
    assert_refused(done)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_bench_is_where_the_repository_is(tmp_path):
    root = Path(__file__).parents[1]
    if (root / "bench").is_dir():
        assert_refused(run("bench", "--suite", "nonsense", cwd=root))
    (tmp_path / "bench").mkdir()
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "bench" / "__init__.py").write_text("")
    (tmp_path / "bench" / "__main__.py").write_text(
        "import argparse\n"
        "def parser():\n"
        "    p = argparse.ArgumentParser()\n"
        "    for name in ('--device', '--out'): p.add_argument(name)\n"
        "    p.add_argument('--suite', nargs='+')\n"
        "    p.add_argument('--small', action='store_true')\n"
        "    return p\n"
        "def main(words): print(sorted(vars(parser().parse_args(words)).items()))\n"
    )
    words = ("--suite", "standard", "--device", "cpu", "--out", "here", "--small")
    done = run("bench", *words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    given = [("device", "cpu"), ("out", "here"), ("small", True), ("suite", ["standard"])]
    assert done.stdout == f"{given}\n"
    assert_refused(run("bench", "--rounds", "7", cwd=tmp_path))
