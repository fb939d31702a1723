"""Matrices read in chunks of rows: the same results as in memory, in bounded memory."""

import itertools
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import subspan
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator
from subspan import sketch
from subspan.testing import known_spectrum

DTYPES = ("float32", "float64", "complex64", "complex128")


def matrix(dtype="float64", m=240, n=90):
    A = known_spectrum(m, n, 10.0 ** -np.arange(0, 12, 0.2), rng=0)
    if np.dtype(dtype).kind == "c":
        A = A * np.exp(0.3j * np.arange(n))
    return np.ascontiguousarray(A.astype(dtype))


def cut(A, *rows):
    edges = [0, *rows, A.shape[0]]
    return [A[a:b] for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [1, 0, None])
@pytest.mark.parametrize(
    "options", [{}, {"sketch": "gaussian"}, {"pivoting": "lupp"}, {"pivoting": "rbrp"}], ids=str
)
def test_the_result_is_that_of_the_matrix_in_memory(dtype, axis, options):
    A = matrix(dtype)
    pieces = subspan.chunks(cut(A, 100, 101, 180))
    r = subspan.interpolative(pieces, 10, axis=axis, rng=3, **options)
    expected = subspan.interpolative(A, 10, axis=axis, rng=3, **options)
    np.testing.assert_array_equal(np.asarray(r.indices), np.asarray(expected.indices))
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(r.toarray(), expected.toarray(), atol=1e3 * eps, rtol=0)
    assert r.dtype == A.dtype
    assert r.error.kind == expected.error.kind
    # Exact squares are ||A||_F^2 less the energy in each of the 10 directions, each with its rounding;
    # where too few digits are left of that, they are estimates, good to their relative rounding.
    rounding = 10 * eps * float(np.linalg.norm(A)) ** 2
    assert r.error.value**2 == pytest.approx(expected.error.value**2, rel=2e4 * eps, abs=rounding)
    assert r.plan.choices["input"] == "blocks"


@given(st.lists(st.integers(1, 239), max_size=12), st.sampled_from(DTYPES))
def test_chunking_does_not_matter(edges, dtype):
    A = matrix(dtype)
    pieces = subspan.chunks(cut(A, *sorted(set(edges))))
    r = subspan.interpolative(pieces, 8, rng=1)
    np.testing.assert_array_equal(r.indices, subspan.interpolative(A, 8, rng=1).indices)
    whole = subspan.chunks([A])
    X = np.random.default_rng(0).standard_normal((90, 3)).astype(dtype)
    tolerance = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(pieces @ X, whole @ X, atol=tolerance * np.abs(A @ X).max())
    Y = A @ X
    np.testing.assert_allclose(pieces.H @ Y, whole.H @ Y, atol=10 * tolerance * np.abs(Y).max())


@pytest.mark.parametrize("options", [{}, {"pivoting": "lupp"}, {"coefficients": "osid"}], ids=str)
def test_the_result_is_that_of_a_linear_operator(options):
    A = matrix()
    r = subspan.interpolative(
        subspan.chunks(cut(A, 50, 200)), 12, sketch="gaussian", rng=0, **options
    )
    expected = subspan.interpolative(aslinearoperator(A), 12, sketch="gaussian", rng=0, **options)
    np.testing.assert_array_equal(r.indices, expected.indices)
    np.testing.assert_allclose(r.coefficients, expected.coefficients, atol=1e-10)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
def test_sparse_chunks(kind):
    A = sp.random_array((200, 60), density=0.2, rng=np.random.default_rng(0), format="csr")
    pieces = subspan.chunks([A[:90].asformat(kind), A[90:].asformat(kind)])
    r = subspan.interpolative(pieces, 20, rng=0)
    expected = subspan.interpolative(A, 20, rng=0)
    np.testing.assert_array_equal(r.indices, expected.indices)
    np.testing.assert_allclose(r.coefficients, expected.coefficients, atol=1e-10)
    assert r.error_exact(pieces).value == pytest.approx(r.error_exact(A).value)
    np.testing.assert_allclose(pieces.T @ np.ones(200), A.T @ np.ones(200))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", [False, True])
