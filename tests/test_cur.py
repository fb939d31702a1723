"""CUR: the factors and what they are, cores, certificates, stopping, results (spec 3.4, 6.6)."""

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
CORES = ["stable", "cross", "id"]
FOR_OPERATORS = ["auto", "lupp", "cpqr", "leverage", "deim", "arp"]
ADAPTIVE = ["auto", "lupp", *BLOCKWISE]
EPS = np.finfo(np.float64).eps


def dense(X):
    return np.asarray(X.toarray() if hasattr(X, "toarray") else X)


def one_sided_errors(A, r):
    """||A - C C^+ A||_F and ||A - A R^+ R||_F."""
    A = wide(A)
    return projection_error(A, A[:, r.columns], eps_of(r)), projection_error(
        A.T, A[r.rows].T, eps_of(r)
    )


def column_space(C, eps):
    """Orthonormal basis of the columns, each scaled to norm 1, but for what is rounding; condition."""
    sizes = np.linalg.norm(C, axis=0)
    U, s, _ = np.linalg.svd(C / np.where(sizes > 0, sizes, 1), full_matrices=False)
    kept = s[s > (10 + C.shape[1]) * eps * s.max(initial=0)]
    return U[:, : kept.size], kept[0] / kept[-1] if kept.size else 1.0


def projection_error(A, C, eps):
    """||A - C C^+ A||_F."""
    U, _ = column_space(C, eps)
    return np.linalg.norm(A - U @ (U.conj().T @ A))


def check(A, r):
    """What holds for every result; returns ||A - left middle right||_F and ||A||_F."""
    A_ = wide(A)
    m, n = A_.shape
    k, eps = r.rank, eps_of(r)
    noise = 100 * max(1, k) * eps
    size = np.linalg.norm(A_)
    for chosen, most in ((r.columns, n), (r.rows, m)):
        assert chosen.dtype == np.int64
        assert chosen.shape == (k,)
        assert np.unique(chosen).size == k
        assert 0 <= chosen.min(initial=0) <= chosen.max(initial=0) < max(most, 1)
    assert np.array_equal(dense(r.C), dense(A)[:, r.columns])
    assert np.array_equal(dense(r.R), dense(A)[r.rows])
    assert (r.left.shape, r.middle.shape, r.right.shape) == ((m, k), (k, k), (k, n))
    left, middle, right = wide(r.left), wide(r.middle), wide(r.right)
    assert np.linalg.norm(left.conj().T @ left - np.eye(k)) <= noise
    assert np.linalg.norm(right @ right.conj().T - np.eye(k)) <= noise
    assert np.linalg.norm(wide(r.C) - left @ wide(r.left_factor)) <= noise * size
    assert np.linalg.norm(wide(r.R) - wide(r.right_factor).conj().T @ right) <= noise * size
    assert not np.tril(r.left_factor, -1).any()
    assert not np.tril(r.right_factor, -1).any()
    if r.core == "stable":
        # U = C^+ A R^+, evaluated where it is stable: on bases of the columns and of the rows.
        (UC, cond_C), (UR, cond_R) = (column_space(X, eps) for X in (wide(r.C), wide(r.R).T))
        best = UC @ (UC.conj().T @ A_ @ UR.conj()) @ UR.T
        difference = np.linalg.norm(left @ middle @ right - best)
        assert difference <= noise * size * max(cond_C, cond_R)
    return np.linalg.norm(A_ - left @ middle @ right), size


