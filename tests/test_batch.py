"""Batches: every matrix is decomposed as it would be alone, whatever its scale, in one call."""

import numpy as np
import pytest
import subspan
from test_pivot import gaussian
from test_svd import is_orthonormal, known

DTYPES = ["float32", "float64", "complex64", "complex128"]


def batch_of(rng, lead, m, n, dtype):
    return np.stack(
        [known(m, n, 0.7 ** np.arange(min(m, n)), dtype, seed=i) for i in range(int(np.prod(lead)))]
    ).reshape((*lead, m, n))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (300, 8), (120, 150)])
@pytest.mark.parametrize("method", ["auto", "subspace", "full"])
def test_svd_of_every_matrix(method, shape, dtype, rng):
    A = batch_of(rng, (2, 3), *shape, dtype)
    r = subspan.svd(A, 4, method=method, rng=7)
    U, s, Vh = r
    assert (U.shape, s.shape, Vh.shape) == ((2, 3, shape[0], 4), (2, 3, 4), (2, 3, 4, shape[1]))
    assert U.dtype == Vh.dtype == A.dtype
    assert r.shape == A.shape
    assert r.error.value.shape == (2, 3)
    tol = 2e3 * np.finfo(dtype).eps
    for i in np.ndindex(2, 3):
        alone = subspan.svd(A[i], 4, method=method, rng=7)
        assert np.allclose(s[i], alone.s, rtol=tol)
        assert np.allclose(U[i], alone.U, atol=tol)
        assert np.allclose(Vh[i], alone.Vh, atol=tol)
        true = np.linalg.norm(A[i] - r.toarray()[i])
        assert np.isclose(r.error.value[i], alone.error.value, rtol=0.05)
        assert true <= r.error.upper[i]
        assert np.isclose(r.error.relative[i], alone.error.relative, rtol=0.05)
    assert np.allclose(r.T.toarray(), r.toarray().swapaxes(-1, -2))
    x = rng.standard_normal((shape[1], 2))
    assert np.allclose(r @ x, r.toarray() @ x, atol=10 * tol)
    y = rng.standard_normal((2, shape[0]))
    assert np.allclose(y @ r, y @ r.toarray(), atol=10 * tol)
    assert "batch" in repr(r)
    assert "at worst" in repr(r)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("pivoting", ["auto", "lupp", "cpqr", "rbrp", "greedy", "deim"])
def test_interpolative_of_every_matrix(pivoting, axis, dtype, rng):
    A = batch_of(rng, (5,), 90, 70, dtype)
    r = subspan.interpolative(A, 6, pivoting=pivoting, axis=axis, rng=3)
    J, W = r
    assert J.shape == (5, 6)
    assert J.dtype == np.int64
    assert r.shape == A.shape
    for i in range(5):
        alone = subspan.interpolative(A[i], 6, pivoting=pivoting, axis=axis, rng=3)
        assert np.array_equal(J[i], alone.indices)
        assert np.allclose(W[i], alone.coefficients, atol=5e3 * np.finfo(dtype).eps)
        assert np.array_equal(r.skeleton[i], alone.skeleton)
        true = np.linalg.norm(A[i] - r.toarray()[i])
        assert true <= r.error.upper[i]
        if r.error.kind == "exact":
            assert np.isclose(true, r.error.value[i], rtol=0.02)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(90, 70), (70, 90), (300, 20)])
@pytest.mark.parametrize("pivoting", ["auto", "blocked", "lupp", "cpqr", "rbrp", "greedy", "deim"])
def test_qr_of_every_matrix(pivoting, shape, dtype, rng):
    A = batch_of(rng, (2, 2), *shape, dtype)
    r = subspan.qr(A, 6, pivoting=pivoting, rng=3)
    Q, R, piv = r
    m, n = shape
    assert (Q.shape, R.shape, piv.shape) == ((2, 2, m, 6), (2, 2, 6, n), (2, 2, n))
    assert Q.dtype == R.dtype == A.dtype
    assert piv.dtype == np.int64
    assert (r.shape, r.rank, r.columns.shape) == (A.shape, 6, (2, 2, 6))
    tol = 5e3 * np.finfo(dtype).eps
    for i in np.ndindex(2, 2):
        alone = subspan.qr(A[i], 6, pivoting=pivoting, rng=3)
        assert np.array_equal(piv[i], alone.piv)
        assert np.allclose(Q[i], alone.Q, atol=tol)
        assert np.allclose(R[i], alone.R, atol=tol)
        assert not np.tril(R[i], -1).any()
        assert is_orthonormal(Q[i], 100 * np.finfo(dtype).eps)
        true = np.linalg.norm(A[i][:, piv[i]] - Q[i] @ R[i])
        assert true <= r.error.upper[i]
        assert np.isclose(r.error.value[i], alone.error.value, rtol=0.05)
        if r.error.kind == "exact":
            assert np.isclose(true, r.error.value[i], rtol=0.02)
    assert r.error.kind == alone.error.kind
    assert np.allclose(r.T.toarray(), r.toarray().swapaxes(-1, -2))
    x = rng.standard_normal((n, 2))
    assert np.allclose(r @ x, r.toarray() @ x, atol=10 * tol)
    J, W = r.to_interpolative()
    assert np.allclose(np.take_along_axis(A, J[..., None, :], -1) @ W, r.toarray(), atol=tol)
    assert "batch" in repr(r)


