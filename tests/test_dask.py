"""Dask arrays: whatever the chunks and the scheduler, the result of the matrix in memory."""

import os

import numpy as np
import pytest
import scipy.sparse as sp
import subspan
from hypothesis import given, settings
from hypothesis import strategies as st
from subspan.testing import known_spectrum

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

DTYPES = ("float32", "float64", "complex64", "complex128")


def matrix(dtype="float64", m=240, n=90):
    A = known_spectrum(m, n, 10.0 ** -np.arange(0, 12, 0.2), rng=0)
    if np.dtype(dtype).kind == "c":
        A = A * np.exp(0.3j * np.arange(n))
    return np.ascontiguousarray(A.astype(dtype))


@st.composite
def parts(draw, total):
    edges = draw(st.lists(st.integers(1, total - 1), max_size=5, unique=True))
    return tuple(np.diff([0, *sorted(edges), total]).tolist())


@settings(max_examples=25)
@given(parts(240), parts(90), st.sampled_from(DTYPES), st.sampled_from([0, 1]))
def test_chunks_along_both_axes_do_not_matter(rows, columns, dtype, axis):
    A = matrix(dtype)
    r = subspan.interpolative(da.from_array(A, chunks=(rows, columns)), 8, axis=axis, rng=1)
    expected = subspan.interpolative(A, 8, axis=axis, rng=1)
    np.testing.assert_array_equal(r.indices, expected.indices)
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(r.toarray(), expected.toarray(), atol=1e3 * eps)
    assert r.error.kind == expected.error.kind
    assert r.plan.passes == 3
    assert type(r.coefficients) is np.ndarray


@pytest.mark.parametrize("dtype", DTYPES)
def test_svd_and_streaming_sketch(dtype):
    A = matrix(dtype)
    B = da.from_array(A, chunks=(70, 40))
    r, expected = (subspan.svd(X, 10, method="subspace", rng=0) for X in (B, A))
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(r.toarray(), expected.toarray(), atol=100 * eps)
    assert type(r.U) is type(r.Vh) is np.ndarray
    found = subspan.StreamingSketch(A.shape, 10, dtype=dtype, rng=0)
    U, s, Vh, error = found.read(B).finalize()
    in_memory = subspan.StreamingSketch(A.shape, 10, dtype=dtype, rng=0).read(A)
    U0, s0, Vh0, error0 = in_memory.finalize()
    np.testing.assert_allclose(U * s @ Vh, U0 * s0 @ Vh0, atol=1e3 * eps)
    assert error.value == pytest.approx(error0.value, rel=1e-2)


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("transposed", [False, True])
def test_products(dtype, transposed):
    from subspan.dask import from_dask

    A = matrix(dtype)
    B = from_dask(da.from_array(A, chunks=(70, 40)))
    if transposed:
        A, B = A.T, B.T
    rng = np.random.default_rng(0)
    X, Y = (rng.standard_normal((size, 4)).astype(dtype) for size in A.shape[::-1])
    tolerance = 1e3 * np.finfo(dtype).eps
    np.testing.assert_allclose(B @ X, A @ X, atol=tolerance)
    np.testing.assert_allclose(B.rmatmat(Y), A.conj().T @ Y, atol=tolerance)
    assert (B @ X).dtype == B.rmatmat(Y).dtype == A.dtype
    assert B.norm2 == pytest.approx(np.linalg.norm(A.astype("complex128")) ** 2)
    assert B.largest() == pytest.approx(np.abs(A).max())
    r = subspan.svd(A, 3, rng=0)
    assert r.error_exact(B).value == pytest.approx(r.error_exact(A).value, rel=1e-5)


def test_many_blocks_are_added_as_a_tree():
    A = matrix()
    B = da.from_array(A, chunks=(2, 9))
    r = subspan.interpolative(B, 8, rng=1)
    np.testing.assert_array_equal(r.indices, subspan.interpolative(A, 8, rng=1).indices)


def test_sparse_blocks():
    A = sp.random_array((200, 60), density=0.2, rng=np.random.default_rng(0), format="csr")
    B = da.from_array(A.toarray(), chunks=(90, 25)).map_blocks(sp.csr_array)
    r = subspan.interpolative(B, 20, rng=0)
    np.testing.assert_array_equal(r.indices, subspan.interpolative(A, 20, rng=0).indices)


def test_empty_blocks_and_empty_arrays():
    A = matrix()
    B = da.concatenate([da.zeros((0, 90)), da.from_array(A, chunks=100), da.zeros((0, 90))])
    r = subspan.interpolative(B, 8, rng=1)
    np.testing.assert_array_equal(r.indices, subspan.interpolative(A, 8, rng=1).indices)
    assert subspan.interpolative(da.zeros((0, 4)), 0).shape == (0, 4)


