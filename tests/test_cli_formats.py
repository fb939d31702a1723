"""Files of matrices: entries by name, what stays on disk, types that numpy does not have."""

import json
import struct

import numpy as np
import pytest
import subspan
from subspan import cli
from subspan.cli.formats import entry
from subspan.cli.reading import column_names

pytestmark = pytest.mark.host_only


@pytest.fixture(scope="module")
def matrix():
    return np.vander(np.linspace(0.5, 1, 200), 30)


@pytest.fixture
def everything_is_large(monkeypatch):
    """Every file is treated as one that is larger than memory."""
    import importlib

    for name in ("npy", "npz", "hdf5", "zarr_store", "csv_table", "parquet"):
        module = importlib.import_module(f"subspan.cli.formats.{name}")
        monkeypatch.setattr(module, "LARGE", 0)


def columns(A):
    return subspan.interpolative(A, 6, rng=3).indices.tolist()


def test_large_arrays_stay_on_disk(everything_is_large, matrix, tmp_path):
    np.savez(tmp_path / "a.npz", A=matrix, B=matrix[:3])
    np.savez(tmp_path / "f.npz", A=np.asfortranarray(matrix))
    for path in (f"{tmp_path}/a.npz::A", f"{tmp_path}/f.npz"):
        A = cli.read_matrix(path)
        assert isinstance(A, np.memmap)
        assert np.array_equal(A, matrix)
    np.save(tmp_path / "i.npy", np.arange(600).reshape(200, 3))
    counted = cli.read_matrix(tmp_path / "i.npy")
    assert type(counted).__name__ == "BlockedMatrix"
    assert isinstance(cli.read_matrix(tmp_path / "i.npy", by_rows=True), np.memmap)


def test_large_tables_are_read_in_chunks(everything_is_large, matrix, tmp_path):
    np.savetxt(tmp_path / "a.csv", matrix, delimiter=",", header="x,y", comments="")
    A = cli.read_matrix(tmp_path / "a.csv")
    assert type(A).__name__ == "BlockedMatrix"
    assert columns(A) == columns(matrix)
    assert np.array_equal(cli.read_matrix(tmp_path / "a.csv", by_rows=True), matrix)


def test_large_parquet(everything_is_large, matrix, tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({f"c{j}": matrix[:, j] for j in range(30)}), tmp_path / "a.parquet")
    A = cli.read_matrix(tmp_path / "a.parquet")
    assert type(A).__name__ == "BlockedMatrix"
    assert columns(A) == columns(matrix)
    assert np.array_equal(cli.read_matrix(tmp_path / "a.parquet", by_rows=True), matrix)


def test_large_datasets_are_left_to_the_routines(everything_is_large, matrix, tmp_path):
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["A"] = matrix
    zarr.create_array(tmp_path / "a.zarr", data=matrix)
    for name in ("a.h5", "a.zarr"):
        A = cli.read_matrix(tmp_path / name)
        assert not isinstance(A, np.ndarray)
        assert columns(A) == columns(matrix)
        chosen = subspan.selection.select(A, 9, rng=0).indices
        assert chosen.tolist() == subspan.selection.select(matrix, 9, rng=0).indices.tolist()


