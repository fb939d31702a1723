"""Range finder and singular value decomposition: identities, bounds, certificates, stopping, inputs."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse
import subspan
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator, svds
from subspan import testing
from test_interp import wide
from test_pivot import eps_of, gaussian, matrices

DTYPES = ["float32", "float64", "complex64", "complex128"]
METHODS = ["auto", "subspace", "block_krylov", "full"]


def known(m, n, s, dtype, seed=0):
    """A matrix with the given singular values."""
    rng = np.random.default_rng(seed)
    field = "complex128" if np.dtype(dtype).kind == "c" else "float64"
    U, V = (np.linalg.qr(gaussian(rng, (size, len(s)), field))[0] for size in (m, n))
    return (U * s @ V.conj().T).astype(dtype)


def true_error(A, r, ord=None):
    """||A - U diag(s) Vh|| in double precision."""
    return float(np.linalg.norm(wide(A) - wide(r.U) * wide(r.s) @ wide(r.Vh), ord))


def is_orthonormal(Q, eps):
    gram = wide(Q).conj().T @ wide(Q)
    return np.abs(gram - np.eye(len(gram))).max(initial=0) <= 100 * eps * max(1, np.sqrt(len(Q)))


# ---------------------------------------------------------------- identities


@pytest.mark.parametrize("method", METHODS)
@given(A=matrices(most=30), data=st.data())
def test_result_is_a_singular_value_decomposition(method, A, data):
    """Orthonormal factors, descending values, deterministic signs, optimal up to sampling."""
    k = data.draw(st.integers(0, min(A.shape)))
    q = data.draw(st.integers(0, 3))
    seed = data.draw(st.integers(0, 2**64 - 1))
    before = A.copy()
    r = subspan.svd(A, k, method=method, power_iterations=q, rng=seed)
    eps = eps_of(A)
    U, s, Vh = r
    assert np.array_equal(A, before)
    assert U.shape == (A.shape[0], k)
    assert Vh.shape == (k, A.shape[1])
    assert s.shape == (k,)
    assert U.dtype == Vh.dtype == A.dtype
    assert s.dtype == A.real.dtype
    assert r.shape == A.shape
    assert r.converged is True
    assert (s >= 0).all()
    assert (np.diff(s) <= 0).all()
    assert is_orthonormal(U, eps)
    assert is_orthonormal(Vh.conj().T, eps)
    for column in U.T:
        largest = np.abs(column).max()
        peaks = column[np.abs(column) >= largest * (1 - 1e-4)]
        assert np.isclose(peaks.imag, 0, atol=1e-3 * largest).any()
        assert (peaks.real > 0).any()
    truth = np.linalg.svd(wide(A), compute_uv=False)
    scale = float(truth[0]) if truth.size else 0.0
    assert (s <= truth[:k] + 200 * eps * scale).all()
    optimum = testing.optimal_error(A, k)
    size = float(np.linalg.norm(wide(A)))
    assert true_error(A, r) >= optimum * size * (1 - 1e-6) - 200 * eps * size
    assert true_error(A, r) <= r.error.upper + 50 * eps * size


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(60, 40), (40, 60), (200, 30), (30, 200), (50, 50)])
def test_agreement_with_lapack(shape, dtype):
    """Well-separated values: the values and the vectors themselves, signs apart."""
    A = known(*shape, 2.0 ** -np.arange(min(shape)), dtype)
    k = 8
    U, s, Vh = np.linalg.svd(wide(A), full_matrices=False)
    for method in METHODS:
        r = subspan.svd(A, k, method=method, power_iterations=3, rng=1)
        tol = 2e3 * eps_of(A) + 1e-7
        assert np.allclose(r.s, s[:k], rtol=tol, atol=0)
        assert np.allclose(np.abs(np.einsum("ij,ij->j", r.U.conj(), U[:, :k])), 1, atol=tol)
        assert np.allclose(np.abs(np.einsum("ij,ij->i", r.Vh.conj(), Vh[:k])), 1, atol=tol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_exact_rank_is_recovered(method, dtype, rng):
    """rank(A) <= k: the error is rounding, whatever the oversampling."""
    B, C = gaussian(rng, (80, 5), dtype), gaussian(rng, (5, 60), dtype)
    A = B @ C
    for k in (5, 9):
        r = subspan.svd(A, k, method=method, rng=2)
        assert true_error(A, r) <= 100 * eps_of(A) * np.linalg.norm(wide(A))
        assert r.s[5:].max(initial=0) <= 100 * eps_of(A) * r.s[0]
        assert is_orthonormal(r.U, eps_of(A))


def test_krylov_space_that_ends_early():
    """The identity has Krylov spaces of one block; the zero rows of A are never reached by rounding."""
    A = np.zeros((50, 40))
    A[:12, :12] = np.eye(12)
    for k in (3, 12, 15):
        r = subspan.svd(A, k, method="block_krylov", rng=0)
        assert np.allclose(r.s, (np.arange(k) < 12).astype(float), atol=1e-14)
        assert is_orthonormal(r.U, 1e-15)
    assert "ends before" in r.plan.reasons["method"]
    q = subspan.range_finder(A, 15, method="block_krylov", rng=0)
    assert is_orthonormal(q.Q, 1e-15)
    assert q.rank <= 15
    r = subspan.svd(A, rtol=1e-12, method="subspace", rng=0)
    assert r.rank == 12
    assert r.converged


def test_expected_error_of_the_range_finder():
    """HMT Theorem 10.5: E ||A - Q Q^H A||_F^2 <= (1 + k / (p - 1)) tau_k^2, without power iterations."""
    s = 1.0 / np.arange(1, 61)
    A, k, p = known(80, 60, s, "float64"), 8, 6
    for sketch in ("gaussian", "sparse_sign", "rademacher", "srht"):
        errors = [
            np.linalg.norm(A - Q @ (Q.T @ A)) ** 2
            for Q in (
                subspan.range_finder(A, k + p, power_iterations=0, sketch=sketch, rng=i).Q
                for i in range(100)
            )
        ]
        assert np.mean(errors) <= (1 + k / (p - 1)) * (s[k:] ** 2).sum()


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_leave_one_out_estimates_the_error_of_one_column_less(dtype):
    s = 0.9 ** np.arange(60)
    A = known(90, 60, s, dtype)
    seen, true = [], []
    for i in range(200):
        seen.append(
            subspan.range_finder(A, 13, power_iterations=0, sketch="gaussian", rng=i).leave_one_out
        )
        Q = subspan.range_finder(A, 12, power_iterations=0, sketch="gaussian", rng=1000 + i).Q
        true.append(np.linalg.norm(A - Q @ (Q.conj().T @ A)))
    seen, true = np.square(seen), np.square(true)
    spread = np.hypot(seen.std(), true.std()) / np.sqrt(len(seen))
    assert abs(seen.mean() - true.mean()) <= 4 * spread
    assert np.isnan(subspan.svd(A, 5, power_iterations=1, rng=0).leave_one_out)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_direction_is_lost_in_many_power_iterations(dtype):
    """Products are stabilised: values down to rounding survive any number of iterations."""
    eps = np.finfo(dtype).eps
    s = np.logspace(0, np.log10(eps) + 1, 30)
    A = known(100, 70, s, dtype)
    for q in (0, 2, 7):
        r = subspan.svd(A, 20, power_iterations=q, rng=0)
        assert np.abs(r.s - s[:20]).max() <= 50 * eps
        assert true_error(A, r) <= 1.5 * np.linalg.norm(s[20:]) + 50 * eps
    r = subspan.svd(A, 20, method="block_krylov", power_iterations=2, rng=0)
    assert true_error(A, r) <= 1.5 * np.linalg.norm(s[20:]) + 50 * eps


def test_default_normaliser_of_scikit_learn_would_fail_here():
    """Fast decay over 12 digits: the error is that of the optimum, not 1e-4 of the norm."""
    s = np.logspace(0, -12, 60)
    A = known(200, 150, s, "float64")
    r = subspan.svd(A, 55, oversampling=5, rng=0)
    assert true_error(A, r) <= 1.5 * np.linalg.norm(s[55:])
    A = known(200, 150, np.logspace(0, -6, 60), "float32")
    assert true_error(A, subspan.svd(A, 30, rng=0)) <= 1.2e-3 * 1.5


# ---------------------------------------------------------------- tolerance and certificate


@pytest.mark.parametrize("name", sorted(testing.MATRICES))
def test_tolerance_is_met_with_nearly_the_smallest_rank(name):
    A = testing.MATRICES[name](seed=3)
    size = np.linalg.norm(A)
    s = np.linalg.svd(A, compute_uv=False)
    for rtol in (0.3, 1e-2, 1e-5):
        r = subspan.svd(A, rtol=rtol, rng=5)
        tails = np.sqrt(np.append(np.cumsum(s[::-1] ** 2)[::-1], 0))
        least = int(np.flatnonzero(tails <= rtol * size)[0])
        assert r.converged
        assert r.stop_reason == "tolerance"
        assert true_error(A, r) <= rtol * size * (1 + 1e-6)
        assert r.error.value <= rtol * size * (1 + 1e-6)
        assert least <= r.rank <= 1.15 * least + 6


@pytest.mark.parametrize("norm", ["fro", "spectral"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["dense", "sparse", "operator"])
def test_certificate_covers_the_error(kind, dtype, norm):
    eps = np.finfo(dtype).eps
    for decay, k in ((0.97, 20), (0.7, 10), (0.7, 60)):
        A = known(120, 100, decay ** np.arange(100), dtype)
        given_A = {"dense": A, "sparse": scipy.sparse.csr_array(A), "operator": aslinearoperator(A)}
        r = subspan.svd(given_A[kind], k, norm=norm, power_iterations=1, rng=3)
        true = true_error(A, r, None if norm == "fro" else 2)
        assert r.error.norm == norm
        assert true <= r.error.upper + 20 * eps
        if r.error.kind == "exact" and true > 1e3 * eps:
            assert np.isclose(r.error.value, true, rtol=1e-2)
        assert r.error.value <= 2 * true + 50 * eps
        reference = np.linalg.norm(wide(A), None if norm == "fro" else 2)
        assert np.isclose(r.error.relative * reference, r.error.value, rtol=0.2, atol=eps)
        assert r.error.upper <= {"fro": 2.5, "spectral": 8}[norm] * true + 200 * eps


@pytest.mark.parametrize("norm", ["fro", "spectral"])
@pytest.mark.parametrize("kind", ["dense", "sparse", "operator"])
def test_tolerance_for_every_kind(kind, norm):
    A = known(150, 120, 0.8 ** np.arange(120), "complex128")
    given_A = {"dense": A, "sparse": scipy.sparse.csc_array(A), "operator": aslinearoperator(A)}[
        kind
    ]
    for rtol in (1e-1, 1e-4, 1e-9, 1e-12):
        r = subspan.svd(given_A, rtol=rtol, norm=norm, rng=4)
        reference = np.linalg.norm(A, None if norm == "fro" else 2)
        assert true_error(A, r, None if norm == "fro" else 2) <= rtol * reference * (1 + 1e-6)
        assert r.converged
    r = subspan.range_finder(given_A, rtol=1e-3, norm=norm, rng=4)
    left = np.linalg.norm(A - r.Q @ (r.Q.conj().T @ A), None if norm == "fro" else 2)
    assert left <= 1e-3 * reference
    assert left <= r.error.upper


def test_tolerance_and_rank_whichever_comes_first():
    A = known(80, 60, 0.9 ** np.arange(60), "float64")
    with pytest.warns(subspan.ToleranceNotMet, match="not met at rank 5"):
        r = subspan.svd(A, 5, rtol=1e-8, rng=0)
    assert (r.rank, r.converged, r.stop_reason) == (5, False, "rank")
    assert subspan.svd(A, 50, rtol=0.5, rng=0).rank < 50
    with pytest.warns(subspan.ToleranceNotMet):
        r = subspan.range_finder(A, 5, rtol=1e-8, rng=0)
    assert r.rank == 5
    assert not r.converged


def test_absolute_tolerance():
    A = known(300, 200, 100 * 0.9 ** np.arange(200), "float64")
    r = subspan.svd(A, atol=1.0, rng=0)
    assert true_error(A, r) <= 1.0
    assert r.rank < 60


def test_rank_zero_and_the_zero_matrix():
    A = np.ones((4, 3))
    for r in (subspan.svd(A, 0), subspan.svd(A, atol=100.0), subspan.svd(A, rtol=1.0)):
        assert r.rank == 0
        assert r.converged
        assert np.isclose(r.error.value, np.sqrt(12))
        assert np.array_equal(r.toarray(), np.zeros((4, 3)))
    Z = np.zeros((5, 4), "complex64")
    r = subspan.svd(Z, 2)
    assert r.s.tolist() == [0, 0]
    assert is_orthonormal(r.U, 1e-7)
    assert r.error.value == 0
    assert subspan.svd(Z, rtol=1e-3).rank == 0
    assert subspan.range_finder(Z, 2).rank == 0
    for shape in ((0, 3), (3, 0), (0, 0)):
        assert subspan.svd(np.zeros(shape), 0).shape == shape
        assert subspan.svd(np.zeros(shape), rtol=0.1).rank == 0


# ---------------------------------------------------------------- inputs


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_and_kinds_agree(dtype, rng):
    """One seed: the same decomposition for every layout and kind of the same matrix."""
    A = known(70, 50, 0.8 ** np.arange(50), dtype)
    strided = np.zeros((140, 50), dtype)[::2]
    strided[:] = A
    frozen = A.copy()
    frozen.flags.writeable = False
    layouts = [A, np.asfortranarray(A), strided, frozen, A[::-1][::-1], scipy.sparse.csr_array(A)]
    layouts += [scipy.sparse.csc_matrix(A), scipy.sparse.bsr_array(A)]
    expected = subspan.svd(A, 6, rng=9, sketch="gaussian")
    for B in [*layouts, aslinearoperator(A)]:
        r = subspan.svd(B, 6, rng=9, sketch="gaussian")
        tol = 200 * np.finfo(dtype).eps
        assert np.allclose(r.s, expected.s, rtol=0, atol=tol)
        assert np.allclose(r.toarray(), expected.toarray(), rtol=0, atol=tol)
        assert np.allclose(r.U, expected.U, rtol=0, atol=500 * tol)
    with pytest.warns(UserWarning, match="slow sparse format 'lil'"):
        subspan.svd(scipy.sparse.lil_array(A), 6, rng=9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (20, 1), (2, 50), (50, 2)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_thin_matrices(shape, dtype, rng):
    A = gaussian(rng, shape, dtype)
    for k in range(min(shape) + 1):
        for method in METHODS:
            r = subspan.svd(A, k, method=method, rng=0)
            truth = np.linalg.svd(wide(A), compute_uv=False)[:k]
            assert np.allclose(r.s, truth, rtol=0.5 if k < min(shape) else 1e-4)
    assert subspan.svd(aslinearoperator(A), 1, rng=0).shape == shape


def test_other_dtypes_are_promoted(rng):
    A = rng.integers(-5, 5, (30, 20))
    assert subspan.svd(A, 3, rng=0).U.dtype == np.float64
    assert np.array_equal(subspan.svd(A, 3, rng=0).s, subspan.svd(A.astype(float), 3, rng=0).s)
    assert subspan.svd(A > 0, 3, rng=0).s.dtype == np.float64
    assert subspan.svd(A.astype(np.float16), 3, rng=0).U.dtype == np.float32


@pytest.mark.parametrize("method", METHODS)
def test_extreme_scales(method):
    """Squares that overflow or underflow (scikit-learn#23373): float32 beyond 1e20, float64 beyond 1e154."""
    for dtype, scales in (("float32", (1e-30, 1e25)), ("float64", (1e-250, 1e250))):
        B = known(60, 40, 0.7 ** np.arange(40), dtype)
        for scale in scales:
            A = B * np.array(scale, dtype)
            r = subspan.svd(A, 4, method=method, rng=0)
            plain = subspan.svd(B, 4, method=method, rng=0)
            assert np.allclose(r.s / np.array(scale, dtype), plain.s, rtol=1e-4)
            assert np.isclose(r.error.value / scale, plain.error.value, rtol=1e-3, atol=1e-6)
            t = subspan.svd(A, atol=0.01 * scale * np.linalg.norm(B), rng=0)
            assert t.converged
            assert 0 < t.rank < 30
    operator = aslinearoperator(known(60, 40, 0.7 ** np.arange(40), "float64") * 1e200)
    assert np.allclose(subspan.svd(operator, 4, rng=0).s / 1e200, 0.7 ** np.arange(4), rtol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", METHODS)
def test_entries_that_are_not_finite(method, value, rng):
    for dtype in DTYPES:
        A = gaussian(rng, (12, 9), dtype)
        A[7, 4] = value
        for kw in ({"rank": 3}, {"rtol": 0.1}):
            if method == "block_krylov" and "rtol" in kw:
                continue
            with pytest.raises(ValueError, match=r"A must be finite, but A\[7, 4\] is "):
                subspan.svd(A, method=method, rng=0, **kw)
            with pytest.raises(ValueError, match=r"A must be finite, but A\[7, 4\] is "):
                subspan.range_finder(A, rng=0, **kw)
        with pytest.raises(ValueError, match="NaN or infinite"):
            subspan.svd(scipy.sparse.csr_array(A), 3, rng=0)
        with pytest.raises(ValueError, match="NaN or infinite"), np.errstate(invalid="ignore"):
            subspan.svd(aslinearoperator(A), 3, rng=0)


def test_bad_arguments():
    A = np.eye(6, 4)
    for call, message in (
        (lambda: subspan.svd(A, 5), r"rank=5 must lie in \[0, 4\] for A of shape \(6, 4\)"),
        (lambda: subspan.svd(A, -1), r"rank=-1"),
        (lambda: subspan.svd(A, 2, method="magic"), r"method='magic' is not known"),
        (lambda: subspan.svd(A, 2, sketch="magic"), r"sketch='magic' is not known"),
        (lambda: subspan.svd(A, 2, sketch=None), r"sketch=None"),
        (lambda: subspan.svd(A, 2, norm="nuclear"), r"norm='nuclear'"),
        (lambda: subspan.svd(A, 2, power_iterations=-1), r"power_iterations=-1"),
        (lambda: subspan.svd(A, 2, power_iterations="many"), r"power_iterations='many'"),
        (lambda: subspan.svd(A, 2, oversampling=-1), r"oversampling=-1"),
        (
            lambda: subspan.svd(A, rtol=1e-3, method="block_krylov"),
            r"method='block_krylov' needs a rank",
        ),
        (lambda: subspan.svd(A, rtol=-1.0), r"rtol=-1"),
        (lambda: subspan.svd(A, rtol=1e-20), r"rtol=1e-20 is below"),
        (lambda: subspan.svd(A, atol=0.0), r"atol=0"),
        (lambda: subspan.svd(np.zeros(3), 1), r"A must be 2-d"),
        (lambda: subspan.range_finder(A, 7), r"rank=7"),
        (lambda: subspan.range_finder(A, 2, method="full"), r"method='full'"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    for call in (lambda: subspan.svd(A), lambda: subspan.svd(A, 1.5), lambda: subspan.svd(A, True)):
        with pytest.raises(TypeError):
            call()


def test_non_square_and_complex_operators(rng):
    """Products with A^H are taken of the right vectors (scikit-learn#30736, scipy#20452)."""
    B = known(90, 40, 0.6 ** np.arange(40), "complex128")
    for A in (B, B.T.copy()):
        operator = LinearOperator(
            A.shape,
            matvec=lambda x, A=A: A @ x,
            rmatvec=lambda x, A=A: A.conj().T @ x,
            dtype=A.dtype,
        )
        r = subspan.svd(operator, 6, rng=0)
        assert np.allclose(r.s, 0.6 ** np.arange(6), rtol=1e-6)
        assert np.isclose(true_error(A, r), np.linalg.norm(0.6 ** np.arange(6, 40)), rtol=1e-3)
    with pytest.raises(TypeError, match="A must define rmatvec"):
        subspan.svd(LinearOperator((5, 4), matvec=lambda x: np.ones(5), dtype=float), 2)


def test_passes_are_those_promised(rng):
    """Counted by an operator: 2 + 2 q block products, and none for the certificate."""
    A = gaussian(rng, (50, 40), "float64")
    seen = {"A": 0, "AH": 0}

    def matmat(X):
        seen["A"] += X.shape[1]
        return A @ X

    def rmatmat(X):
        seen["AH"] += X.shape[1]
        return A.T @ X

    operator = LinearOperator(
        A.shape, matvec=matmat, rmatvec=rmatmat, matmat=matmat, rmatmat=rmatmat, dtype=A.dtype
    )
    for q in (0, 1, 3):
        seen.update(A=0, AH=0)
        r = subspan.svd(operator, 5, oversampling=3, power_iterations=q, rng=0)
        assert r.plan.passes == 2 + 2 * q
        assert seen == {"A": (1 + q) * 8 + 16, "AH": (1 + q) * 8}


@pytest.mark.parametrize("dtype", DTYPES)
def test_single_pass(dtype):
    """One reading, by request or because there is no other; an honest estimate of a larger error."""
    A = known(120, 90, 0.6 ** np.arange(90), dtype)
    optimum = np.linalg.norm(0.6 ** np.arange(5, 90))
    once = subspan.chunks(iter([A[:50], A[50:]]), shape=A.shape)
    inputs = [A, scipy.sparse.csr_array(A), subspan.chunks([A[:7], A[7:]])]
    for B, method in [(once, "auto"), *((B, "single_pass") for B in inputs)]:
        r = subspan.svd(B, 5, method=method, rng=1)
        assert r.plan.passes == 1
        assert r.plan.choices["method"] == "single pass"
        assert optimum * (1 - 1e-5) <= true_error(A, r) <= 4 * optimum
        assert true_error(A, r) <= r.error.upper
        assert is_orthonormal(r.U, np.finfo(dtype).eps)
    with pytest.raises(ValueError, match="needs a rank"):
        subspan.svd(A, rtol=0.1, method="single_pass")
    with pytest.raises(TypeError, match="two passes"):
        subspan.svd(aslinearoperator(A), 5, method="single_pass")


# ---------------------------------------------------------------- determinism and results


@pytest.mark.parametrize("method", ["subspace", "block_krylov"])
def test_seed_repeats_the_result(method, rng):
    A = gaussian(rng, (300, 200), "float64")
    first = subspan.svd(A, 10, method=method)
    again = subspan.svd(A, 10, method=method, rng=first.seed)
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a, b)
    other = subspan.svd(A, 10, method=method, power_iterations=0, rng=first.seed + 1)
    assert not np.array_equal(other.s, first.s)
    generators = [np.random.default_rng(5), np.random.default_rng(5)]
    assert np.array_equal(*(subspan.svd(A, 3, rng=g).s for g in generators))


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_results_survive_files(tmp_path, rng, ending):
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    A = gaussian(rng, (30, 20), "complex128")
    for result in (subspan.svd(A, 4, rng=0), subspan.range_finder(A, 4, rng=0)):
        result.save(tmp_path / f"r.{ending}")
        loaded = subspan.load(tmp_path / f"r.{ending}")
        assert type(loaded) is type(result)
        for a, b in zip(loaded, result, strict=True):
            assert np.array_equal(a, b)


def test_results_are_operators(rng):
    A = gaussian(rng, (30, 20), "complex128")
    r = subspan.svd(A, 4, rng=0)
    x, y = rng.standard_normal((20, 3)), rng.standard_normal((2, 30))
    dense = r.toarray()
    assert np.allclose(r @ x, dense @ x)
    assert np.allclose(y @ r, y @ dense)
    assert np.allclose(r.T.toarray(), dense.T)
    assert np.allclose(r.T @ y.T, dense.T @ y.T)
    assert np.allclose(aslinearoperator(r).rmatmat(y.T), dense.conj().T @ y.T)
    assert np.isclose(r.error_exact(A).value, true_error(A, r))
    seen = subspan.error.residual(A, r, probes=50, rng=1)
    assert 0.5 * true_error(A, r) <= seen.value <= 2 * true_error(A, r)
    copied = pickle.loads(pickle.dumps(r))
    assert np.array_equal(copied.U, r.U)
    assert copied.error == r.error
    assert len(r) == 3
    assert "rank 4" in repr(r)
    assert "passes over A" in str(r.plan)
    assert "4 directions" in repr(subspan.range_finder(A, 4, rng=0))


def test_progress_and_interruption(rng):
    A = gaussian(rng, (200, 150), "float64")
    calls = []
    subspan.svd(A, 5, rng=0, progress=lambda done, total, info: calls.append((done, total, info)))
    assert calls
    assert {"basis", "small svd", "vectors"} <= {info["stage"] for *_, info in calls}

    def stop(done, total, info):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        subspan.svd(A, 5, rng=0, progress=stop)


def test_plan_says_when_lapack_is_used(rng):
    A = gaussian(rng, (500, 40), "float64")
    r = subspan.svd(A, 30, rng=0)
    assert r.plan.choices["method"] == "full"
    assert "costs less" in r.plan.reasons["method"]
    assert r.error.kind == "exact"
    assert np.allclose(r.s, np.linalg.svd(A, compute_uv=False)[:30])
    assert (
        subspan.svd(gaussian(rng, (400, 400), "float64"), 5, rng=0).plan.choices["method"]
        == "subspace"
    )


@pytest.mark.host_only
def test_no_larger_error_than_arpack_at_its_own_rank(rng):
    A = scipy.sparse.random_array((400, 300), density=0.05, rng=rng, format="csr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        U, s, Vh = svds(A, 10, rng=0)
    r = subspan.svd(A, 10, power_iterations=40, rng=0)
    assert np.allclose(np.sort(s)[::-1], r.s, rtol=2e-3)
    assert true_error(A.toarray(), r) <= 1.001 * np.linalg.norm(A.toarray() - U * s @ Vh)
