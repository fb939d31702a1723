"""Cases at the ends: scales, dependence, rounding, odd operators and files."""

import warnings

import numpy as np
import pytest
import scipy.sparse
import subspan
import subspan.cli
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from subspan import sketch, testing

EPS = np.finfo(np.float64).eps


def gaussian(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def relative(A, r):
    return np.linalg.norm(A - r.toarray()) / np.linalg.norm(A)


# ---------------------------------------------------------------- certificates


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("copies", [2, 5])
def test_certificate_of_dependent_columns(dtype, copies):
    """Leverage sampling picks duplicates; the energy of their directions is not captured."""
    A = np.repeat(gaussian(40, 12).astype(dtype), copies, axis=1)
    failures = 0
    for seed in range(40):
        r = subspan.interpolative(A, 20, pivoting="leverage", rng=seed)
        error = relative(A, r) * np.linalg.norm(A)
        failures += error > r.error.upper
        if r.error.kind == "exact":
            assert error <= r.error.upper + 100 * np.finfo(dtype).eps * np.linalg.norm(A)
    assert failures <= 2  # 40 draws at 1e-3, and rounding of an error of zero


def test_upper_bound_of_an_exact_error_holds_what_cancellation_adds():
    A = testing.known_spectrum(300, 200, 0.8 ** np.arange(200), rng=0)
    wide = A.astype(np.longdouble)
    for k in range(40, 64, 2):
        r = subspan.interpolative(A, k, rng=k)
        W = r.coefficients.astype(np.longdouble)
        E = wide - wide[:, r.indices] @ W
        assert np.sqrt((E * E).sum()) <= r.error.upper


@pytest.mark.parametrize("coefficients", ["osid", "sketch"])
def test_an_estimate_near_the_tolerance_does_not_count_as_met(coefficients):
    """Rank and tolerance both given, the tolerance a little below the error: never converged."""
    A = testing.known_spectrum(80, 60, 0.9 ** np.arange(60), rng=0)
    wrong = 0
    for seed in range(60):
        first = subspan.interpolative(A, 10, pivoting="lupp", coefficients=coefficients, rng=seed)
        rtol = 0.97 * relative(A, first)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", subspan.ToleranceNotMet)
            r = subspan.interpolative(
                A, 10, rtol=rtol, pivoting="lupp", coefficients=coefficients, rng=seed
            )
        wrong += r.converged and relative(A, r) > rtol
    assert wrong <= 2  # 60 draws at 1e-3


@pytest.mark.parametrize("pivoting", ["bgp", "brp", "greedy", "rbrp", "rp"])
def test_tolerance_at_the_rounding_level_is_met_by_the_approximation_itself(pivoting):
    A = np.cos(np.outer(np.linspace(0, 1, 5), np.linspace(0, 3, 60)))
    rtol = 60 * EPS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", subspan.ToleranceNotMet)
        r = subspan.interpolative(A, rtol=rtol, pivoting=pivoting, rng=0)
    assert r.error.relative == pytest.approx(relative(A, r), rel=0.1, abs=10 * EPS)
    assert not r.converged or relative(A, r) <= 1.1 * rtol


# ---------------------------------------------------------------- operators


@pytest.mark.host_only
def test_an_operator_may_keep_what_it_is_given():
    kept = []

    def multiply_adjoint(X):
        kept.append((X, X.copy()))
        return np.outer(np.ones(30), X.sum(0))

    op = LinearOperator(
        (3000, 30), matvec=lambda x: x, rmatvec=lambda x: x, dtype=float,
        matmat=lambda X: np.outer(np.ones(3000), X.sum(0)), rmatmat=multiply_adjoint,
    )  # fmt: skip
    subspan.interpolative(op, 5, rng=0)
    assert kept
    for X, then in kept:
        assert np.array_equal(X, then)


@pytest.mark.parametrize(
    ("dtype", "exponent"),
    [("float64", -660), ("float64", 660), ("float64", 520), ("float32", -75), ("float32", 66)],
)
def test_operators_far_from_scale_one(dtype, exponent):
    B = (gaussian(60, 8) @ gaussian(8, 40)).astype(dtype)
    B += np.asarray(0.01, dtype) * gaussian(60, 40, seed=1).astype(dtype)
    scale = B.dtype.type(2.0) ** exponent
    plain = subspan.interpolative(aslinearoperator(B), 8, rng=0)
    r = subspan.interpolative(aslinearoperator(B * scale), 8, rng=0)
    assert np.array_equal(r.indices, plain.indices)
    assert r.error.relative == pytest.approx(plain.error.relative, rel=0.01)
    assert r.error.value == pytest.approx(plain.error.value * 2.0**exponent, rel=0.01)
    assert np.allclose(r.skeleton, (B * scale)[:, r.indices], rtol=1e-5, atol=0)
    r = subspan.interpolative(aslinearoperator(B * scale), rtol=0.1, rng=0)
    assert r.rank > 0
    assert r.converged
    norm = subspan.error.norm(aslinearoperator(B * scale), rng=0)
    assert norm == pytest.approx(np.linalg.norm(B.astype(float), 2) * 2.0**exponent, rel=0.05)


def test_the_zero_operator():
    r = subspan.interpolative(aslinearoperator(np.zeros((7, 5))), 3, rng=0)
    assert (r.rank, r.error.value, r.stop_reason) == (0, 0, "exhausted")


def test_an_object_with_products_is_an_operator():
    A = gaussian(30, 20)

    class Products:
        shape, dtype = A.shape, A.dtype

        def matmat(self, X):
            return A @ X

        def rmatmat(self, X):
            return A.T @ X

    for axis in (0, 1):
        r = subspan.interpolative(Products(), 5, axis=axis, rng=0)
        expected = subspan.interpolative(aslinearoperator(A), 5, axis=axis, rng=0)
        assert np.array_equal(r.indices, expected.indices)
    assert subspan.interpolative(Products(), 0, rng=0).error.relative == 1
    assert subspan.error.norm(Products(), rng=0) == pytest.approx(np.linalg.norm(A, 2), rel=0.05)


@pytest.mark.parametrize(
    "call",
    [
        lambda op: subspan.interpolative(op, 2),
        lambda op: subspan.interpolative(op, 2, axis=0, coefficients="exact"),
        lambda op: subspan.error.norm(op),
        lambda op: subspan.error.residual(op, np.zeros(op.shape), norm="spectral"),
    ],
)
def test_an_operator_without_adjoint_is_named(call):
    op = LinearOperator((6, 5), matvec=lambda x: np.ones(6), dtype=float)
    with pytest.raises(TypeError, match="A must define rmatvec or rmatmat"):
        call(op)


def test_a_result_is_a_linear_operator():
    A = gaussian(30, 20) + 1j * gaussian(30, 20, seed=1)
    r = subspan.interpolative(A, 5, rng=0)
    op, x, y = aslinearoperator(r), gaussian(20), gaussian(30)
    assert np.allclose(op @ x, r.toarray() @ x)
    assert np.allclose(op.H @ y, r.toarray().conj().T @ y)


# ---------------------------------------------------------------- norms and sketches


def test_norms_of_half_and_single_precision_are_summed_in_double():
    F = gaussian(60, 40).astype(np.float32)
    size = np.linalg.norm(F.astype(float))
    for factor in (1e-25, 1e25):
        A = F * np.float32(factor)
        assert subspan.error.norm(A, norm="fro") == pytest.approx(size * factor, rel=1e-6)
        e = subspan.interpolative(A, 0).error
        assert (e.relative, e.value) == (1, pytest.approx(size * factor, rel=1e-6))
        e = subspan.error.residual(A, np.zeros_like(A), probes=200, rng=0)
        assert e.relative == pytest.approx(1, abs=0.1)
    assert subspan.error.norm(np.full((300, 300), 200, np.float16), norm="fro") == 60000


def test_norm_of_a_sparse_matrix_with_duplicates():
    A = scipy.sparse.csc_array(
        (np.array([1.0, 2, 3]), np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(2, 2)
    )
    assert subspan.error.norm(A, norm="fro") == pytest.approx(np.sqrt(18))


@pytest.mark.parametrize("kind", [sketch.Gaussian, sketch.SparseSign, sketch.CountSketch])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_sketches_refuse_what_is_not_finite(kind, bad):
    A = gaussian(20, 5)
    A[3, 2] = bad
    S = kind(6, 20, rng=0)
    with pytest.raises(ValueError, match=r"A must be finite, but A\[3, 2\]"):
        S @ A
    with pytest.raises(ValueError, match=r"A must be finite, but A\[3, 2\]"):
        S.accumulator(5).update(A, 0)
    with pytest.raises(ValueError, match="Y must be finite"):
        S.T @ np.full((6, 1), bad)


def test_adjoint_of_a_sparse_matrix():
    S, Y = sketch.SparseSign(6, 20, rng=0), scipy.sparse.eye_array(6, 4)
    assert np.allclose(S.T @ Y, S.toarray().T @ Y.toarray())


def test_arguments_that_mean_nothing_are_refused():
    with pytest.raises(TypeError, match="Gaussian has no argument 'nnz'"):
        sketch.Gaussian(4, 5, nnz=3)
    with pytest.raises(ValueError, match="oversampling=-5"):
        subspan.interpolative(np.eye(4), 2, pivoting="rbrp", oversampling=-5)
    with pytest.raises(ValueError, match="atol=0"):
        subspan.interpolative(np.eye(4), 2, atol=0)


def test_huge_weights():
    S = sketch.RowSampling(3, 5, rng=0, weights=np.full(5, 1e308))
    same = sketch.RowSampling(3, 5, rng=0, weights=np.ones(5))
    assert np.array_equal(S.toarray(), same.toarray())


# ---------------------------------------------------------------- files


def test_files_that_hold_no_result(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(3))
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", subspan=np.array("{}"))
    for name in ("a.npy", "empty.npz", "text.npz", "other.npz"):
        with pytest.raises(ValueError, match="does not hold a result of subspan"):
            subspan.load(tmp_path / name)


def test_a_row_with_a_hole_is_no_heading(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("1,,2\n3,4,5\n")
    with pytest.raises(ValueError, match=r"x\.csv"):
        subspan.cli.read_matrix(path)
    path.write_text("a,b\n3,4\n")
    assert subspan.cli.read_matrix(path).tolist() == [[3, 4]]