# ---------------------------------------------------------------- identities


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("pivoting", ["auto", *ALL])
@given(A=matrices(most=30), data=st.data())
def test_result_is_a_cur_decomposition(pivoting, core, A, data):
    k = data.draw(st.integers(0, min(A.shape)))
    before = A.copy()
    seed = data.draw(st.integers(0, 2**64 - 1))
    r = subspan.cur(A, k, core=core, pivoting=pivoting, rng=seed)
    assert np.array_equal(A, before)
    assert r.shape == A.shape
    assert r.dtype == r.C.dtype == r.R.dtype == A.dtype
    assert r.converged is True
    assert r.rank == k or r.stop_reason == "exhausted"
    error, size = check(A, r)
    if core == "stable":
        noise = 100 * max(1, k) * eps_of(A) * size
        assert error <= np.hypot(*one_sided_errors(A, r)) + noise
        assert error <= np.sqrt(2) * size + noise
    if r.error.kind == "exact":
        assert error <= r.error.upper * (1 + 1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pivoting", ["cpqr", "lupp", "rbrp"])
def test_stable_core_is_the_best(pivoting, dtype, rng):
    A = decaying(rng, 90, 70, 0.9, dtype)
    errors = {}
    for core in CORES:
        r = subspan.cur(A, 20, core=core, pivoting=pivoting, rng=4)
        errors[core], size = check(A, r)
        columns, rows = one_sided_errors(A, r)
    noise = 100 * eps_of(A) * size
    assert max(columns, rows) - noise <= errors["stable"] <= np.hypot(columns, rows) + noise
    assert errors["stable"] <= min(errors.values()) + noise
    assert errors["id"] <= 2 * errors["stable"]
    assert errors["cross"] <= 10 * errors["stable"]
    assert errors["stable"] <= 10 * size * testing.optimal_error(wide(A), 20)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_factors_multiply_to_the_stable_form(core, dtype, rng):
    """C (U R) is the same up to eps times the condition numbers; U of "cross" is a pseudo-inverse."""
    A = decaying(rng, 60, 50, 0.9, dtype)
    r = subspan.cur(A, 12, core=core, rng=4)
    C, U, R = r
    condition = np.linalg.cond(wide(C)) * np.linalg.cond(wide(R))
    tolerance = 50 * eps_of(A) * condition * np.linalg.norm(A)
    assert np.linalg.norm(wide(C) @ wide(U) @ wide(R) - wide(r.toarray())) <= tolerance
    if core == "cross":
        np.testing.assert_allclose(
            U, np.linalg.pinv(A[r.rows][:, r.columns]), rtol=1e-4 if eps_of(A) > EPS else 1e-10
        )
        # The cross interpolates: the chosen columns and rows are reproduced.
        assert np.linalg.norm(r.toarray()[:, r.columns] - C) <= 1e3 * eps_of(A) * np.linalg.norm(A)
        assert np.linalg.norm(r.toarray()[r.rows] - R) <= 1e3 * eps_of(A) * np.linalg.norm(A)
    elif core == "stable":
        best = np.linalg.pinv(wide(C)) @ wide(A) @ np.linalg.pinv(wide(R))
        assert np.linalg.norm(U - best) <= 50 * eps_of(A) * condition * np.linalg.norm(best)


@pytest.mark.parametrize("name", ["hilbert", "repeated", "deficient", "graded", "vandermonde"])
@pytest.mark.parametrize("pivoting", ["auto", "lupp", "rbrp", "leverage", "strong"])
def test_ill_conditioned_columns_and_rows_do_no_harm(name, pivoting, rng):
    """Errors at the projection error, for the stable core, however singular C and R are.

    An explicit U loses 10 digits and more here: the defect of a published implementation.
    """
    A = {
        "hilbert": lambda: scipy.linalg.hilbert(40),
        "repeated": lambda: np.repeat(gaussian(rng, (40, 8)), 5, axis=1),
        "deficient": lambda: gaussian(rng, (40, 5)) @ gaussian(rng, (5, 40)),
        "graded": lambda: np.diag(10.0 ** -np.arange(40)) @ gaussian(rng, (40, 40)),
        "vandermonde": lambda: np.vander(np.linspace(-1, 1, 40), 30),
    }[name]()
    for k in (5, 15, 30):
        r = subspan.cur(A, k, pivoting=pivoting, rng=0)
        error, size = check(A, r)
        assert error <= np.hypot(*one_sided_errors(A, r)) + 200 * EPS * size
        for core in ("cross", "id"):
            r = subspan.cur(A, k, core=core, pivoting=pivoting, rng=0)
            other, _ = check(A, r)
            assert np.isfinite(other)
            if pivoting in ("auto", "rbrp", "strong"):
                assert other <= 100 * (error + 40 * EPS * size)


@pytest.mark.parametrize("dtype", DTYPES)
def test_worst_rows_and_columns_are_never_worse_than_nothing(dtype, rng):
    """Leverage scores of a Helmholtz kernel: an explicit U gave errors of 1e4 |A| in a published code."""
    x, y = rng.random((80, 3)), rng.random((70, 3))
    y[:, 0] += 1.1
    distance = np.linalg.norm(x[:, None] - y, axis=2)
    A = np.exp(1j * distance) / distance
    A = (A if np.dtype(dtype).kind == "c" else A.real).astype(dtype)
    for k in (20, 40, 60):
        r = subspan.cur(A, k, pivoting="leverage", rng=1)
        error, size = check(A, r)
        assert error <= np.hypot(*one_sided_errors(A, r)) + 200 * eps_of(A) * size


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_rank_is_reproduced(core, dtype, rng):
    A = gaussian(rng, (60, 8), dtype) @ gaussian(rng, (8, 45), dtype)
    for k in (8, 20, 45):
        r = subspan.cur(A, k, core=core, rng=3)
        error, size = check(A, r)
        assert error <= 1e3 * eps_of(A) * size
        assert 8 <= r.rank <= k


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (5, 3), (3, 5), (40, 40), (200, 12)])
def test_full_rank(shape, core, rng):
    A = gaussian(rng, shape)
    r = subspan.cur(A, min(shape), core=core, rng=3)
    error, size = check(A, r)
    condition = np.linalg.cond(A[r.rows][:, r.columns])
    assert error <= 100 * max(shape) * EPS * size * (condition if core == "cross" else 1)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (6, 4)])
