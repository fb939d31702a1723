"""``subspan.compat.scipy_interpolative``: SciPy's own tests, signatures, and what SciPy gets wrong."""

import inspect

import numpy as np
import pytest
import scipy.linalg.interpolative as theirs
import scipy.sparse
import subspan.compat.scipy_interpolative as ours
from peers import run_in_place
from scipy.sparse.linalg import aslinearoperator

EPS = np.finfo(np.float64).eps
DTYPES = ["float32", "float64", "complex64", "complex128"]


def gaussian(rng, m, n, dtype="float64"):
    A = rng.standard_normal((m, n))
    if np.dtype(dtype).kind == "c":
        A = A + 1j * rng.standard_normal((m, n))
    return A.astype(dtype)


def low_rank(rng, m, n, k, dtype="float64"):
    return gaussian(rng, m, k, dtype) @ gaussian(rng, k, n, dtype)


def scaled_eps(dtype):
    return 1e4 * np.finfo(dtype).eps


@pytest.mark.host_only
def test_scipys_own_tests_pass(tmp_path):
    """All of them: SciPy's file, as it is installed, knows no case that must be left out."""
    run_in_place("scipy.linalg.tests.test_interpolative", "scipy_interpolative", tmp_path)


@pytest.mark.host_only
def test_names_and_signatures_are_scipys():
    assert set(ours.__all__) == set(theirs.__all__)
    for name in theirs.__all__:
        wanted = inspect.signature(getattr(theirs, name)).parameters.values()
        found = inspect.signature(getattr(ours, name)).parameters.values()
        assert [(p.name, p.default, p.kind) for p in found] == [
            (p.name, p.default, p.kind) for p in wanted
        ]


@pytest.mark.parametrize("rand", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(30, 20), (20, 30)])
def test_decompositions_keep_the_precision_and_are_right(shape, dtype, rand, rng):
    """Single precision and complex input included (scikit-learn#30736 got complex wrong)."""
    A = low_rank(rng, *shape, 6, dtype)
    k, idx, proj = ours.interp_decomp(A, scaled_eps(dtype), rand=rand, rng=0)
    assert k == 6
    assert (idx.dtype, idx.shape, proj.dtype) == (np.int64, (shape[1],), np.dtype(dtype))
    assert sorted(idx) == list(range(shape[1]))
    tolerance = scaled_eps(dtype) * np.linalg.norm(A)
    B = ours.reconstruct_skel_matrix(A, k, idx)
    np.testing.assert_array_equal(B, A[:, idx[:k]])
    rebuilt = ours.reconstruct_matrix_from_id(B, idx, proj)
    assert rebuilt.dtype == A.dtype
    np.testing.assert_allclose(rebuilt, A, atol=tolerance)
    np.testing.assert_allclose(B @ ours.reconstruct_interp_matrix(idx, proj), A, atol=tolerance)
    for U, S, V in (ours.id_to_svd(B, idx, proj), ours.svd(A, 6, rand=rand, rng=0)):
        assert (U.shape, S.shape, V.shape) == ((shape[0], 6), (6,), (shape[1], 6))
        np.testing.assert_allclose(U * S @ V.conj().T, A, atol=tolerance)
        np.testing.assert_allclose(U.conj().T @ U, np.eye(6), atol=scaled_eps(dtype))
        np.testing.assert_allclose(V.conj().T @ V, np.eye(6), atol=scaled_eps(dtype))
        np.testing.assert_allclose(
            S, np.linalg.svd(A, compute_uv=False)[:6], atol=scaled_eps(dtype) * S[0]
        )


@pytest.mark.parametrize("dtype", ["int8", "int64", "bool", "float16"])
def test_integers_are_promoted(dtype, rng):
    """SciPy refuses them, or reads their memory as doubles in its older versions."""
    A = rng.integers(0, 2, (12, 8)).astype(dtype)
    idx, proj = ours.interp_decomp(A, 8, rng=0)
    rebuilt = ours.reconstruct_matrix_from_id(A[:, idx[:8]].astype(proj.dtype), idx, proj)
    np.testing.assert_allclose(rebuilt, A, atol=1e-6)
    assert ours.svd(A, 3, rng=0)[0].dtype == proj.dtype


@pytest.mark.parametrize("matrix", ["csr_array", "coo_matrix", "operator"])
def test_sparse_matrices_and_operators_that_are_not_square(matrix, rng):
    """Non-square operators: scipy#22451."""
    A = scipy.sparse.random_array((50, 20), density=0.3, rng=rng)
    given = aslinearoperator(A) if matrix == "operator" else getattr(scipy.sparse, matrix)(A)
    U, S, V = ours.svd(given, 20, rng=0)
    np.testing.assert_allclose(U * S @ V.T, A.toarray(), atol=1e-12)
    k, idx, proj = ours.interp_decomp(given, 1e-10, rng=0)
    np.testing.assert_allclose(
        ours.reconstruct_matrix_from_id(A.toarray()[:, idx[:k]], idx, proj), A.toarray(), atol=1e-9
    )
    assert ours.estimate_rank(given, 1e-10, rng=0) == k == 20