def test_acts_like_a_linear_operator(dtype, transposed):
    A = matrix(dtype)
    B = subspan.chunks(cut(A, 1, 77))
    if transposed:
        A, B = A.T, B.T
    rng = np.random.default_rng(0)
    X, Y = (rng.standard_normal((size, 4)).astype(dtype) for size in A.shape[::-1])
    expected = {
        "AX": (B @ X, A @ X),
        "Ax": (B @ X[:, 0], A @ X[:, 0]),
        "AhY": (B.rmatmat(Y), A.conj().T @ Y),
        "Ahy": (B.rmatvec(Y[:, 0]), A.conj().T @ Y[:, 0]),
        "HY": (B.H @ Y, A.conj().T @ Y),
        "TY": (B.T @ Y, A.T @ Y),
        "YtA": (Y.T @ B, Y.T @ A),
        "sum": ((B + B) @ X, 2 * A @ X),
    }
    for name, (found, want) in expected.items():
        np.testing.assert_allclose(found, want, atol=1e3 * np.finfo(dtype).eps, err_msg=name)
        assert found.dtype == want.dtype
    assert B.norm2 == pytest.approx(np.linalg.norm(A.astype("complex128")) ** 2, rel=1e-12)
    np.testing.assert_allclose(
        sketch.SparseSign(30, A.shape[0], rng=0) @ B,
        sketch.SparseSign(30, A.shape[0], rng=0) @ A,
        atol=1e3 * np.finfo(dtype).eps,
    )
    np.testing.assert_array_equal(
        sketch.RowSampling(9, A.shape[0], rng=0) @ B, sketch.RowSampling(9, A.shape[0], rng=0) @ A
    )


def test_passes_are_counted_and_the_norm_comes_with_the_first():
    A = matrix()
    B = subspan.chunks(cut(A, 30, 60))
    assert B.passes == 0
    _ = B @ np.ones(90)
    assert B.passes == 1
    assert B.norm2 == pytest.approx(np.linalg.norm(A) ** 2)
    assert B.passes == 1
    r = subspan.interpolative(B, 10, rng=0)
    assert r.plan.passes == 3  # sketch, columns, projection
    assert B.passes == 4
    assert r.error.kind == "exact"
    assert r.error_exact(B).value == pytest.approx(r.error_exact(A).value)
    fresh = subspan.chunks([A])
    assert fresh.norm2 == pytest.approx(B.norm2)
    assert fresh.passes == 1


def test_to_a_tolerance():
    A = matrix()
    r = subspan.interpolative(subspan.chunks(cut(A, 100)), rtol=1e-3, rng=0)
    assert r.converged
    assert np.linalg.norm(A - r.toarray()) <= 1e-3 * np.linalg.norm(A)
    expected = subspan.interpolative(A, rtol=1e-3, pivoting="lupp", rng=0)
    np.testing.assert_array_equal(r.indices, expected.indices)
    r = subspan.interpolative(subspan.chunks(cut(A, 100)), rtol=1e-3, norm="spectral", rng=0)
    assert r.converged
    assert np.linalg.norm(A - r.toarray(), 2) <= 1e-3 * np.linalg.norm(A, 2)


@pytest.mark.parametrize("exponent", [-900, 900])
def test_scale_does_not_matter(exponent):
    A = matrix()
    r = subspan.interpolative(subspan.chunks(cut(np.ldexp(A, exponent), 100)), 10, rng=0)
    expected = subspan.interpolative(A, 10, rng=0)
    np.testing.assert_array_equal(r.indices, expected.indices)
    assert np.ldexp(r.error.value, -exponent) == pytest.approx(expected.error.value)


def test_zero_matrix_and_rank_zero():
    zero = subspan.chunks([np.zeros((5, 4)), np.zeros((3, 4))])
    assert subspan.interpolative(zero, 2, rng=0).rank == 0
    r = subspan.interpolative(subspan.chunks(cut(matrix(), 9)), 0, rng=0)
    assert r.error.value == pytest.approx(np.linalg.norm(matrix()))