def test_parquet_columns_and_embeddings(matrix, tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    table = {"x": matrix[:, 0], "n": np.arange(200), "name": ["row"] * 200, "e": list(matrix)}
    pq.write_table(pa.table(table), path)
    assert np.array_equal(cli.read_matrix(f"{path}::e"), matrix)
    assert np.array_equal(
        cli.read_matrix(path, "n,x"), np.stack([np.arange(200), matrix[:, 0]], axis=1)
    )
    for words, message in (
        (None, "column e holds lists"),
        ("x,name", "column name holds string"),
        ("y", "--variable y: not among"),
    ):
        with pytest.raises(ValueError, match=message):
            cli.read_matrix(path, words)
    pq.write_table(pa.table({"e": [[1.0, 2.0], [3.0]]}), path)
    with pytest.raises(ValueError, match="differ in length"):
        cli.read_matrix(path)


TABLE = """station, "temperature, C", wind ,note
a,1.5,2,calm
b,-3,4.5,"wind, rain"
"""


def test_columns_of_csv(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text(TABLE)
    numbers = np.array([[1.5, 2], [-3, 4.5]])
    assert np.array_equal(cli.read_matrix(path, "wind"), numbers[:, 1:])
    assert np.array_equal(cli.read_matrix(f"{path}::^station,note"), numbers)
    assert column_names(path, "^note,station") == ["temperature, C", "wind"]
    for words, message in (
        (None, "column station holds 'a'; choose columns of numbers with --variable"),
        ("wind,note", "column note holds 'calm'"),
        ("wind,snow", "--variable snow: not among the columns station, temperature, C, wind, note"),
    ):
        with pytest.raises(ValueError, match=message):
            cli.read_matrix(path, words)
    monkeypatch.setattr("subspan.cli.formats.csv_table.LARGE", 0)
    in_chunks = cli.read_matrix(path, "^station,note")
    assert not isinstance(in_chunks, np.ndarray)
    expected = np.linalg.svd(numbers, compute_uv=False)
    np.testing.assert_allclose(subspan.svd(in_chunks, 2, rng=0).s, expected)


def test_csv_without_names_or_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,2\n3,\n")
    with pytest.raises(ValueError, match=r"string '' .*; fill in what is missing, or choose"):
        cli.read_matrix(path)
    path.write_text("1,2\n3,4\n")
    assert column_names(path) is None
    assert column_names(path, "^0") == ["1"]
    assert np.array_equal(cli.read_matrix(path, "^0"), [[2], [4]])
    with pytest.raises(ValueError, match="--variable x: not among the columns 0, 1"):
        cli.read_matrix(path, "x")
    with pytest.raises(ValueError, match=r"--variable \^1,0 leaves no column"):
        cli.read_matrix(path, "^1,0")
    path.write_text("a,1,2\nb,3,4\n")
    with pytest.raises(ValueError, match="column 0 holds 'a'; choose columns of numbers"):
        cli.read_matrix(path)
    assert np.array_equal(cli.read_matrix(path, "^0"), [[1, 2], [3, 4]])
    np.savetxt(path, np.eye(2), delimiter=",", header="u,v")  # NumPy puts "# " before it
    assert column_names(path) == ["u", "v"]
    assert np.array_equal(cli.read_matrix(path, "v"), [[0], [1]])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_chosen_columns_are_named(suffix, tmp_path, capsys):
    """As the file names them, among the columns that are read."""
    path = tmp_path / f"a.{suffix}"
    table = {
        "day": ["mon", "tue", "wed"],
        "low": [1.0, 2, 3],
        "high": [1e3, 0, 1],
        "c": [0, 1.0, 0],
    }
    if suffix == "csv":
        rows = [
            ",".join(table),
            *(",".join(map(str, row)) for row in zip(*table.values(), strict=True)),
        ]
        path.write_text("\n".join(rows))
    else:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table(table), path)
    words = [str(path), "--variable", "^day", "--rank", "1", "--seed", "0"]
    for command, named in (("id", ["high"]), ("cur", ["high"]), ("svd", "none")):
        assert cli.main([command, *words, "--json"]) == 0
        assert json.loads(capsys.readouterr().out).get("names", "none") == named
    assert cli.main(["id", *words]) == 0
    assert "named      high" in capsys.readouterr().out
    assert cli.main(["id", *words, "--axis", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["names"] is None
    assert cli.main(["id", *words, "--axis", "both", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["names"] == ["high"]


@pytest.mark.parametrize("kind", ["F16", "BF16", "F32", "I32", "C64"])
def test_types_of_safetensors(kind, tmp_path):
    values = np.array([[1.5, -2.0, 0.25], [3.0, 1024.0, 0.0]])
    types = {"F16": "<f2", "F32": "<f4", "I32": "<i4", "C64": "<c8"}
    if kind == "BF16":
        data = (values.astype("<f4").view("<u4") >> 16).astype("<u2")
    else:
        data = values.astype(types[kind])
    tensor = {"dtype": kind, "shape": [2, 3], "data_offsets": [0, data.nbytes]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": tensor}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + data.tobytes())
    assert np.array_equal(cli.read_matrix(path), data if kind != "BF16" else values)


def test_tensors_of_torch(matrix, tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pt"
    layers = [{"w": torch.tensor(matrix)}, {"w": torch.ones(2, 3, dtype=torch.bfloat16)}]
    torch.save({"layers": layers}, path)
    assert np.array_equal(cli.read_matrix(f"{path}::layers.0.w"), matrix)
    assert cli.read_matrix(path, "layers.1.w").dtype == np.float32
    with pytest.raises(ValueError, match=r"found layers\.0\.w, layers\.1\.w"):
        cli.read_matrix(path)


def test_matlab_7_3(matrix, tmp_path):
    """MATLAB writes HDF5, columns first."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["A"] = matrix.T
    start = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\x02IM"
    with open(tmp_path / "a.mat", "r+b") as file:
        file.write(start)
    assert np.array_equal(cli.read_matrix(tmp_path / "a.mat"), matrix)


def test_entries_are_named_once(matrix, tmp_path):
    np.savez(tmp_path / "a.npz", A=matrix, B=matrix[:4])
    with pytest.raises(ValueError, match="and so does --variable B"):
        cli.read_matrix(f"{tmp_path}/a.npz::A", "B")
    np.save(tmp_path / "a::b.npy", matrix)
    assert np.array_equal(cli.read_matrix(tmp_path / "a::b.npy"), matrix)


def test_entries_of_a_saved_result(matrix, tmp_path):
    """A result is no matrix, but its arrays are."""
    r = subspan.interpolative(matrix, 4, rng=0)
    r.save(tmp_path / "r.npz")
    with pytest.raises(ValueError, match=r"r\.npz: holds a result"):
        cli.read_matrix(tmp_path / "r.npz")
    assert np.array_equal(cli.read_matrix(tmp_path / "r.npz", "coefficients"), r.coefficients)


def test_more_than_memory_is_refused():
    with pytest.raises(MemoryError, match=r"needs 1 EiB of memory, .*; save it otherwise"):
        entry.check_memory(2**60, "save it otherwise")
    assert entry.in_words(3 * 2**29) == "1.5 GiB"
    assert entry.in_words(0) == "0 bytes"


def test_what_compresses_well_is_no_fraud():
    entry.check_promise((10**6, 10**4), np.dtype(float), 10**8)
    with pytest.raises(ValueError, match="promises an array"):
        entry.check_promise((10**6, 10**4), np.dtype(float), 10**7)