def test_nothing(shape, core):
    """Empty and zero matrices, rank zero."""
    r = subspan.cur(np.zeros(shape), min(shape), core=core, rng=0)
    check(np.zeros(shape), r)
    assert r.error.value == 0
    assert r.rank == 0
    assert r.U.shape == (0, 0)
    r = subspan.cur(np.ones(shape), 0, core=core)
    assert r.error.value == pytest.approx(np.sqrt(shape[0] * shape[1]))


# ---------------------------------------------------------------- certificates and stopping


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("pivoting", ["auto", *ALL])
@pytest.mark.parametrize("dtype", DTYPES)
def test_certificate(core, pivoting, dtype, rng):
    A = decaying(rng, 120, 90, 0.9, dtype)
    r = subspan.cur(A, 30, core=core, pivoting=pivoting, rng=5)
    error, size = check(A, r)
    if r.error.kind == "exact":
        assert r.error.value == pytest.approx(error, rel=2e-3)
    else:
        assert core != "stable" or eps_of(A) > EPS
        assert error / 3 <= r.error.value <= 3 * error
    assert error <= r.error.upper * (1 + 1e-6)
    assert r.error.relative == pytest.approx(r.error.value / size, rel=1e-3)
    assert r.error_exact(A).value == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("core", CORES)
def test_estimate_is_unbiased(core):
    ratios = []
    for seed in range(40):
        A = decaying(np.random.default_rng(seed), 100, 80, 0.5)
        r = subspan.cur(A, 30, core=core, rng=seed)
        assert r.error.kind == "estimate"
        error, _ = check(A, r)
        assert error <= r.error.upper
        ratios.append((r.error.value / error) ** 2)
    assert np.mean(ratios) == pytest.approx(1, abs=5 * np.std(ratios) / np.sqrt(40))


@pytest.mark.parametrize("dtype", DTYPES)
def test_spectral_certificate(dtype, rng):
    A = decaying(rng, 120, 90, 0.9, dtype)
    r = subspan.cur(A, 30, norm="spectral", rng=5)
    error = np.linalg.norm(wide(A) - wide(r.left) @ wide(r.middle) @ wide(r.right), 2)
    assert r.error.value == pytest.approx(error, rel=0.05)
    assert error <= r.error.upper
    assert r.error.norm == "spectral"


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("pivoting", ADAPTIVE)
@pytest.mark.parametrize("rtol", [1e-1, 1e-4, 1e-9])
def test_relative_tolerance(pivoting, rtol, core, rng):
    """Of the whole decomposition, not of its columns."""
    for A in (
        decaying(rng, 120, 90, 0.7),
        np.arange(1, 121)[:, None] ** -3.0 * gaussian(rng, (120, 90)),
    ):
        r = subspan.cur(A, rtol=rtol, core=core, pivoting=pivoting, rng=4)
        error, size = check(A, r)
        assert error <= rtol * size * (1 + 1e-6)
        assert r.converged
        assert r.stop_reason == "tolerance"


