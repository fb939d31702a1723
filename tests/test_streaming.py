"""The SVD of a matrix that is read once, from three sketches."""

import itertools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import subspan
from hypothesis import given
from hypothesis import strategies as st
from subspan import StreamingSketch
from subspan.testing import known_spectrum

DTYPES = ("float32", "float64", "complex64", "complex128")


def matrix(dtype="float64", m=300, n=120, sigma=None):
    sigma = 10.0 ** -np.arange(0, 8, 0.1) if sigma is None else sigma
    A = known_spectrum(m, n, sigma, rng=1)
    if np.dtype(dtype).kind == "c":
        A = A * np.exp(0.3j * np.arange(n))
    return np.ascontiguousarray(A.astype(dtype))


def fed(A, rank, *edges, order=1, **options):
    found = StreamingSketch(A.shape, rank, dtype=A.dtype, rng=0, **options)
    pieces = list(itertools.pairwise([0, *edges, A.shape[0]]))[::order]
    for a, b in pieces:
        found.update(A[a:b], a)
    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", [1, 10, 40])
def test_near_the_best_approximation(dtype, rank):
    A = matrix(dtype)
    U, s, Vh, error = fed(A, rank, 100, 101).finalize()
    assert (U.shape, s.shape, Vh.shape) == ((300, rank), (rank,), (rank, 120))
    assert U.dtype == Vh.dtype == A.dtype
    assert s.dtype == A.real.dtype
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(U.conj().T @ U, np.eye(rank), atol=100 * eps)
    np.testing.assert_allclose(Vh @ Vh.conj().T, np.eye(rank), atol=100 * eps)
    assert (np.diff(s) <= 0).all()
    left = np.linalg.norm((A - U * s @ Vh).astype("complex128"))
    best = np.linalg.svd(A.astype("complex128"), compute_uv=False)
    size = np.linalg.norm(best)
    assert left <= 3 * np.linalg.norm(best[rank:]) + 100 * eps * size
    assert error.kind == "estimate"
    assert left <= error.upper + 10 * eps * size
    assert error.value / 2 <= left + 10 * eps * size
    assert error.relative == pytest.approx(error.value / size, rel=1e-5)
    largest = U[np.abs(U).argmax(axis=0), np.arange(rank)]
    assert (largest.real > 0).all()
    np.testing.assert_allclose(largest.imag, 0, atol=eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_low_rank_is_found_exactly(dtype):
    A = matrix(dtype, sigma=np.linspace(1, 0.1, 7))
    U, s, Vh, error = fed(A, 10, 50, 250).finalize()
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(U * s @ Vh, A, atol=500 * eps)
    np.testing.assert_allclose(s[:7], np.linspace(1, 0.1, 7), atol=500 * eps)
    assert error.relative < 500 * eps


def test_coherent_matrix():
    A = np.zeros((500, 200))
    A[np.arange(40) * 12, np.arange(40) * 5] = np.linspace(2, 1, 40)
    U, s, Vh, _ = fed(A, 40, 123).finalize()
    np.testing.assert_allclose(U * s @ Vh, A, atol=1e-12)


@given(st.lists(st.integers(1, 299), max_size=8), st.sampled_from([1, -1]))
def test_blocks_and_their_order_do_not_matter(edges, order):
    A = matrix()
    edges = sorted(set(edges))
    U, s, Vh, error = fed(A, 12, *edges, order=order).finalize()
    U0, s0, Vh0, error0 = fed(A, 12).finalize()
    np.testing.assert_allclose(U * s @ Vh, U0 * s0 @ Vh0, atol=1e-10)
    assert error.value == pytest.approx(error0.value, rel=1e-6)


@pytest.mark.parametrize("rank", [4, 30])
def test_read_takes_every_kind(rank, monkeypatch, tmp_path):
    A = matrix()
    monkeypatch.setattr("subspan.streaming._SLAB", 70 * 120 * 8)
    expected = fed(A, rank).finalize()
    path = tmp_path / "A.npy"
    np.save(path, A)
    pieces = [A[:99], A[99:100], A[100:]]
    once = subspan.chunks(iter(pieces), shape=A.shape)
    kinds = {
        "C": A,
        "F": np.asfortranarray(A),
        "sparse": sp.coo_array(A),
        "map": np.load(path, mmap_mode="r"),
        "list": subspan.chunks(pieces),
        "iterator": once,
        "transposed": subspan.chunks([np.ascontiguousarray(A.T[:50]), A.T[50:]]).T,
    }
    for name, form in kinds.items():
        found = StreamingSketch(A.shape, rank, rng=0).read(form)
        assert found.rows_seen == 300
        for x, y in zip(found.finalize()[:3], expected[:3], strict=True):
            np.testing.assert_allclose(np.abs(x), np.abs(y), atol=1e-5, err_msg=name)
        U, s, Vh, error = found.finalize()
        np.testing.assert_allclose(U * s @ Vh, expected[0] * expected[1] @ expected[2], atol=1e-10)
        assert error.relative == pytest.approx(expected[3].relative, rel=1e-6)
    assert once.passes == 1


def test_merge_and_pickle():
    A = matrix()
    first, second = (StreamingSketch(A.shape, 10, rng=5) for _ in range(2))
    first.update(A[:120], 0)
    second.update(A[120:], 120)
    merged = first.merge(pickle.loads(pickle.dumps(second)))
    assert merged is first
    assert merged.rows_seen == 300
    U, s, Vh, error = merged.finalize()
    whole = StreamingSketch(A.shape, 10, rng=5).update(A, 0).finalize()
    np.testing.assert_allclose(U * s @ Vh, whole[0] * whole[1] @ whole[2], atol=1e-12)
    assert error.relative == pytest.approx(whole[3].relative)
    for other in (
        StreamingSketch(A.shape, 10, rng=6),
        StreamingSketch(A.shape, 11, rng=5),
        StreamingSketch((300, 119), 10, rng=5),
        StreamingSketch(A.shape, 10, rng=5, dtype=np.float32),
    ):
        with pytest.raises(ValueError, match="cannot merge"):
            first.merge(other)


def test_linear_updates():
    A, H = matrix(), matrix(sigma=np.linspace(1, 0.5, 20))
    found = StreamingSketch(A.shape, 30, rng=0).update(A, 0).scale(-0.5)
    assert found.finalize()[3].relative == pytest.approx(
        StreamingSketch(A.shape, 30, rng=0).update(A, 0).finalize()[3].relative
    )
    found.update(2 * H, 0)
    U, s, Vh, error = found.finalize()
    C = 2 * H - 0.5 * A
    left = np.linalg.norm(C - U * s @ Vh)
    assert left <= error.upper
    assert error.relative == pytest.approx(left / np.linalg.norm(C), rel=0.5)
    with pytest.raises(TypeError):
        found.scale(1j)
    with pytest.raises(ValueError, match="finite"):
        found.scale(np.nan)


def test_rank_and_size():
    A = matrix(m=30, n=25, sigma=0.5 ** np.arange(25.0))
    found = fed(A, 20)
    assert found.size == 25
    U, s, Vh, error = found.finalize(25)
    np.testing.assert_allclose(U * s @ Vh, A, atol=1e-12)
    assert error.relative < 1e-12
    assert fed(A, 5, oversampling=3).size == 8
    assert found.finalize(0)[1].shape == (0,)
    with pytest.raises(ValueError, match=r"rank=26 must lie in \[0, 25\]"):
        found.finalize(26)
    assert found.plan.passes == 1
    assert found.plan.choices["sketch size"] == 25


def test_flat_spectrum_is_reported_as_it_is():
    A = matrix(sigma=np.ones(120))
    U, s, Vh, error = fed(A, 10).finalize()
    left = np.linalg.norm(A - U * s @ Vh)
    assert left <= error.upper
    assert error.relative > 0.9


def test_nothing_seen_is_zero():
    U, s, Vh, error = StreamingSketch((20, 10), 3, rng=0).finalize()
    assert np.isfinite(U).all()
    assert np.isfinite(Vh).all()
    np.testing.assert_array_equal(s, 0)
    assert error.relative == 0


def test_the_estimate_holds_as_often_as_it_says():
    A = matrix()
    ratios = []
    for seed in range(60):
        found = StreamingSketch(A.shape, 8, rng=seed).update(A, 0)
        U, s, Vh, error = found.finalize()
        left = np.linalg.norm(A - U * s @ Vh)
        assert left <= error.upper
        ratios.append((error.value / left) ** 2)
    assert np.mean(ratios) == pytest.approx(1, abs=0.15)  # unbiased


def test_refused():
    with pytest.raises(ValueError, match="rank=0"):
        StreamingSketch((5, 5), 0)
    with pytest.raises(ValueError, match="rank=6"):
        StreamingSketch((5, 5), 6)
    found = StreamingSketch((5, 4), 2, rng=0)
    with pytest.raises(ValueError, match="rows has 5 columns; expected 4"):
        found.update(np.ones((2, 5)), 0)
    for start in (-1, 4):
        with pytest.raises(ValueError, match="leave the range"):
            found.update(np.ones((2, 4)), start)
    bad = np.ones((2, 4))
    bad[1, 2] = np.inf
    with pytest.raises(ValueError, match=r"A\[4, 2\] is inf"):
        found.update(bad, 3)
    with pytest.raises(ValueError, match="overflow"):
        found.update(np.full((2, 4), 1e300), 0)
    with pytest.raises(TypeError, match="complex128"):
        found.update(1j * np.ones((2, 4)), 0)
    with pytest.raises(ValueError, match=r"A has shape \(4, 4\)"):
        found.read(np.ones((4, 4)))
    from scipy.sparse.linalg import aslinearoperator

    with pytest.raises(TypeError, match="two passes"):
        found.read(aslinearoperator(np.ones((5, 4))))
    assert found.rows_seen == 0
    single = StreamingSketch((5, 4), 2, rng=0, dtype=np.float32)
    assert single.update(np.ones((2, 4)), 0).finalize()[0].dtype == np.float32