def test_small_matrices_go_through_lapack(rng):
    """And so does one alone: the pivots are those of scipy.linalg.qr."""
    import scipy.linalg

    A = rng.standard_normal((7, 40, 60))
    r = subspan.interpolative(A, 5, rng=0)
    assert "LAPACK" in r.plan.reasons["pivoting"]
    assert r.error.kind == "exact"
    for i in range(7):
        assert np.array_equal(r.indices[i], scipy.linalg.qr(A[i], pivoting=True)[2][:5])
        assert np.array_equal(subspan.interpolative(A[i], 5).indices, r.indices[i])


@pytest.mark.parametrize("rank", [5, 20, 40])
@pytest.mark.parametrize("dtype", DTYPES)
def test_small_qr_is_that_of_lapack(dtype, rank, rng):
    import scipy.linalg

    A = gaussian(rng, (3, 40, 60), dtype)
    r = subspan.qr(A, rank, rng=0)
    tol = 100 * np.finfo(dtype).eps
    for i in range(3):
        alone = subspan.qr(A[i], rank)
        for found in (r, alone):
            assert "LAPACK" in found.plan.reasons["pivoting"]
            assert found.error.kind == "exact"
        Q, R, piv = scipy.linalg.qr(A[i], pivoting=True, mode="economic")
        phases = np.diagonal(R) / np.abs(np.diagonal(R))
        assert np.array_equal(r.columns[i], piv[:rank])
        R = R[:, np.argsort(piv)][:, r.piv[i]]
        assert np.allclose(r.Q[i], (Q * phases)[:, :rank], atol=tol)
        assert np.allclose(r.R[i], (phases.conj()[:, None] * R)[:rank], atol=tol * 20)
        assert np.array_equal(alone.R, r.R[i])