@pytest.mark.parametrize("function", [ours.interp_decomp, ours.svd])
@pytest.mark.parametrize("rand", [True, False])
def test_a_rank_that_is_too_large_is_refused(function, rand, rng):
    """k > min(m, n), for arrays and operators alike."""
    A = gaussian(rng, 5, 9)
    for given in (A, aslinearoperator(A)):
        with pytest.raises(ValueError, match=r"rank=6 must lie in \[0, 5\]"):
            function(given, 6, rand=rand)


@pytest.mark.parametrize("rand", [True, False])
def test_a_rank_beyond_that_of_the_matrix_keeps_the_promised_shapes(rand):
    """Columns that cannot help are appended, with coefficients zero."""
    A = np.ones((6, 4))
    idx, proj = ours.interp_decomp(A, 3, rand=rand, rng=0)
    assert (idx.shape, proj.shape) == ((4,), (3, 1))
    np.testing.assert_allclose(ours.reconstruct_matrix_from_id(A[:, idx[:3]], idx, proj), A)
    U, S, V = ours.svd(A, 3, rand=rand, rng=0)
    assert (U.shape, S.shape, V.shape) == ((6, 3), (3,), (4, 3))
    np.testing.assert_allclose(U * S @ V.T, A, atol=1e-14)
    for factor in (U, V):
        np.testing.assert_allclose(factor.T @ factor, np.eye(3), atol=1e-14)


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 1)])
def test_single_rows_and_columns(shape, rng):
    A = gaussian(rng, *shape)
    idx, proj = ours.interp_decomp(A, 1, rng=0)
    np.testing.assert_allclose(ours.reconstruct_matrix_from_id(A[:, idx[:1]], idx, proj), A)
    U, S, V = ours.svd(A, 1, rng=0)
    np.testing.assert_allclose(U * S @ V.T, A)
    assert ours.estimate_rank(A, 1e-3, rng=0) == 1
    assert ours.estimate_spectral_norm(A, rng=0) == pytest.approx(np.linalg.norm(A))


def test_zero_matrices():
    k, idx, proj = ours.interp_decomp(np.zeros((4, 3)), 1e-3, rng=0)
    assert (k, idx.shape, proj.shape) == (0, (3,), (0, 3))
    assert ours.estimate_rank(np.zeros((4, 3)), 1e-3) == 0
    assert ours.estimate_spectral_norm(np.zeros((4, 3))) == 0


def test_precision_beyond_rounding(rng):
    """In doubles as SciPy does, down to rounding; single precision says what it cannot do."""
    A = gaussian(rng, 20, 10)
    assert ours.interp_decomp(A, EPS / 10, rng=0)[0] == 10
    with pytest.raises(ValueError, match="below what float32 allows"):
        ours.interp_decomp(A.astype("float32"), 1e-8, rng=0)


def test_rank_estimates_count_singular_values(rng):
    """The spectral norm is meant: a hundred equal singular values do not shift the threshold."""
    Q = np.linalg.qr(gaussian(rng, 150, 150))[0]
    spectrum = np.r_[np.ones(100), np.full(10, 1e-3), np.full(40, 1e-8)]
    A = Q * spectrum @ Q.T
    for given in (A, aslinearoperator(A), A + 0j):
        assert ours.estimate_rank(given, 1e-5, rng=0) == 110
        assert ours.estimate_rank(given, 1e-2, rng=0) == 100


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_norm_of_a_difference(dtype, rng):
    A, B = gaussian(rng, 20, 30, dtype), gaussian(rng, 20, 30, dtype)
    largest = np.linalg.norm(A - B, 2)
    assert ours.estimate_spectral_norm_diff(A, B, its=200, rng=0) == pytest.approx(largest)
    assert ours.estimate_spectral_norm(A - B, its=200, rng=0) == pytest.approx(largest)


@pytest.mark.host_only
def test_every_random_routine_repeats_under_a_seed_and_leaves_global_state_alone(rng):
    """SciPy's older versions drew from a hidden Fortran generator that no seed reached."""
    A = gaussian(rng, 40, 30)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    calls = [
        lambda seed: ours.interp_decomp(A, 5, rng=seed)[1],
        lambda seed: ours.svd(A, 5, rng=seed)[0],
        lambda seed: ours.estimate_spectral_norm(A, its=1, rng=seed),
        lambda seed: ours.estimate_spectral_norm_diff(A, 2 * A, its=1, rng=seed),
    ]
    for call in calls:
        for seed in (3, np.random.SeedSequence(3)):
            np.testing.assert_array_equal(call(seed), call(seed))
        assert not np.array_equal(call(3), call(4))
        np.testing.assert_array_equal(
            call(np.random.default_rng(5)), call(np.random.default_rng(5))
        )
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_nan_is_refused(rng):
    A = gaussian(rng, 5, 4)
    A[1, 2] = np.nan
    for call in (lambda: ours.interp_decomp(A, 2), lambda: ours.svd(A, 0.1)):
        with pytest.raises(ValueError, match="finite"):
            call()