def test_error_functions():
    A = matrix()
    B = subspan.chunks(cut(A, 9))
    assert subspan.error.norm(B, norm="fro") == pytest.approx(np.linalg.norm(A), rel=1e-12)
    assert subspan.error.norm(B, rng=0) == pytest.approx(np.linalg.norm(A, 2), rel=1e-6)
    r = subspan.interpolative(A, 5, rng=0)
    estimate = subspan.error.residual(B, r, rng=1)
    assert estimate.value / 3 < r.error_exact(A).value < estimate.upper


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize(
    "options", [{}, {"method": "block_krylov"}, {"rank": None, "rtol": 1.3e-2}]
)
def test_svd_is_that_of_the_matrix_in_memory(dtype, options):
    A = matrix(dtype)
    B = subspan.chunks(cut(A, 100, 101, 180))
    options = {"rank": 10, "method": "subspace", **options}
    r, expected = (subspan.svd(X, rng=0, **options) for X in (B, A))
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(r.s, expected.s, atol=100 * eps)
    np.testing.assert_allclose(r.toarray(), expected.toarray(), atol=100 * eps)
    assert r.plan.passes == B.passes
    assert subspan.svd(B, 10, rng=0).plan.choices["method"] == "subspace"
    seen = []
    Q = subspan.range_finder(B, 10, rng=0, progress=lambda *report: seen.append(report[2])).Q
    assert np.linalg.norm(A - Q @ (Q.conj().T @ A)) < np.linalg.norm(A) / 50
    assert {"stage": "basis", "block": 2, "blocks": 4} in seen


# What can be read


def test_callable_is_called_once_per_pass():
    A = matrix()
    calls = []

    def read():
        calls.append(1)
        yield from cut(A, 20, 20, 100)

    B = subspan.chunks(read, shape=A.shape, dtype=A.dtype)
    assert not calls
    r = subspan.interpolative(B, 6, rng=0)
    assert len(calls) == B.passes == r.plan.passes == 3
    counted = subspan.chunks(read)
    assert counted.shape == A.shape
    assert counted.passes == 1
    assert counted.norm2 == pytest.approx(np.linalg.norm(A) ** 2)


def test_an_iterator_is_read_once():
    A = matrix()
    B = subspan.chunks((block for block in cut(A, 20, 100)), shape=A.shape)
    np.testing.assert_allclose(
        sketch.Gaussian(12, 240, rng=0) @ B, sketch.Gaussian(12, 240, rng=0) @ A
    )
    with pytest.raises(RuntimeError, match="callable that returns a fresh iterator"):
        B @ np.ones(90)
    B = subspan.chunks(iter(cut(A, 20, 100)), shape=A.shape)
    with pytest.raises(RuntimeError, match="another pass is needed"):
        subspan.interpolative(B, 5, rng=0)


def test_a_buffer_that_is_reused():
    A = matrix()
    buffer = np.empty((60, 90))

    def read():
        for start in range(0, 240, 60):
            buffer[...] = A[start : start + 60]
            yield buffer

    r = subspan.interpolative(subspan.chunks(read), 6, rng=0)
    np.testing.assert_array_equal(r.indices, subspan.interpolative(A, 6, rng=0).indices)


def test_memory_map(tmp_path):
    A = matrix("float32")
    A.tofile(tmp_path / "A.bin")
    mapped = np.memmap(tmp_path / "A.bin", np.float32, "r", shape=A.shape)
    expected = subspan.interpolative(A, 6, rng=0)
    for form in (mapped, subspan.chunks(mapped, rows=70), subspan.chunks(mapped)):
        r = subspan.interpolative(form, 6, rng=0)
        np.testing.assert_array_equal(r.indices, expected.indices)


@pytest.mark.parametrize("axis", [0, 1])
def test_hdf5(tmp_path, axis):
    h5py = pytest.importorskip("h5py")
    A = matrix()
    with h5py.File(tmp_path / "A.h5", "w") as file:
        data = file.create_dataset("A", data=A, chunks=(32, 45))
        for form in (data, subspan.chunks(data, rows=50)):
            r = subspan.interpolative(form, 6, axis=axis, rng=0)
            expected = subspan.interpolative(A, 6, axis=axis, rng=0)
            np.testing.assert_array_equal(r.indices, expected.indices)
        assert (subspan.chunks(data).T @ np.ones(240)).shape == (90,)


def test_zarr(tmp_path):
    zarr = pytest.importorskip("zarr")
    A = matrix("complex64")
    data = zarr.create_array(
        store=str(tmp_path / "A.zarr"), shape=A.shape, chunks=(32, 45), dtype=A.dtype
    )
    data[...] = A
    for form in (data, subspan.chunks(data, rows=50)):
        r = subspan.interpolative(form, 6, rng=0)
        np.testing.assert_array_equal(r.indices, subspan.interpolative(A, 6, rng=0).indices)