def test_dependent_columns_are_filled_up():
    """Ranks are fixed: k columns of a matrix of lower rank, the rest with unit coefficients."""
    A = np.zeros((3, 50, 8))
    A[0, :, 2] = 1.0
    A[1] = np.outer(np.arange(50), np.arange(8))
    r = subspan.interpolative(A, 4, rng=0)
    assert np.allclose(r.toarray(), A, atol=1e-10)
    for i in range(3):
        assert len(set(r.indices[i])) == 4
        assert np.array_equal(r.coefficients[i][:, r.indices[i]], np.eye(4))
    assert r.indices[0, 0] == 2
    s = subspan.svd(A, 4, rng=0)
    assert np.allclose(s.toarray(), A, atol=1e-10)
    assert (s.s[2] == 0).all()
    assert s.error.value[2] == 0
    assert is_orthonormal(s.U[2], 1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pivoting", ["auto", "cpqr", "lupp", "greedy", "blocked"])
def test_a_basis_is_completed_where_columns_run_out(pivoting, dtype, rng):
    """A matrix of rank 2, one of rank 4 and zero: Q has all its columns, R zero rows."""
    A = np.zeros((3, 50, 30), dtype)
    A[0] = gaussian(rng, (50, 2), dtype) @ gaussian(rng, (2, 30), dtype)
    A[1] = gaussian(rng, (50, 4), dtype) @ gaussian(rng, (4, 30), dtype)
    r = subspan.qr(A, 4, pivoting=pivoting, rng=0)
    eps = np.finfo(dtype).eps
    for i in range(3):
        assert is_orthonormal(r.Q[i], 100 * eps)
        assert np.array_equal(np.sort(r.piv[i]), np.arange(30))
    scale = np.linalg.norm(A, axis=(1, 2)).max()
    assert np.allclose(r.toarray(), A, atol=100 * eps * scale)
    assert np.abs(r.R[0, 2:]).max() <= 100 * eps * scale
    if pivoting != "blocked":
        assert not r.R[0, 2:].any()
    assert not r.R[2].any()
    assert (r.error.value[2], r.error.relative[2]) == (0, 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scales_differ_within_a_batch(dtype):
    big, small = (1e30, 1e-30) if dtype == "float32" else (1e250, 1e-250)
    B = known(60, 40, 0.5 ** np.arange(40), dtype)
    A = np.stack([B, B * np.array(big, dtype), B * np.array(small, dtype)])
    before = A.copy()
    for r in (subspan.svd(A, 5, rng=0), subspan.svd(A, 5, method="subspace", rng=0)):
        assert np.allclose(r.s[1] / r.s[0], big, rtol=1e-4)
        assert np.allclose(r.s[2] / r.s[0], small, rtol=1e-4)
        assert np.allclose(r.error.value / r.error.value[0], [1, big, small], rtol=1e-2)
    r = subspan.interpolative(A, 5, rng=0)
    assert (r.indices == r.indices[0]).all()
    for pivoting in ("auto", "cpqr", "blocked"):
        r = subspan.qr(A, 5, pivoting=pivoting, rng=0)
        assert (r.piv == r.piv[0]).all()
        assert np.allclose(r.R[1] / np.array(big, dtype), r.R[0], atol=1e-5)
        assert np.allclose(r.error.value / r.error.value[0], [1, big, small], rtol=1e-2)
    assert np.array_equal(A, before)


def test_entries_in_range_whose_sum_of_squares_is_not():
    A = np.full((2, 400, 300), 9e7, np.float32)
    A[:, :100, :50] *= 0.5
    for call in (subspan.svd, subspan.interpolative, subspan.qr):
        assert call(A, 2, rng=0).error.relative.max() < 1e-4


def test_layouts_empty_batches_and_integers(rng):
    A = rng.standard_normal((4, 30, 20))
    expected = subspan.svd(A, 3, rng=0)
    for B in (np.asfortranarray(A), A[::-1][::-1], A.swapaxes(1, 2).copy().swapaxes(1, 2)):
        assert np.allclose(subspan.svd(B, 3, rng=0).s, expected.s)
    for shape in ((0, 30, 20), (2, 0, 30, 20)):
        assert subspan.svd(np.zeros(shape), 3, rng=0).U.shape == (*shape[:-1], 3)
        assert subspan.interpolative(np.zeros(shape), 3, rng=0).indices.shape == (*shape[:-2], 3)
        assert subspan.qr(np.zeros(shape), 3, rng=0).Q.shape == (*shape[:-1], 3)
    assert subspan.svd(np.ones((2, 5, 4), int), 1, rng=0).s.dtype == np.float64
    assert subspan.svd(A, 0, rng=0).s.shape == (4, 0)
    assert subspan.interpolative(A, 0, rng=0).coefficients.shape == (4, 0, 20)
    for call in (subspan.svd, subspan.interpolative, subspan.qr):
        assert call(np.zeros((2, 0, 5)), 0).error.value.tolist() == [0, 0]
        assert np.allclose(call(np.full((2, 4, 5), 1e200), 0).error.value / 1e200, 20**0.5)
    nothing = subspan.qr(A, 0, rng=0)
    assert (nothing.Q.shape, nothing.piv.shape) == ((4, 30, 0), (4, 20))
    assert np.allclose(nothing.error.value, np.linalg.norm(A, axis=(1, 2)))


def test_bad_batches(rng):
    A = gaussian(rng, (3, 12, 9), "float64")
    for call, message in (
        (lambda: subspan.svd(A, rtol=0.1), "needs a rank, not a tolerance"),
        (lambda: subspan.interpolative(A, rtol=0.1), "needs a rank, not a tolerance"),
        (lambda: subspan.qr(A, rtol=0.1), "needs a rank, not a tolerance"),
        (lambda: subspan.qr(A, rtol=0.1, pivoting="blocked"), "fixed rank only|not a tolerance"),
        (lambda: subspan.qr(A, 2, norm="spectral"), "norm='spectral'"),
        (lambda: subspan.interpolative(A, 2, axis=None), "axis=None"),
        (lambda: subspan.svd(A, 2, norm="spectral"), "norm='spectral'"),
        (lambda: subspan.svd(A, 2, method="block_krylov"), "block_krylov"),
        (lambda: subspan.svd(A, 10), r"rank=10 must lie in \[0, 9\]"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    A[1, 7, 4] = np.nan
    for call in (subspan.svd, subspan.interpolative, subspan.qr):
        with pytest.raises(ValueError, match=r"A\[1, 7, 4\] is nan"):
            call(A, 2)


def test_files_and_other_libraries(tmp_path, rng):
    A = rng.standard_normal((3, 30, 20))
    r = subspan.svd(A, 3, rng=0)
    r.save(tmp_path / "r.npz")
    again = subspan.load(tmp_path / "r.npz")
    assert np.array_equal(again.U, r.U)
    assert np.array_equal(again.error.value, r.error.value)
    torch = pytest.importorskip("torch")
    U, s, _ = subspan.svd(torch.from_numpy(A), 3, rng=0)
    assert isinstance(U, torch.Tensor)
    assert np.array_equal(s.numpy(), r.s)
    J, W = subspan.interpolative(torch.from_numpy(A), 3, rng=0)
    assert J.dtype == torch.int64
    assert W.shape == (3, 3, 20)
    Q, R, piv = subspan.qr(torch.from_numpy(A), 3, rng=0)
    assert isinstance(Q, torch.Tensor)
    assert (R.shape, piv.dtype) == ((3, 3, 20), torch.int64)


def test_interruption(rng):
    def stop(done, total, info):
        raise KeyboardInterrupt

    A = rng.standard_normal((300, 20, 10))
    for call in (subspan.svd, subspan.qr):
        with pytest.raises(KeyboardInterrupt):
            call(A, 3, progress=stop)