def test_rank_is_near_that_of_the_columns(rng):
    A = decaying(rng, 120, 90, 0.8)
    for rtol in (1e-2, 1e-5, 1e-8):
        columns = subspan.interpolative(A, rtol=rtol, rng=1).rank
        assert subspan.cur(A, rtol=rtol, rng=1).rank <= columns + 10


@pytest.mark.parametrize("core", CORES)
def test_rank_and_tolerance_whichever_comes_first(core, rng):
    A = decaying(rng, 60, 50, 0.7)
    assert subspan.cur(A, 45, rtol=1e-2, core=core, rng=0).stop_reason == "tolerance"
    with pytest.warns(subspan.ToleranceNotMet, match="rank 3") as caught:
        r = subspan.cur(A, 3, rtol=1e-2, core=core, rng=0)
    assert caught[0].filename == __file__
    assert (r.rank, r.converged, r.stop_reason) == (3, False, "rank")


def test_absolute_and_spectral_tolerance(rng):
    A = decaying(rng, 60, 50, 0.7)
    assert check(A, subspan.cur(A, atol=1e-3, rng=0))[0] <= 1e-3
    r = subspan.cur(A, rtol=1e-3, norm="spectral", rng=0)
    assert np.linalg.norm(A - r.toarray(), 2) <= 1e-3 * np.linalg.norm(A, 2)


@pytest.mark.parametrize("core", CORES)
def test_operator_to_a_tolerance(core, rng):
    A = decaying(rng, 80, 70, 0.7)
    r = subspan.cur(aslinearoperator(A), rtol=1e-4, core=core, rng=0)
    error, size = check(A, r)
    assert error <= 1e-4 * size
    assert r.converged


def test_tolerances_at_the_rounding_level_are_met_or_reported(rng):
    A = decaying(rng, 60, 50, 0.7)
    for rtol in (1e-12, 1e-13, 2e-14):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            r = subspan.cur(A, rtol=rtol, rng=0)
        error, size = check(A, r)
        assert r.converged == (not caught)
        assert (error <= rtol * size * 1.01) or not r.converged