class Stored:
    """An array on disk, as far as `chunks` can tell; remembers how it was read."""

    def __init__(self, A, chunks=None):
        self._A = A
        self.shape, self.dtype, self.chunks = A.shape, A.dtype, chunks
        self.heights, self.threads = [], set()

    def __getitem__(self, rows):
        block = np.array(self._A[rows])
        self.heights.append(len(block))
        self.threads.add(threading.current_thread().name)
        return block


def test_rows_per_chunk(monkeypatch):
    A = matrix()
    data = Stored(A)
    assert subspan.chunks(data, rows=100).norm2 == pytest.approx(np.linalg.norm(A) ** 2)
    assert data.heights == [100, 100, 40]
    assert threading.current_thread().name not in data.threads  # read ahead
    monkeypatch.setattr(sys.modules["subspan.chunks"], "_CHUNK_BYTES", 90 * 8 * 70)
    data = Stored(A, chunks=(32, 45))
    _ = subspan.chunks(data).norm2
    assert data.heights == [64, 64, 64, 48]


def test_promotion():
    A = np.arange(60).reshape(12, 5)
    for form in (A, A > 7, A.astype(np.float16)):
        B = subspan.chunks([form[:5], form[5:]])
        assert B.dtype == (np.float32 if form.dtype == np.float16 else np.float64)
        np.testing.assert_allclose(B @ np.ones(5, B.dtype), form @ np.ones(5, B.dtype))
    mixed = subspan.chunks([np.ones((2, 3), np.float32), np.ones((2, 3))])
    assert mixed.dtype == np.float64
    single = subspan.chunks(lambda: [A], dtype=np.float32)
    assert single.dtype == (single @ np.ones(5, np.float32)).dtype == np.float32
    with pytest.raises(TypeError, match="chunk 0 of A has dtype complex128; expected float32"):
        subspan.chunks([A * 1j], dtype=np.float32) @ np.ones(5)


def test_float32_is_added_up_in_double_precision():
    rng = np.random.default_rng(0)
    A = (1 + rng.random((20000, 3))).astype(np.float32)
    B = subspan.chunks(cut(A, *range(10, 20000, 10)))
    ones = np.ones(20000, np.float32)
    exact = A.astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(B.rmatvec(ones), exact, rtol=2e-7)


# What is refused


@pytest.mark.host_only  # iterators are used up
@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"source": 3}, TypeError, "source has type int"),
        ({"source": []}, ValueError, "source is empty"),
        ({"source": lambda: []}, ValueError, "is empty"),
        ({"source": iter([np.ones((2, 2))])}, TypeError, "shape is required"),
        ({"source": iter([]), "shape": (2, 2)}, ValueError, "is empty"),
        ({"source": iter([np.ones((2, 3))]), "shape": (2, 2)}, ValueError, "does not fit"),
        ({"source": [np.ones(3)]}, ValueError, "chunk 0 of A must be 2-d"),
        ({"source": [np.ones((2, 3))], "shape": (3, 3)}, ValueError, "does not fit the chunks"),
        ({"source": [np.ones((2, 3))], "shape": 3}, TypeError, "pair of ints"),
        ({"source": [np.ones((2, 3))], "rows": 3}, ValueError, "for an array on disk"),
        ({"source": np.ones((2, 3)), "rows": 0}, ValueError, "rows=0"),
        ({"source": np.ones((2, 3)), "shape": (2, 2)}, ValueError, "does not fit source"),
        ({"source": np.ones(3)}, ValueError, "must be 2-d"),
        ({"source": [np.array([["a"]])]}, TypeError, "dtype"),
    ],
)
def test_bad_arguments(arguments, error, text):
    with pytest.raises(error, match=text):
        subspan.chunks(**arguments)


def nan_at(i, j):
    A = matrix()
    A[i, j] = np.nan
    return A