def test_nothing_gathers_the_array():
    largest = []

    def block(block_info=None):
        (a, b), (c, d) = block_info[None]["array-location"]
        return matrix()[a:b, c:d]

    B = da.map_blocks(block, chunks=((60,) * 4, (30,) * 3), dtype=float)

    class Watch(dask.callbacks.Callback):
        def _posttask(self, key, result, *_):
            arrays = getattr(result, "parts", (result,))
            largest.extend(np.size(x) for x in arrays if isinstance(x, np.ndarray))

    with Watch():
        subspan.interpolative(B, 5, rng=0)
    assert max(largest) <= 240 * 40


def test_unknown_chunk_sizes():
    B = da.from_array(matrix(), chunks=(70, 90))
    B = B[B[:, 0] > 0]
    with pytest.raises(ValueError, match=r"compute_chunk_sizes\(\)"):
        subspan.interpolative(B, 3, rng=0)
    B.compute_chunk_sizes()
    assert subspan.interpolative(B, 3, rng=0).rank == 3


def test_refused():
    with pytest.raises(ValueError, match="must be 2-d"):
        subspan.svd(da.zeros(5), 1)
    with pytest.raises(TypeError, match="takes as it is"):
        subspan.chunks(da.zeros((5, 5)))
    A = matrix()
    A[117, 45] = np.nan
    with pytest.raises(ValueError, match=r"A\[117, 45\] is nan"):
        subspan.interpolative(da.from_array(A, chunks=(70, 40)), 3, rng=0)
    wrong = da.zeros((20, 10), chunks=10).map_blocks(lambda block: block[:5], dtype=float)
    with pytest.raises(ValueError, match=r"has shape \(5, 10\); expected \(10, 10\)"):
        subspan.interpolative(wrong, 3, rng=0)


def test_progress_and_interruption():
    A = da.from_array(matrix(), chunks=(70, 90))
    seen = []
    subspan.interpolative(A, 5, rng=0, progress=lambda done, total, info: seen.append(info))
    assert {"stage": "choose columns", "block": 4, "blocks": 4} in seen

    def stop(done, total, info):
        if info.get("block") == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        subspan.interpolative(A, 5, rng=0, progress=stop)


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes, each with a nanny that starts it again."""
    distributed = pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "30s"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.slow
@pytest.mark.host_only
def test_a_cluster_of_processes(cluster):
    A = matrix()
    B = da.from_array(A, chunks=(40, 50))
    seen = []
    r = subspan.interpolative(
        B, 8, rng=1, progress=lambda done, total, info: seen.append(info.get("block"))
    )
    expected = subspan.interpolative(A, 8, rng=1)
    np.testing.assert_array_equal(r.indices, expected.indices)
    np.testing.assert_allclose(r.coefficients, expected.coefficients, atol=1e-10)
    assert 12 in seen
    r = subspan.svd(B, 8, rng=1)
    np.testing.assert_allclose(r.s, subspan.svd(A, 8, rng=1, method="subspace").s, atol=1e-12)
    A[5, 70] = np.inf
    with pytest.raises(ValueError, match=r"A\[5, 70\] is inf"):
        subspan.interpolative(da.from_array(A, chunks=(40, 50)), 8, rng=1)


@pytest.mark.slow
@pytest.mark.host_only
def test_large_factors_do_not_travel_in_the_graph(cluster, monkeypatch):
    monkeypatch.setattr("subspan.dask._LARGE", 0)
    A = matrix()
    from subspan.dask import from_dask

    B = from_dask(da.from_array(A, chunks=(40, 50)))
    X = np.random.default_rng(0).standard_normal((90, 6))
    np.testing.assert_allclose(B @ X, A @ X, atol=1e-12)
    np.testing.assert_allclose(B.T @ (A @ X), A.T @ (A @ X), atol=1e-12)


def _slow_block(block_info=None):
    import time

    (a, b), _ = block_info[None]["array-location"]
    time.sleep(0.1)
    return matrix()[a:b]


@pytest.mark.slow
@pytest.mark.host_only
@pytest.mark.parametrize("shipped", [False, True])
def test_a_worker_that_dies_in_the_middle(cluster, monkeypatch, shipped):
    if shipped:  # data are sent ahead of the graph and die with the worker
        monkeypatch.setattr("subspan.dask._LARGE", 0)
    cluster.wait_for_workers(2)
    A = matrix()
    B = da.map_blocks(_slow_block, chunks=((20,) * 12, (90,)), dtype=float)
    workers = list(cluster.run(os.getpid).values())
    starts, killed = [], []

    def kill(done, total, info):
        block = info.get("block")
        starts.extend([block] if block == 1 else [])
        # The third pass is the one with data: A^H Q.
        if not killed and len(starts) == (3 if shipped else 1) and block == 3:
            killed.append(workers[0])
            os.kill(workers[0], 9)

    r = subspan.interpolative(B, 8, rng=1, progress=kill)
    assert killed
    assert len(starts) == r.plan.passes >= (4 if shipped else 3)  # a pass that lost its data
    expected = subspan.interpolative(A, 8, rng=1)
    np.testing.assert_array_equal(r.indices, expected.indices)
    np.testing.assert_allclose(r.coefficients, expected.coefficients, atol=1e-10)
