"""Column-pivoted QR: identities, agreement with LAPACK, certificates, stopping, results."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import subspan
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator
from subspan import testing
from test_interp import wide
from test_pivot import ALL, BLOCKWISE, decaying, eps_of, gaussian, matrices

DTYPES = ["float32", "float64", "complex64", "complex128"]
METHODS = ["auto", "blocked", *ALL]
FOR_OPERATORS = ["auto", "lupp", "cpqr", "leverage", "deim", "arp"]
ADAPTIVE = ["auto", "lupp", "cpqr", *BLOCKWISE]
EPS = np.finfo(np.float64).eps


def check(A, r, k=None):
    """What holds for every result; returns ||A[:, piv] - Q R||_F and ||A||_F."""
    dense = wide(A)
    Q, R, piv = r
    m, n = dense.shape
    k = r.rank if k is None else k
    eps = eps_of(r)
    assert r.rank == k
    assert Q.shape == (m, k)
    assert R.shape == (k, n)
    assert Q.dtype == R.dtype == r.dtype
    assert piv.dtype == np.int64
    assert np.array_equal(np.sort(piv), np.arange(n))
    assert np.array_equal(r.columns, piv[:k])
    assert not np.tril(R[:, :k], -1).any()
    diagonal = np.diagonal(R)
    assert (diagonal.real >= 0).all()
    assert not diagonal.imag.any()
    assert np.linalg.norm(wide(Q).conj().T @ wide(Q) - np.eye(k)) <= 100 * max(1, k) * eps
    E = dense[:, piv] - wide(Q) @ wide(R)
    size = np.linalg.norm(dense)
    # R = Q^H A[:, piv]: nothing of the residual is left in the span of Q.
    assert np.linalg.norm(wide(Q).conj().T @ E) <= 100 * max(1, k) * eps * size
    # The chosen columns are reproduced.
    assert np.linalg.norm(E[:, :k]) <= 100 * max(1, k) * eps * size
    return np.linalg.norm(E), size


# ---------------------------------------------------------------- identities


@pytest.mark.parametrize("pivoting", METHODS)
@given(A=matrices(most=30), data=st.data())
def test_result_is_a_pivoted_qr(pivoting, A, data):
    k = data.draw(st.integers(0, min(A.shape)))
    before = A.copy()
    r = subspan.qr(A, k, pivoting=pivoting, rng=data.draw(st.integers(0, 2**64 - 1)))
    assert np.array_equal(A, before)
    assert r.dtype == A.dtype
    assert r.shape == A.shape
    assert r.converged is True
    assert r.rank <= k
    assert r.rank == k or r.stop_reason == "exhausted"
    error, _ = check(A, r)
    assert r.error.kind in ("exact", "estimate")
    if r.error.kind == "exact":
        assert error <= r.error.upper * (1 + 1e-9)
        assert abs(error - r.error.value) <= r.error.upper - r.error.value + 1e-3 * error


@pytest.mark.parametrize("block", [1, 7, 64, 500])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(150, 100), (100, 150), (120, 120), (130, 65)])
def test_blocked_is_a_full_factorization(shape, dtype, block, rng):
    A = gaussian(rng, shape, dtype)
    k = min(shape)
    r = subspan.qr(A, k, pivoting="blocked", block_size=block, rng=2)
    error, size = check(A, r, k)
    assert error <= 10 * np.sqrt(k) * eps_of(A) * size
    assert r.stop_reason == "rank"


@pytest.mark.parametrize("pivoting", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_r_is_that_of_lapack_for_the_same_columns(pivoting, dtype, rng):
    """QR with a positive diagonal is unique, so the pivots determine Q and R."""
    A = decaying(rng, 90, 70, 0.95, dtype)
    Q, R, piv = subspan.qr(A, 25, pivoting=pivoting, rng=3)
    Q0, R0 = np.linalg.qr(wide(A)[:, piv])
    phases = np.diagonal(R0) / np.abs(np.diagonal(R0))
    R0 = phases.conj()[:, None] * R0
    tolerance = 100 * eps_of(A) * R0[0, 0] / R0[24, 24] * np.linalg.norm(A)
    assert np.abs(R - R0[:25]).max() <= tolerance
    assert np.abs(Q - (Q0 * phases)[:, :25]).max() <= tolerance


@pytest.mark.parametrize("pivoting", ["auto", "blocked", "greedy", "cpqr"])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", ["exp", "gmm", "scaled_columns", "kahan"])
def test_diagonal_is_near_that_of_lapack(name, pivoting, dtype, rng):
    """|diag(R)| within a factor 2 of scipy.linalg.qr(pivoting=True), as far as rounding allows."""
    make = {
        "exp": lambda: decaying(rng, 300, 250, 10**-0.1),
        "gmm": lambda: (
            10 * gaussian(rng, (300, 20)) @ np.repeat(np.eye(20), 12, 1) + gaussian(rng, (300, 240))
        ),
        "scaled_columns": lambda: gaussian(rng, (300, 250)) * np.arange(1, 251) ** -2.0,
        "kahan": lambda: scipy.linalg.toeplitz(np.zeros(250), [0.0] + [-0.2] * 249) + np.eye(250),
    }
    A = make[name]().astype(dtype)
    k = 60
    lapack = np.abs(np.diagonal(scipy.linalg.qr(A, pivoting=True, mode="r")[0]))[:k]
    for seed in range(3):
        ours = np.diagonal(subspan.qr(A, k, pivoting=pivoting, rng=seed).R).real
        seen = lapack > 1e3 * EPS * lapack[0]
        ratios = (ours / lapack)[seen]
        assert ratios.min() >= 0.5
        assert ratios.max() <= 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(80, 60), (60, 80), (700, 60)])
@pytest.mark.parametrize("true_rank", [0, 1, 20])
def test_full_factorization_of_lower_rank(true_rank, shape, dtype, rng):
    """All columns of Q orthonormal, the rows of R below the rank at the rounding level."""
    A = gaussian(rng, (shape[0], true_rank), dtype) @ gaussian(rng, (true_rank, shape[1]), dtype)
    r = subspan.qr(A, 60, rng=1)
    error, size = check(A, r, 60)
    assert error <= 50 * eps_of(A) * size
    assert np.linalg.norm(r.R[true_rank:]) <= 500 * eps_of(A) * size
    assert r.stop_reason == "exhausted"


@pytest.mark.parametrize("pivoting", ["auto", *ALL])
@pytest.mark.parametrize("dtype", DTYPES)
def test_truncated_at_more_than_the_rank(pivoting, dtype, rng):
    A = gaussian(rng, (60, 8), dtype) @ gaussian(rng, (8, 45), dtype)
    r = subspan.qr(A, 20, pivoting=pivoting, rng=3)
    error, size = check(A, r)
    assert error <= 1e3 * eps_of(A) * size
    assert 8 <= r.rank <= 20


@pytest.mark.parametrize("pivoting", ["auto", "blocked"])
def test_hard_columns(pivoting):
    """The identity, repeated columns, a graded and a Hilbert matrix, one heavy column."""
    graded = np.diag(10.0 ** -np.arange(0, 30)) + np.triu(np.ones((30, 30)), 1)
    heavy = np.ones((30, 30))
    heavy[:, 7] *= 1e12
    for A in (np.eye(30), np.eye(40)[:, :30], np.repeat(np.eye(30)[:, :10], 3, 1), graded,
              scipy.linalg.hilbert(30), heavy, np.zeros((30, 30))):  # fmt: skip
        r = subspan.qr(A, 30, pivoting=pivoting, block_size=8, rng=0)
        error, size = check(A, r, 30)
        assert error <= 100 * EPS * size


@pytest.mark.parametrize("pivoting", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (2, 3)])
def test_tiny(shape, pivoting, rng):
    A = gaussian(rng, shape)
    r = subspan.qr(A, min(shape), pivoting=pivoting, rng=0)
    error, size = check(A, r, min(shape))
    assert error <= 20 * EPS * size


@pytest.mark.parametrize("pivoting", ["auto", "lupp", "greedy"])
@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_empty(shape, pivoting):
    r = subspan.qr(np.zeros(shape), 0, pivoting=pivoting)
    check(np.zeros(shape), r, 0)
    assert r.error.value == 0


# ---------------------------------------------------------------- certificates and stopping


@pytest.mark.parametrize("pivoting", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("norm", ["fro", "spectral"])
def test_certificate(norm, pivoting, dtype, rng):
    A = decaying(rng, 120, 90, 0.9, dtype)
    r = subspan.qr(A, 30, norm=norm, pivoting=pivoting, rng=5)
    error, size = check(A, r, 30)
    if norm == "spectral":
        error = np.linalg.norm(wide(A) - wide(r.Q) @ wide(r.R)[:, np.argsort(r.piv)], 2)
        size = np.linalg.norm(wide(A), 2)
        assert r.error.kind == "estimate"
        assert r.error.value == pytest.approx(error, rel=0.05)
    elif r.error.kind == "exact":
        assert r.error.value == pytest.approx(error, rel=1e-3)
        assert r.error_exact(A).value == pytest.approx(error, rel=1e-3)
    else:  # only float32 has no digits left here
        assert eps_of(A) > EPS
        assert error / 3 <= r.error.value <= 3 * error
    assert error <= r.error.upper * (1 + 1e-6)
    assert r.error.relative == pytest.approx(r.error.value / size, rel=0.05)


def test_estimate_where_energies_have_no_digits():
    """Below sqrt(eps) the probe certifies: unbiased, its upper bound above the error."""
    ratios = []
    for seed in range(40):
        A = decaying(np.random.default_rng(seed), 100, 80, 0.5)
        r = subspan.qr(A, 35, pivoting="cpqr", rng=seed)
        assert r.error.kind == "estimate"
        error, _ = check(A, r, 35)
        assert error <= r.error.upper
        ratios.append((r.error.value / error) ** 2)
    assert np.mean(ratios) == pytest.approx(1, abs=5 * np.std(ratios) / np.sqrt(40))


@pytest.mark.parametrize("pivoting", ADAPTIVE)
@pytest.mark.parametrize("rtol", [1e-1, 1e-4, 1e-9])
@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
def test_relative_tolerance(pivoting, rtol, make, rng):
    A = decaying(rng, 120, 90, 0.7)
    r = subspan.qr(make(A), rtol=rtol, pivoting=pivoting, rng=4)
    error, size = check(A, r)
    assert r.converged
    assert r.stop_reason == "tolerance"
    assert error <= rtol * size * (1 + 1e-6)
    best = next(k for k in range(91) if testing.optimal_error(A, k) <= rtol)
    # LUPP stops between rounds of at least 32 columns, and cannot drop any below sqrt(eps).
    slack = {"auto": 8, "greedy": 8, "bgp": 8, "cpqr": 8, "lupp": 64}.get(pivoting, 25)
    assert r.rank <= best + slack


def test_rank_and_tolerance_whichever_comes_first(rng):
    A = decaying(rng, 60, 50, 0.7)
    assert subspan.qr(A, 45, rtol=1e-2, rng=0).stop_reason == "tolerance"
    with pytest.warns(subspan.ToleranceNotMet, match="rank 3") as caught:
        r = subspan.qr(A, 3, rtol=1e-2, rng=0)
    assert caught[0].filename == __file__
    assert (r.rank, r.converged, r.stop_reason) == (3, False, "rank")


def test_absolute_and_spectral_tolerance(rng):
    A = decaying(rng, 60, 50, 0.7)
    r = subspan.qr(A, atol=1e-3, rng=0)
    assert check(A, r)[0] <= 1e-3
    r = subspan.qr(A, rtol=1e-3, norm="spectral", rng=0)
    assert np.linalg.norm(A - r.toarray(), 2) <= 1e-3 * np.linalg.norm(A, 2)


def test_operator_to_a_tolerance(rng):
    A = decaying(rng, 80, 70, 0.7)
    r = subspan.qr(aslinearoperator(A), rtol=1e-5, rng=0)
    error, size = check(A, r)
    assert error <= 1e-5 * size
    assert r.plan.choices["pivoting"] == "lupp"


# ---------------------------------------------------------------- kinds of A


@pytest.mark.parametrize("k", [20, 50])
@pytest.mark.parametrize("layout", ["F", "C", "rows", "columns", "steps", "reversed", "readonly"])
def test_layout_does_not_matter(layout, k, rng):
    A = gaussian(rng, (60, 50))
    expected = subspan.qr(A, k, rng=6)
    big = np.zeros((120, 100))
    if layout in "FC":
        B = np.array(A, order=layout)
    elif layout == "rows":
        B = big[:60, :50]
    elif layout == "columns":
        B = big.T[:60, :50]
    elif layout == "steps":
        B = big[::2, ::2]
    elif layout == "reversed":
        B = big[60:0:-1, :50]
    else:
        B = A.copy()
        B.flags.writeable = False
    if layout != "readonly":
        B[...] = A
    r = subspan.qr(B, k, rng=6)
    assert np.array_equal(r.piv, expected.piv)
    np.testing.assert_allclose(r.R, expected.R, atol=1e-12)
    check(A, r, k)


@pytest.mark.parametrize("pivoting", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make", [scipy.sparse.csc_array, scipy.sparse.csr_matrix])
def test_sparse_input(make, dtype, pivoting, rng):
    A = make(scipy.sparse.random_array((90, 60), density=0.2, rng=1).astype(dtype))
    if pivoting == "strong":
        A = A[:40, :30]
    k = 15
    r = subspan.qr(A, k, pivoting=pivoting, rng=0)
    error, _ = check(A, r, k)
    assert error <= r.error.upper * (1 + 1e-6)
    assert r.error_exact(A).value == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("pivoting", FOR_OPERATORS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [15, 60])
def test_operator_input(k, dtype, pivoting, rng):
    A = decaying(rng, 90, 60, 0.95, dtype)
    r = subspan.qr(aslinearoperator(A), k, pivoting=pivoting, rng=0)
    error, _ = check(A, r, k)
    assert error <= r.error.upper * (1 + 1e-6)
    with pytest.raises(TypeError, match="operator"):
        r.error_exact(aslinearoperator(A))


@pytest.mark.parametrize("options", [{"rank": 8}, {"rank": 20}, {"rtol": 1e-2}])
def test_tensors_come_back_as_tensors(options, rng):
    torch = pytest.importorskip("torch")
    A = decaying(rng, 30, 20, 0.8)
    r = subspan.qr(torch.from_numpy(A), rng=0, **options)
    expected = subspan.qr(A, rng=0, **options)
    for part, other in zip(r, expected, strict=True):
        assert isinstance(part, torch.Tensor)
        assert np.array_equal(part.numpy(), other)
    x = torch.ones(20, dtype=torch.float64)
    np.testing.assert_allclose((r @ x).numpy(), expected @ x.numpy(), atol=1e-12)
    np.testing.assert_allclose((r.T @ torch.ones(30).double()).numpy(), expected.T @ np.ones(30))
    np.testing.assert_allclose(r.to_interpolative().toarray(), expected.toarray(), atol=1e-12)


@pytest.mark.parametrize("options", [{"rank": 8}, {"rank": 20}, {"rtol": 1e-2}])
def test_matrix_in_row_chunks(options, rng):
    A = decaying(rng, 90, 20, 0.8)
    r = subspan.qr(subspan.chunks([A[:40], A[40:70], A[70:]]), rng=0, **options)
    error, _ = check(A, r)
    assert error <= r.error.upper * (1 + 1e-6)
    assert r.converged


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [10, 40])
@pytest.mark.parametrize("up", [True, False])
def test_extreme_scales(up, k, dtype, rng):
    """Scaled by a power of two, hence the same result but for the exponent."""
    A = decaying(rng, 50, 40, 0.9, dtype)
    info = np.finfo(A.dtype)
    exponent = int(0.9 * (info.maxexp if up else info.minexp))
    scale = A.real.dtype.type(2.0) ** A.real.dtype.type(exponent // 2)
    r, s = subspan.qr(A, k, rng=1), subspan.qr(A * scale * scale, k, rng=1)
    assert np.array_equal(r.piv, s.piv)
    np.testing.assert_allclose(s.R / scale / scale, r.R, atol=100 * eps_of(A) * np.abs(r.R).max())
    assert s.error.relative == pytest.approx(r.error.relative, rel=1e-2, abs=1e-12)


@pytest.mark.parametrize("k", [3, 9])
def test_entries_that_are_not_finite(k, rng):
    for dtype in DTYPES:
        for value in (np.nan, np.inf, -np.inf):
            A = gaussian(rng, (12, 9), dtype)
            A[7, 4] = value
            for options in ({"rank": k}, {"rtol": 0.1}, {"rank": k, "norm": "spectral"}):
                with pytest.raises(ValueError, match=r"A must be finite, but A\[7, 4\] is "):
                    subspan.qr(A, rng=0, **options)


def test_promotion():
    for A in (np.eye(6, dtype=int), np.eye(6, dtype=bool), np.eye(6, dtype=">f8")):
        assert subspan.qr(A, 2).dtype == np.float64
    assert subspan.qr(np.eye(6, dtype=np.float16), 2).dtype == np.float32


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, TypeError, "none was given"),
        ({"rank": 10}, ValueError, r"rank=10 must lie in \[0, 9\] for A of shape \(12, 9\)"),
        ({"rank": -1}, ValueError, "rank=-1"),
        ({"rank": 2.5}, TypeError, "rank has type float"),
        ({"rank": True}, TypeError, "bool"),
        ({"rtol": -1.0}, ValueError, "rtol"),
        ({"rtol": 1e-18}, ValueError, "below what float64 allows"),
        ({"atol": 0.0}, ValueError, "atol=0"),
        ({"rank": 3, "norm": "max"}, ValueError, "norm='max'"),
        ({"rank": 3, "pivoting": "best"}, ValueError, "pivoting='best'"),
        ({"rtol": 0.1, "pivoting": "blocked"}, ValueError, "fixed rank only"),
        ({"rtol": 0.1, "pivoting": "deim"}, ValueError, "fixed rank only"),
        ({"rank": 3, "sketch": "dense"}, ValueError, "sketch='dense'"),
        ({"rank": 8, "block_size": 0}, ValueError, "block_size=0"),
        ({"rank": 8, "oversampling": -1}, ValueError, "oversampling=-1"),
    ],
)
def test_bad_arguments(options, error, message, rng):
    with pytest.raises(error, match=message):
        subspan.qr(gaussian(rng, (12, 9)), **options)


@pytest.mark.parametrize("pivoting", ["blocked", "rbrp", "greedy", "strong"])
def test_methods_that_read_columns_refuse_operators(pivoting):
    with pytest.raises(TypeError, match="operator"):
        subspan.qr(aslinearoperator(np.eye(8)), 6, pivoting=pivoting)


# ---------------------------------------------------------------- seeds and results


@pytest.mark.parametrize("pivoting", METHODS)
def test_seed_repeats_the_result(pivoting, rng):
    from subspan import _native

    A = gaussian(rng, (300, 200))
    first = subspan.qr(A, 120, pivoting=pivoting, rng=8)
    again = subspan.qr(A, 120, pivoting=pivoting, rng=first.seed)
    assert first.seed == 8
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a, b)
    try:
        _native.module().set_thread_limit(1)
        alone = subspan.qr(A, 120, pivoting=pivoting, rng=8)
    finally:
        _native.module().set_thread_limit(0)
    assert np.array_equal(alone.piv, first.piv)
    np.testing.assert_allclose(alone.R, first.R, atol=1e-11)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{"rank": 6}, {"rank": 20}, {"rtol": 0.3}])
def test_acts_as_the_approximation(dtype, options, rng):
    A = decaying(rng, 30, 20, 0.8, dtype)
    r = subspan.qr(A, rng=0, **options)
    Q, R, piv = r
    dense = np.empty_like(A)
    dense[:, piv] = Q @ R
    x, y = gaussian(rng, (20, 3), dtype), gaussian(rng, (4, 30), dtype)
    tolerance = {"rtol": 100 * eps_of(A), "atol": 100 * eps_of(A)}
    for got, expected in [
        (r.toarray(), dense), (r @ x, dense @ x), (r @ x[:, 0], dense @ x[:, 0]),
        (y @ r, y @ dense), (y[0] @ r, y[0] @ dense), (r.T.toarray(), dense.T),
        (r.T @ y.T, dense.T @ y.T), (r.T @ y[0], dense.T @ y[0]), (x.T @ r.T, x.T @ dense.T),
        (r.matvec(x[:, 0]), dense @ x[:, 0]), (r.rmatvec(y[0]), dense.conj().T @ y[0]),
        (aslinearoperator(r).matmat(x), dense @ x), (r.T.T @ x, dense @ x),
    ]:  # fmt: skip
        np.testing.assert_allclose(got, expected, **tolerance)
    assert r.T.shape == (20, 30)
    assert r.T.dtype == r.dtype == A.dtype
    assert len(r) == 3


@pytest.mark.parametrize("options", [{"rank": 6}, {"rank": 20}, {"rtol": 1e-3}])
def test_to_interpolative(options, rng):
    A = decaying(rng, 30, 20, 0.8)
    r = subspan.qr(A, rng=0, **options)
    found = r.to_interpolative()
    J, W = found
    assert np.array_equal(J, r.columns)
    assert np.array_equal(W[:, J], np.eye(r.rank))
    np.testing.assert_allclose(found.skeleton, A[:, J], atol=1e-13)
    np.testing.assert_allclose(found.toarray(), r.toarray(), atol=1e-12)


def test_to_interpolative_of_dependent_columns(rng):
    A = gaussian(rng, (30, 4)) @ gaussian(rng, (4, 20))
    W = subspan.qr(A, 20, rng=0).to_interpolative()
    np.testing.assert_allclose(W.toarray(), A, atol=1e-11)
    assert np.abs(W.coefficients).max() < 1e3


@pytest.mark.parametrize("name", ["r.npz", "r.safetensors"])
def test_save_load_pickle(name, tmp_path, rng):
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors")
    r = subspan.qr(gaussian(rng, (12, 9)), 4, rng=0)
    r.save(tmp_path / name)
    for other in (subspan.load(tmp_path / name), pickle.loads(pickle.dumps(r))):
        for a, b in zip(r, other, strict=True):
            assert np.array_equal(a, b)
        assert other.error == r.error
        assert other.seed == 0


def test_prints(rng):
    r = subspan.qr(gaussian(rng, (12, 9)), 4, rng=0)
    assert repr(r).startswith("<PivotedQR: rank 4 of a (12, 9) matrix, <error = ")
    assert "cpqr" in str(r.plan)


def test_auto_chooses_by_shape_and_rank(rng):
    A = gaussian(rng, (250, 250))
    for part, rank, expected in (
        (A, 20, "cpqr"),
        (A, 200, "blocked"),
        (A[:, :12], 12, "cpqr"),
        (A[:40, :40], 5, "full cpqr"),
        (A[:40, :40], 40, "full cpqr"),
    ):
        plan = subspan.qr(part, rank, rng=0).plan
        assert plan.choices["pivoting"] == expected
        assert ("LAPACK" in plan.reasons["pivoting"]) == (expected == "full cpqr")


def test_progress(rng):
    seen = []
    subspan.qr(gaussian(rng, (12, 9)), 4, progress=lambda *args: seen.append(args))
    assert {info["stage"] for _, _, info in seen} >= {"choose columns", "factors", "certificate"}

    def stop(done, total, info):
        raise KeyboardInterrupt

    for k in (4, 9):
        with pytest.raises(KeyboardInterrupt):
            subspan.qr(gaussian(rng, (12, 9)), k, progress=stop)


def test_no_warning_where_the_tolerance_is_met(rng):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        subspan.qr(decaying(rng, 60, 50, 0.7), rtol=1e-10, rng=0)