# ---------------------------------------------------------------- kinds of A


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "make", [scipy.sparse.csc_array, scipy.sparse.csr_array, scipy.sparse.coo_matrix]
)
def test_sparse_input(make, dtype, core, rng):
    """C and R are sparse, with the entries and signs of A."""
    A = scipy.sparse.random_array((90, 60), density=0.1, rng=1).astype(dtype)
    A.data -= A.real.dtype.type(0.5)
    r = subspan.cur(make(A), 15, core=core, rng=0)
    error, _ = check(A, r)
    assert scipy.sparse.issparse(r.C)
    assert scipy.sparse.issparse(r.R)
    assert r.C.nnz == np.count_nonzero(A.toarray()[:, r.columns])
    assert r.R.nnz == np.count_nonzero(A.toarray()[r.rows])
    assert error <= r.error.upper * (1 + 1e-6)
    assert r.error_exact(make(A)).value == pytest.approx(error, rel=1e-3)
    r = subspan.cur(make(A), rtol=0.5, core=core, rng=0)
    error, size = check(A, r)
    assert error <= 0.5 * size


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("pivoting", FOR_OPERATORS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_operator_input(dtype, pivoting, core, rng):
    A = decaying(rng, 90, 60, 0.95, dtype)
    r = subspan.cur(aslinearoperator(A), 15, core=core, pivoting=pivoting, rng=0)
    assert np.linalg.norm(wide(A) - r.toarray()) <= r.error.upper * (1 + 1e-6)
    tolerance = 20 * eps_of(A)
    np.testing.assert_allclose(r.C, A[:, r.columns], atol=tolerance)
    np.testing.assert_allclose(r.R, A[r.rows], atol=tolerance)


@pytest.mark.parametrize("layout", ["F", "C", "steps", "reversed", "readonly"])
def test_layout_does_not_matter(layout, rng):
    A = gaussian(rng, (60, 50))
    expected = subspan.cur(A, 20, rng=6)
    B = {
        "F": lambda: np.asfortranarray(A),
        "C": lambda: np.ascontiguousarray(A),
        "steps": lambda: np.repeat(np.repeat(A, 2, 0), 3, 1)[::2, ::3],
        "reversed": lambda: A[::-1].copy()[::-1],
        "readonly": A.copy,
    }[layout]()
    B.flags.writeable = layout != "readonly"
    r = subspan.cur(B, 20, rng=6)
    assert np.array_equal(r.columns, expected.columns)
    assert np.array_equal(r.rows, expected.rows)
    np.testing.assert_allclose(r.middle, expected.middle, atol=1e-11)
    check(A, r)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("sparse", [False, True])
def test_tensors_come_back_as_tensors(sparse, core, rng):
    torch = pytest.importorskip("torch")
    A = decaying(rng, 30, 20, 0.8)
    A[np.abs(A) < 0.02] = 0
    tensor = torch.from_numpy(A)
    r = subspan.cur(tensor.to_sparse_coo() if sparse else tensor, 8, core=core, rng=0)
    expected = subspan.cur(scipy.sparse.csr_array(A) if sparse else A, 8, core=core, rng=0)
    assert r.C.is_sparse == r.R.is_sparse == sparse
    for part, other in zip(r, expected, strict=True):
        part = part.to_dense() if part.is_sparse else part
        np.testing.assert_allclose(part.numpy(), dense(other), rtol=1e-9, atol=1e-9)
    x = torch.ones(20, dtype=torch.float64)
    np.testing.assert_allclose((r @ x).numpy(), expected @ x.numpy(), atol=1e-12)
    np.testing.assert_allclose((r.T.T @ x).numpy(), expected @ x.numpy(), atol=1e-12)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("options", [{"rank": 8}, {"rtol": 1e-2}])
def test_matrix_in_row_chunks(options, core, rng):
    A = decaying(rng, 90, 20, 0.8)
    r = subspan.cur(subspan.chunks([A[:40], A[40:70], A[70:]]), core=core, rng=0, **options)
    error, _ = check(A, r)
    assert error <= r.error.upper * (1 + 1e-6)
    assert r.converged


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("up", [True, False])
def test_extreme_scales(up, core, dtype, rng):
    A = decaying(rng, 50, 40, 0.9, dtype)
    info = np.finfo(A.dtype)
    exponent = int(0.8 * (info.maxexp if up else info.minexp))
    half = A.real.dtype.type(2.0) ** A.real.dtype.type(exponent // 2)
    r = subspan.cur(A, 10, core=core, rng=1)
    s = subspan.cur(A * half * half, 10, core=core, rng=1)
    assert np.array_equal(s.C, (A * half * half)[:, s.columns])
    assert np.array_equal(r.columns, s.columns)
    tolerance = 100 * eps_of(A) * np.linalg.norm(A)
    np.testing.assert_allclose(s.middle / half / half, r.middle, atol=tolerance)
    np.testing.assert_allclose(s.toarray() / half / half, r.toarray(), atol=tolerance)
    assert s.error.relative == pytest.approx(r.error.relative, rel=1e-2)


def test_entries_that_are_not_finite(rng):
    for core in CORES:
        for value in (np.nan, np.inf, -np.inf):
            A = gaussian(rng, (12, 9))
            A[7, 4] = value
            for options in ({"rank": 3}, {"rtol": 0.1}, {"rank": 3, "norm": "spectral"}):
                with pytest.raises(ValueError, match=r"A must be finite, but A\[7, 4\] is "):
                    subspan.cur(A, rng=0, core=core, **options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, TypeError, "none was given"),
        ({"rank": 10}, ValueError, r"rank=10 must lie in \[0, 9\] for A of shape \(12, 9\)"),
        ({"rank": 2.5}, TypeError, "rank has type float"),
        ({"rtol": -1.0}, ValueError, "rtol"),
        ({"rtol": 1e-18}, ValueError, "below what float64 allows"),
        ({"atol": 0.0}, ValueError, "atol=0"),
        ({"rank": 3, "norm": "max"}, ValueError, "norm='max'"),
        ({"rank": 3, "core": "best"}, ValueError, "core='best'"),
        ({"rank": 3, "core": None}, ValueError, "core=None"),
        ({"rank": 3, "pivoting": "best"}, ValueError, "pivoting='best'"),
        ({"rtol": 0.1, "pivoting": "deim"}, ValueError, "fixed rank only"),
        ({"rank": 3, "sketch": "dense"}, ValueError, "sketch='dense'"),
        ({"rank": 8, "oversampling": -1}, ValueError, "oversampling=-1"),
    ],
)
def test_bad_arguments(options, error, message, rng):
    with pytest.raises(error, match=message):
        subspan.cur(gaussian(rng, (12, 9)), **options)