@pytest.mark.parametrize(
    ("blocks", "error", "text"),
    [
        ([np.ones((3, 4)), np.ones((3, 5))], ValueError, r"chunk 1 of A has shape \(3, 5\)"),
        ([np.ones((3, 4)), np.ones(4)], ValueError, "chunk 1 of A must be 2-d"),
        ([np.ones((3, 4)), np.ones((4, 4))], ValueError, "ends at row 7, but A has 6 rows"),
        ([np.ones((3, 4))], ValueError, "have 3 rows in all; expected 6"),
        ([np.ones((3, 4)), np.ones((3, 4), complex)], TypeError, "chunk 1 of A has dtype complex"),
    ],
)
def test_bad_chunks(blocks, error, text):
    B = subspan.chunks(lambda: blocks, shape=(6, 4))
    with pytest.raises(error, match=text):
        B @ np.ones(4)
    with pytest.raises(error, match=text):
        subspan.interpolative(B, 2, rng=0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("axis", [0, 1])
def test_non_finite_entries_are_found(value, axis):
    A = matrix()
    A[117, 5] = value
    B = subspan.chunks(cut(A, 100, 150))
    for call in (
        lambda: subspan.interpolative(B, 3, axis=axis, rng=0),
        lambda: B @ np.ones(90),
        lambda: B.T @ np.ones(240),
    ):
        with (
            pytest.raises(ValueError, match=r"A\[117, 5\] is (nan|inf)"),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", RuntimeWarning)
            call()
    sparse = subspan.chunks([sp.csr_array(block) for block in cut(A, 100, 150)])
    with pytest.raises(ValueError, match=r"A\[117, 5\] is (nan|inf)"):
        subspan.interpolative(sparse, 3, rng=0)


def test_methods_that_need_the_matrix_in_memory():
    B = subspan.chunks([matrix()])
    with pytest.raises(TypeError, match="in memory"):
        subspan.interpolative(B, 3, pivoting="strong")
    with pytest.raises(ValueError, match="srht"):
        subspan.interpolative(B, 3, sketch="srht")
    with pytest.raises(TypeError, match="read in blocks"):
        sketch.SRHT(4, 240, rng=0) @ B


def test_an_error_while_reading_comes_through():
    def read():
        yield np.ones((2, 3))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        subspan.chunks(read, shape=(4, 3)) @ np.ones(3)

    class Broken(Stored):
        def __getitem__(self, rows):
            if rows.start > 0:
                raise OSError("the disk is gone")
            return super().__getitem__(rows)

    with pytest.raises(OSError, match="the disk is gone"):
        subspan.interpolative(subspan.chunks(Broken(matrix()), rows=9), 3, rng=0)


def test_progress_and_interruption():
    A = matrix()
    seen = []
    B = subspan.chunks(cut(A, 100, 200))
    subspan.interpolative(B, 5, rng=0, progress=lambda done, total, info: seen.append(info))
    assert {"stage": "choose columns", "block": 2, "blocks": 3} in seen
    assert B.reader.on_block is None

    def stop(done, total, info):
        if info.get("block") == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        subspan.interpolative(B, 5, rng=0, progress=stop)


MEMORY = """
import resource, sys, numpy as np, subspan
m, n, rows = 120_000, 400, 4000  # 384 MB in chunks of 12.8 MB

def read():
    rng = np.random.default_rng(0)
    W = rng.standard_normal((30, n))
    for _ in range(0, m, rows):
        yield rng.standard_normal((rows, 30)) @ W

def anonymous():
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

A = subspan.chunks(read, shape=(m, n), dtype=np.float64)
subspan.interpolative(np.random.default_rng(0).standard_normal((300, 200)), 5, rng=0)
open("/proc/self/clear_refs", "w").write("5")
before = anonymous()
r = subspan.interpolative(A, 10, pivoting="lupp", rng=0)
print(anonymous() - before, r.indices.tolist())
"""


@pytest.mark.host_only
@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="no /proc")
def test_memory_is_bounded():
    done = subprocess.run(
        [sys.executable, "-c", MEMORY],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_THREAD_TIMEOUT": "10"},
    )
    assert done.returncode == 0, done.stderr
    extra = int(done.stdout.split()[0])
    chunk, unit = 4000 * 400 * 8, (120_000 + 400) * 10 * 8
    assert extra < 4 * chunk + 8 * unit


IMPORTS = """
import sys, subspan
loaded = {"dask", "distributed", "h5py", "zarr"} & set(sys.modules)
assert not loaded, loaded
"""


@pytest.mark.host_only
def test_optional_libraries_are_imported_when_they_are_needed():
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