# ---------------------------------------------------------------- seeds and results


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("pivoting", ["auto", "lupp", "rbrp", "arp"])
def test_seed_repeats_the_result(pivoting, core, rng):
    from subspan import _native

    A = gaussian(rng, (300, 200))
    first = subspan.cur(A, 60, core=core, pivoting=pivoting, rng=8)
    again = subspan.cur(A, 60, core=core, pivoting=pivoting, rng=first.seed)
    assert first.seed == 8
    for name in ("columns", "rows", "left", "middle", "right"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    try:
        _native.module().set_thread_limit(1)
        alone = subspan.cur(A, 60, core=core, pivoting=pivoting, rng=8)
    finally:
        _native.module().set_thread_limit(0)
    assert np.array_equal(alone.columns, first.columns)
    assert np.array_equal(alone.rows, first.rows)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
def test_acts_as_the_approximation(make, dtype, core, rng):
    A = decaying(rng, 30, 20, 0.8, dtype)
    r = subspan.cur(make(A), 6, core=core, rng=0)
    approximation = r.left @ r.middle @ r.right
    x, y = gaussian(rng, (20, 3), dtype), gaussian(rng, (4, 30), dtype)
    tolerance = {"rtol": 100 * eps_of(A), "atol": 100 * eps_of(A)}
    for got, expected in [
        (r.toarray(), approximation), (r @ x, approximation @ x), (y @ r, y @ approximation),
        (r @ x[:, 0], approximation @ x[:, 0]), (y[0] @ r, y[0] @ approximation),
        (r.T.toarray(), approximation.T), (r.T @ y.T, approximation.T @ y.T),
        (r.matvec(x[:, 0]), approximation @ x[:, 0]),
        (r.rmatvec(y[0]), approximation.conj().T @ y[0]),
        (aslinearoperator(r).matmat(x), approximation @ x),
    ]:  # fmt: skip
        np.testing.assert_allclose(got, expected, **tolerance)
    check(A.T, r.T)
    assert r.T.T.shape == (30, 20)
    np.testing.assert_allclose(r.T.U, r.U.T, rtol=1e-2, atol=1e-3 * np.abs(r.U).max())
    assert len(r) == 3


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("name", ["r.npz", "r.safetensors"])
def test_save_load_pickle(name, make, tmp_path, rng):
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors")
    A = gaussian(rng, (12, 9))
    r = subspan.cur(make(A), 4, rng=0)
    r.save(tmp_path / name)
    for other in (subspan.load(tmp_path / name), pickle.loads(pickle.dumps(r))):
        for a, b in zip(r, other, strict=True):
            assert np.array_equal(dense(a), dense(b))
        assert np.array_equal(other.columns, r.columns)
        assert other.error == r.error
        check(A, other)


def test_prints_and_progress(rng):
    seen = []
    r = subspan.cur(gaussian(rng, (12, 9)), 4, rng=0, progress=lambda *args: seen.append(args))
    assert repr(r).startswith("<CURDecomposition: 4 columns and rows of a (12, 9) matrix, <error")
    assert "lupp of the columns" in str(r.plan)
    assert {info["stage"] for _, _, info in seen} >= {"choose columns", "rows and core"}
