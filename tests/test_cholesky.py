"""Pivoted Cholesky: identities, certificates, laws of the pivots, kernels, refusals, results."""

import copy
import itertools
import pickle
from functools import partial

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
import subspan
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import lapack
from scipy.sparse.linalg import aslinearoperator
from subspan import testing

DTYPES = ["float32", "float64", "complex64", "complex128"]
PIVOTING = ["rbrp", "rp", "accelerated", "greedy", "uniform"]


def psd(rng, eigenvalues, dtype="float64"):
    """Positive semidefinite matrix with these eigenvalues and Haar eigenvectors."""
    n = len(eigenvalues)
    G = rng.standard_normal((n, n))
    if np.dtype(dtype).kind == "c":
        G = G + 1j * rng.standard_normal((n, n))
    Q = np.linalg.qr(G)[0]
    K = (Q * eigenvalues) @ Q.conj().T
    return ((K + K.conj().T) / 2).astype(dtype)


def wide(X):
    X = np.asarray(X)
    return X.astype(np.result_type(X.dtype, np.float64))


def eps_of(X):
    return float(np.finfo(X.dtype).eps)


def plain_cholesky(K, pivots):
    """Cholesky factor of K in the order of the pivots, one column at a time."""
    K = wide(K)
    F = np.zeros((len(K), len(pivots)), K.dtype)
    for i, s in enumerate(pivots):
        g = K[:, s] - F[:, :i] @ F[s, :i].conj()
        F[:, i] = g / np.sqrt(g[s].real)
    return F


@st.composite
def semidefinite(draw, most=24):
    """A positive semidefinite matrix of any dtype and layout, often of low rank."""
    n = draw(st.integers(1, most))
    rank = draw(st.integers(0, n))
    dtype = draw(st.sampled_from(DTYPES))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    B = rng.standard_normal((n, rank))
    if np.dtype(dtype).kind == "c":
        B = B + 1j * rng.standard_normal((n, rank))
    B = B * 10.0 ** -(draw(st.sampled_from([0, 3])) * np.arange(rank) / n)
    K = (B @ B.conj().T).astype(dtype)
    layout = draw(st.sampled_from(["C", "F", "view", "strided", "readonly"]))
    if layout == "F":
        K = np.asfortranarray(K)
    elif layout == "view":
        larger = np.zeros((n + 3, n + 5), dtype)
        larger[1 : n + 1, 2 : n + 2] = K
        K = larger[1 : n + 1, 2 : n + 2]
    elif layout == "strided":
        larger = np.zeros((2 * n, 2 * n), dtype)
        larger[::2, ::2] = K
        K = larger[::2, ::2]
    elif layout == "readonly":
        K.flags.writeable = False
    return K


# ---------------------------------------------------------------- identities


@pytest.mark.parametrize("pivoting", PIVOTING)
@given(K=semidefinite(), data=st.data())
def test_a_partial_cholesky_factorization(pivoting, K, data):
    """Shapes, distinct pivots, triangle, K reproduced at the pivots, the trace, the bookkeeping."""
    n = len(K)
    k = data.draw(st.integers(0, n))
    before = K.copy()
    r = subspan.pivoted_cholesky(K, k, pivoting=pivoting, rng=data.draw(st.integers(0, 2**64 - 1)))
    assert np.array_equal(K, before)
    F, S = r
    assert F.shape == (n, r.rank)
    assert F.dtype == K.dtype
    assert np.isfinite(F).all()
    assert r.rank <= k
    assert r.rank == k or r.stop_reason == "exhausted"
    assert r.converged is True
    assert S.dtype == np.int64
    assert np.unique(S).size == r.rank
    assert np.array_equal(F[S], np.tril(F[S]))
    assert (np.diagonal(F[S]).real > 0).all()
    assert np.isrealobj(F) or (np.abs(np.diagonal(F[S]).imag) <= eps_of(K)).all()

    residual = wide(K) - wide(F) @ wide(F).conj().T
    trace = np.trace(wide(K)).real
    noise = 100 * n * eps_of(K) * trace
    assert np.abs(residual[S]).max(initial=0.0) <= noise
    assert abs(np.trace(residual).real - r.trace_error) <= noise
    nuclear = np.abs(np.linalg.eigvalsh(residual)).sum()
    own = 4 * n * eps_of(K) * trace  # K itself is semidefinite up to rounding
    assert nuclear <= r.error.upper + own
    assert r.error.kind == "exact"
    assert r.error.norm == "nuclear"
    assert r.error.relative * trace == pytest.approx(r.trace_error)
    traces = [entry["trace_error"] for entry in r.history]
    assert traces[0] == pytest.approx(trace)
    assert all(b <= a + noise for a, b in itertools.pairwise(traces))
    assert sum(entry["accepted"] for entry in r.history) == r.rank


@pytest.mark.parametrize("pivoting", PIVOTING)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_factor_is_the_one_of_its_pivots(pivoting, dtype, rng):
    """However they were chosen, in blocks or one by one: Cholesky in that order is unique."""
    K = psd(rng, 0.9 ** np.arange(120), dtype)
    F, S = subspan.pivoted_cholesky(K, 40, pivoting=pivoting, rng=3)
    expected = plain_cholesky(K, S)
    growth = np.linalg.norm(np.linalg.inv(expected[S]))
    assert np.abs(F - expected).max() <= 100 * eps_of(K) * growth


@pytest.mark.parametrize("pivoting", PIVOTING)
def test_layouts_and_kinds_of_input_give_the_same_factor(pivoting, rng):
    K = psd(rng, 0.8 ** np.arange(80))
    K[np.abs(K) < 1e-3 * np.abs(K).max()] = 0.0
    K += 0.1 * np.eye(80)
    padded = np.zeros((80, 100))
    padded[:, :80] = K
    kinds = [
        np.asfortranarray(K),
        padded[:, :80],
        np.kron(K, np.ones((2, 2)))[::2, ::2],
        scipy.sparse.csr_array(K),
        scipy.sparse.coo_matrix(K),
        subspan.kernel(lambda i, j: K[np.ix_(i, j)], n=80, diag=np.diagonal(K)),
    ]
    first = subspan.pivoted_cholesky(K, 30, pivoting=pivoting, rng=5)
    for other in kinds:
        r = subspan.pivoted_cholesky(other, 30, pivoting=pivoting, rng=5)
        assert np.array_equal(r.pivots, first.pivots)
        np.testing.assert_allclose(r.F, first.F, atol=1e-12)


def test_complex_matrices_in_both_orders_are_the_same_matrix(rng):
    K = psd(rng, 0.8 ** np.arange(50), "complex128")
    by_rows, by_columns = (
        subspan.pivoted_cholesky(np.asarray(K, order=order), 20, rng=0) for order in "CF"
    )
    assert np.array_equal(by_rows.pivots, by_columns.pivots)
    np.testing.assert_allclose(by_rows.F, by_columns.F, atol=1e-13)
    np.testing.assert_allclose(
        by_rows.toarray()[:, by_rows.pivots], K[:, by_rows.pivots], atol=1e-13
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_interpolation_is_the_same_approximation_from_columns(dtype, rng):
    K = psd(rng, 0.85 ** np.arange(60), dtype)
    r = subspan.pivoted_cholesky(K, 25, rng=1)
    T = r.interpolation()
    assert T.shape == (25, 60)
    assert T.dtype == K.dtype
    assert np.array_equal(T[:, r.pivots], np.eye(25))
    assert np.abs(wide(K)[:, r.pivots] @ wide(T) - wide(r.toarray())).max() <= 1e3 * eps_of(K)


# ---------------------------------------------------------------- agreement with LAPACK


@pytest.mark.parametrize(
    ("dtype", "routine"), [("float64", lapack.dpstrf), ("complex128", lapack.zpstrf)]
)
def test_greedy_pivots_are_those_of_lapack(dtype, routine, rng):
    K = psd(rng, 0.9 ** np.arange(90), dtype)
    factor, order, rank, _ = routine(K, lower=1, tol=1e-8)
    F, S = subspan.pivoted_cholesky(K, int(rank), pivoting="greedy")
    assert np.array_equal(S, order[:rank] - 1)
    L = np.tril(factor)[:, :rank]
    np.testing.assert_allclose(F[order - 1], L, atol=1e-9)


@pytest.mark.parametrize("block", [4, 16])
def test_greedy_blocks_are_filtered(block, rng):
    """Near-duplicates do not enter together, as they would without the filter."""
    centres = rng.standard_normal((12, 5))
    X = np.repeat(centres, 20, axis=0) + 1e-6 * rng.standard_normal((240, 5))
    K = X @ X.T + 1e-12 * np.eye(240)
    r = subspan.pivoted_cholesky(K, 5, pivoting="greedy", block_size=block)
    assert r.error.relative < 1e-9


# ---------------------------------------------------------------- the law of the pivots


@pytest.mark.host_only
@pytest.mark.parametrize(("pivoting", "block"), [("rp", None), ("accelerated", 4)])
def test_law_of_the_first_two_picks(pivoting, block, rng):
    """P(s, t) = d_s / tr(K) times d'_t / tr(K'), K' the Schur complement after s."""
    K = psd(rng, np.array([3.0, 1.0, 0.5, 0.2, 0.1, 0.02])) * np.outer(*2 * [np.arange(1, 7)])
    law = np.zeros((6, 6))
    for s in range(6):
        left = np.diagonal(K) - np.abs(K[:, s]) ** 2 / K[s, s]
        left[s] = 0
        law[s] = K[s, s] / np.trace(K) * left / left.sum()
    draws = 4000
    seen = np.zeros((6, 6))
    for seed in range(draws):
        s, t = subspan.pivoted_cholesky(K, 2, pivoting=pivoting, block_size=block, rng=seed).pivots
        seen[s, t] += 1
    cells = law > 5 / draws
    observed = np.append(seen[cells], seen[~cells].sum())
    expected = np.append(law[cells], law[~cells].sum()) * draws
    kept = expected > 0
    assert scipy.stats.chisquare(observed[kept], expected[kept]).pvalue > 0.01
    assert observed[~kept].sum() == 0


@pytest.mark.host_only
@pytest.mark.parametrize("pivoting", ["rp", "accelerated", "rbrp"])
def test_expected_trace_error_obeys_the_theorem(pivoting, rng):
    """E trace <= (1 + eps) best of rank r once k >= r/eps + r log(1/(eps eta)) (2207.06503)."""
    eigenvalues = np.concatenate([2.0 ** -np.arange(6.0), np.full(114, 1e-3)])
    K = psd(rng, eigenvalues)
    r, epsilon = 4, 1.0
    best = eigenvalues[r:].sum()
    eta = best / eigenvalues.sum()
    k = int(np.ceil(r / epsilon + r * np.log(1 / (epsilon * eta))))
    errors = [
        subspan.pivoted_cholesky(
            K, k, pivoting=pivoting, block_size=1 if pivoting == "rp" else 6, rng=s
        ).trace_error
        for s in range(60)
    ]
    assert np.mean(errors) <= (1 + epsilon) * best
    assert min(errors) >= eigenvalues[k:].sum() * (1 - 1e-10)


@pytest.mark.host_only
def test_random_pivots_are_near_the_best_where_others_fail(rng):
    """Clusters of very unequal size: uniform columns miss the small ones, random pivots do not."""
    sizes = [600, 600, 600] + [4] * 30
    centres = 10 * rng.standard_normal((33, 4))
    X = np.repeat(centres, sizes, axis=0) + 0.01 * rng.standard_normal((sum(sizes), 4))
    squares = (X**2).sum(1)
    K = np.exp(-np.maximum(squares[:, None] + squares - 2 * X @ X.T, 0) / 2)
    best = best_trace_error(K, 40)
    mean = {
        p: np.mean(
            [subspan.pivoted_cholesky(K, 40, pivoting=p, rng=s).trace_error for s in range(5)]
        )
        for p in ("rbrp", "accelerated", "uniform")
    }
    assert mean["rbrp"] < 3 * best
    assert mean["accelerated"] < 3 * best
    assert mean["uniform"] > 10 * mean["rbrp"]


def best_trace_error(K, k):
    """Sum of all but the k largest eigenvalues: the best trace error of rank k."""
    return np.linalg.eigvalsh(K)[:-k].sum()


# ---------------------------------------------------------------- stopping


@pytest.mark.parametrize("pivoting", PIVOTING)
@pytest.mark.parametrize("dtype", DTYPES)
def test_tolerance_on_the_trace(pivoting, dtype, rng):
    K = psd(rng, 0.8 ** np.arange(100), dtype)
    rtol = 1e-3
    r = subspan.pivoted_cholesky(K, rtol=rtol, pivoting=pivoting, rng=2)
    trace = np.trace(wide(K)).real
    assert r.converged
    assert r.stop_reason == "tolerance"
    measured = trace - np.linalg.norm(wide(r.F)) ** 2
    assert measured <= rtol * trace * (1 + 1e-5)
    assert r.trace_error == pytest.approx(measured, rel=1e-3)
    # The last pivot was needed: blocks are trimmed.
    assert measured + np.linalg.norm(wide(r.F)[:, -1]) ** 2 > rtol * trace
    absolute = subspan.pivoted_cholesky(K, atol=rtol * trace, pivoting=pivoting, rng=2)
    assert absolute.rank == r.rank


def test_deep_tolerances_are_met_by_the_true_residual(rng):
    """Down to 1e-13 of the trace, the reported error is that of the factor returned."""
    K = psd(rng, 10.0 ** -np.linspace(0, 15, 120))
    for rtol in (1e-8, 1e-11, 1e-13):
        for pivoting in ("rbrp", "accelerated", "greedy"):
            r = subspan.pivoted_cholesky(K, rtol=rtol, pivoting=pivoting, rng=0)
            F = r.F.astype(np.longdouble)
            measured = float((np.diagonal(K) - (F**2).sum(1)).sum())
            assert r.converged
            assert abs(measured - r.trace_error) <= 1e-14 * np.trace(K)


def test_a_tolerance_that_is_not_met_is_said_so(rng):
    K = np.eye(30)
    with pytest.warns(subspan.ToleranceNotMet, match="rank 5"):
        r = subspan.pivoted_cholesky(K, 5, rtol=0.1, rng=0)
    assert r.converged is False
    assert r.error.relative == pytest.approx(25 / 30)
    assert subspan.pivoted_cholesky(K, 28, rtol=0.1, rng=0).rank == 27


@pytest.mark.parametrize("pivoting", PIVOTING)
@pytest.mark.parametrize("dtype", DTYPES)
def test_low_rank_is_found_and_never_left(pivoting, dtype, rng):
    """Rank 8, every row repeated 10 times: 8 pivots, or a few more within rounding, and no noise."""
    B = rng.standard_normal((30, 8)).astype(dtype)
    if np.dtype(dtype).kind == "c":
        B = B + 1j * rng.standard_normal((30, 8)).astype(dtype)
    B = np.repeat(B, 10, axis=0)
    K = B @ B.conj().T
    r = subspan.pivoted_cholesky(K, 200, pivoting=pivoting, rng=4)
    assert r.stop_reason == "exhausted"
    assert 8 <= r.rank <= 16
    residual = np.linalg.norm(wide(K) - wide(r.F) @ wide(r.F).conj().T)
    assert residual <= 1e3 * eps_of(K) * np.linalg.norm(wide(K))
    assert r.error.relative <= 100 * eps_of(K)


@pytest.mark.parametrize("pivoting", PIVOTING)
def test_the_ends(pivoting):
    zero = subspan.pivoted_cholesky(np.zeros((5, 5)), 3, pivoting=pivoting, rng=0)
    assert zero.rank == 0
    assert zero.stop_reason == "exhausted"
    assert zero.error.relative == 0
    assert zero.interpolation().shape == (0, 5)
    assert subspan.pivoted_cholesky(np.zeros((5, 5)), rtol=1e-3, pivoting=pivoting).converged
    empty = subspan.pivoted_cholesky(np.zeros((0, 0)), 0, pivoting=pivoting)
    assert empty.F.shape == (0, 0)
    one = subspan.pivoted_cholesky(np.array([[4.0]]), 1, pivoting=pivoting)
    assert np.array_equal(one.F, [[2.0]])
    none = subspan.pivoted_cholesky(np.eye(4), 0, pivoting=pivoting)
    assert none.error.relative == 1
    whole = subspan.pivoted_cholesky(np.eye(4), 4, pivoting=pivoting, rng=1)
    assert whole.error.value == 0
    single = np.zeros((6, 6))
    single[4, 4] = 9.0
    r = subspan.pivoted_cholesky(single, 6, pivoting=pivoting)
    assert r.pivots.tolist() == [4]
    assert subspan.pivoted_cholesky(np.eye(3, dtype=int), 3).dtype == np.float64
    assert subspan.pivoted_cholesky(np.eye(3, dtype=np.float16), 3).dtype == np.float32


@pytest.mark.parametrize("scale", [1e-290, 1e290])
def test_scales_near_the_ends_of_the_range(scale, rng):
    K = psd(rng, 0.5 ** np.arange(20))
    plain = subspan.pivoted_cholesky(K, 6, rng=0)
    scaled = subspan.pivoted_cholesky(K * scale, 6, rng=0)
    assert np.array_equal(scaled.pivots, plain.pivots)
    assert scaled.error.relative == pytest.approx(plain.error.relative)


@pytest.mark.parametrize("pivoting", PIVOTING)
def test_rows_of_very_different_scale(pivoting, rng):
    """D C D has the Cholesky factor D L: nothing is noise because it is small."""
    d = 10.0 ** rng.uniform(-7, 7, 40)
    K = d[:, None] * psd(rng, 0.9 ** np.arange(40)) * d
    r = subspan.pivoted_cholesky(K, 40, pivoting=pivoting, rng=0)
    assert r.rank == 40
    scaled = (r.toarray() - K) / np.outer(d, d)
    assert np.abs(scaled).max() <= 1e-12


# ---------------------------------------------------------------- entries and kernels


class Recorder:
    """An oracle that remembers what it was asked for."""

    def __init__(self, K):
        self.K = K
        self.shape = K.shape
        self.dtype = K.dtype
        self.blocks = []

    def diag(self):
        return np.diagonal(self.K)

    def block(self, i, j):
        self.blocks.append((np.array(i), np.array(j)))
        return self.K[np.ix_(i, j)]


@pytest.mark.parametrize("pivoting", PIVOTING)
@pytest.mark.parametrize("dtype", DTYPES)
def test_only_the_entries_needed_are_asked_for(pivoting, dtype, rng):
    oracle = Recorder(psd(rng, 0.9 ** np.arange(100), dtype))
    r = subspan.pivoted_cholesky(oracle, 30, pivoting=pivoting, rng=7)
    columns = [j for i, j in oracle.blocks if len(i) == 100]
    assert np.array_equal(np.concatenate(columns), r.pivots)
    candidates = [(i, j) for i, j in oracle.blocks if len(i) < 100]
    assert all(np.array_equal(i, j) for i, j in candidates)
    asked = 100 + sum(len(i) * len(j) for i, j in oracle.blocks)
    assert r.plan.choices["entries evaluated"] == asked
    if pivoting in ("rp", "greedy"):
        assert asked == 31 * 100
    direct = subspan.pivoted_cholesky(oracle.K, 30, pivoting=pivoting, rng=7)
    assert np.array_equal(direct.pivots, r.pivots)
    assert np.array_equal(direct.F, r.F)


def gauss(A, B):
    return np.exp(-(((A[:, None] - B[None]) ** 2).sum(-1)))


@pytest.mark.parametrize("diag", [None, 1.0, "array", "function"])
def test_kernels_of_points(diag, rng):
    X = rng.standard_normal((60, 2))
    given_diag = {"array": np.ones(60), "function": lambda X: np.ones(len(X))}.get(diag, diag)
    K = subspan.kernel(gauss, X, diag=given_diag)
    r = subspan.pivoted_cholesky(K, rtol=1e-6, rng=0)
    dense = gauss(X, X)
    assert np.trace(dense - r.toarray()) <= 1.001e-6 * 60
    own = {None: 3 * 16**2 + 12**2}.get(diag, 0)
    assert K.diagonal_entries == own
    assert r.plan.choices["entries evaluated"] >= own + 60 * r.rank
    np.testing.assert_allclose(K @ np.eye(60), dense, atol=1e-14)
    assert subspan.error.residual(K, r, rng=1).relative < 1e-5
    measured = r.error_exact(K, norm="fro").value
    assert measured == pytest.approx(np.linalg.norm(dense - r.toarray()), rel=1e-6)
    assert r.error_exact(K).value == pytest.approx(r.trace_error, rel=1e-6)


def test_kernels_of_scikit_learn_and_their_diagonals(rng):
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel
    from sklearn.metrics.pairwise import cosine_similarity, rbf_kernel

    X = rng.standard_normal((80, 3))
    process = 2.0 * RBF(1.5)
    r = subspan.pivoted_cholesky(subspan.kernel(process, X), rtol=1e-4, pivoting="rp", rng=0)
    assert r.plan.choices["entries evaluated"] == 80 * r.rank  # and process.diag(X)
    assert np.trace(process(X) - r.toarray()) <= 1.001e-4 * 160
    assert WhiteKernel().diag(X).shape == (80,)
    K = subspan.kernel(partial(rbf_kernel, gamma=0.3), X.astype(np.float32), diag=1)
    assert K.dtype == np.float32
    assert subspan.pivoted_cholesky(K, 5, rng=0).F.dtype == np.float32
    rows = scipy.sparse.random_array((50, 200), density=0.05, rng=rng).tocsr()
    rows = scipy.sparse.csr_array(rows + scipy.sparse.eye_array(50, 200))
    K = subspan.kernel(partial(cosine_similarity, dense_output=False), rows, diag=1.0)
    r = subspan.pivoted_cholesky(K, 50, rng=0)
    np.testing.assert_allclose(r.toarray(), cosine_similarity(rows), atol=1e-12)


def test_points_may_be_frames_and_sequences():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": np.arange(12.0), "b": np.ones(12)})
    K = subspan.kernel(lambda A, B: A.to_numpy() @ B.to_numpy().T, frame)
    assert subspan.pivoted_cholesky(K, 12, rng=0).rank == 2
    words = ["aa", "ab", "bb", "a"]
    K = subspan.kernel(
        lambda A, B: np.array([[float(a.count("a") * b.count("a")) for b in B] for a in A]), words
    )
    assert subspan.pivoted_cholesky(K, 4, rng=0).rank == 1


def test_complex_kernels_and_their_transposes(rng):
    K = psd(rng, 0.7 ** np.arange(20), "complex128")
    lazy = subspan.kernel(lambda i, j: K[np.ix_(i, j)], n=20, diag=lambda i: np.diagonal(K)[i])
    r = subspan.pivoted_cholesky(lazy.T, 8, rng=0)
    expected = subspan.pivoted_cholesky(K.T, 8, rng=0)
    np.testing.assert_allclose(r.F, expected.F, atol=1e-13)
    assert subspan.error.norm(lazy, norm="fro", rng=0) == pytest.approx(np.linalg.norm(K), rel=0.5)


def test_a_kernel_with_noise_in_its_entries_stops_at_the_noise(rng):
    X = rng.standard_normal((150, 1))
    clean = gauss(X, X)
    E = 1e-9 * rng.standard_normal((150, 150))
    K = clean + np.triu(E, 1) + np.triu(E, 1).T
    r = subspan.pivoted_cholesky(K, 150, rng=0)
    assert r.stop_reason == "exhausted"
    assert r.rank < 40
    assert np.linalg.norm(r.toarray() - clean, 2) < 1e-4


# ---------------------------------------------------------------- refusals


def test_indefinite_and_non_hermitian_matrices_are_refused(rng):
    K = psd(rng, 0.9 ** np.arange(40))
    wrong = K.copy()
    wrong[7, 7] = -1
    with pytest.raises(ValueError, match=r"positive semidefinite, but K\[7, 7\] is -1"):
        subspan.pivoted_cholesky(wrong, 5)
    indefinite = psd(rng, np.append(0.9 ** np.arange(39), -1.0))
    indefinite += np.diag(np.maximum(0, -np.diagonal(indefinite)))
    for pivoting in PIVOTING:
        with pytest.raises(np.linalg.LinAlgError, match="not positive semidefinite"):
            subspan.pivoted_cholesky(indefinite, 40, pivoting=pivoting, rng=0)
    with pytest.raises(ValueError, match=r"K must be Hermitian, but K\[\d+, \d+\] and"):
        subspan.pivoted_cholesky(np.triu(K), 5)
    symmetric = psd(rng, 0.9 ** np.arange(10), "complex128").copy()
    symmetric[np.tril_indices(10, -1)] = symmetric.T[np.tril_indices(10, -1)]
    with pytest.raises(ValueError, match="Hermitian"):
        subspan.pivoted_cholesky(symmetric, 5)
    with pytest.raises(ValueError, match=r"Hermitian, but K\[2, 2\] is"):
        subspan.pivoted_cholesky(np.diag([1, 1, 1j]), 2)


@pytest.mark.parametrize("pivoting", PIVOTING)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_is_not_taken_for_indefiniteness(pivoting, dtype):
    """Rank 4 and a diagonal over many decades: small rows see the rounding errors of large ones."""
    rng = np.random.default_rng(9)
    for spread in (1.0, 30.0, 1000.0):
        x = (spread * rng.standard_normal(150)).astype(dtype)
        K = (1 + np.outer(x, x)) ** 3
        r = subspan.pivoted_cholesky(K, 150, pivoting=pivoting, rng=0)
        assert r.stop_reason == "exhausted"
        assert r.rank < 60
        error = np.linalg.norm(wide(K) - wide(r.F) @ wide(r.F).T)
        assert error <= 1e4 * eps_of(K) * np.linalg.norm(wide(K))


@pytest.mark.parametrize("pivoting", PIVOTING)
def test_an_oracle_that_is_not_hermitian_is_found_out(pivoting, rng):
    K = np.triu(psd(rng, 0.9 ** np.arange(60)) + 0.2 * np.ones((60, 60)))
    with pytest.raises((ValueError, np.linalg.LinAlgError), match=r"Hermitian|semidefinite"):
        subspan.pivoted_cholesky(Recorder(K), 60, pivoting=pivoting, rng=0)


def test_bad_arguments_are_refused_by_name():
    K = np.eye(6)
    for kwargs, error, match in [
        ({}, TypeError, "needs rank, rtol or atol"),
        ({"rank": 7}, ValueError, r"rank=7 must lie in \[0, 6\]"),
        ({"rank": 2.5}, TypeError, "rank has type float"),
        ({"rank": 2, "pivoting": "best"}, ValueError, "pivoting='best' is not known"),
        ({"rank": 2, "block_size": 0}, ValueError, "block_size=0"),
        ({"rank": 2, "block_size": 4, "pivoting": "rp"}, ValueError, "one column at"),
        ({"rtol": -1}, ValueError, "rtol=-1"),
        ({"rtol": 1e-17}, ValueError, "rtol=1e-17 is below"),
        ({"rank": 2, "rng": -1}, ValueError, "rng=-1"),
        ({"rank": 2, "progress": 3}, TypeError, "progress has type int"),
    ]:
        with pytest.raises(error, match=match):
            subspan.pivoted_cholesky(K, **kwargs)
    with pytest.raises(ValueError, match="square"):
        subspan.pivoted_cholesky(np.ones((3, 4)), 2)
    with pytest.raises(ValueError, match="2-d"):
        subspan.pivoted_cholesky(np.ones(3), 2)
    with pytest.raises(TypeError, match=r"operator, which.*psd=True"):
        subspan.pivoted_cholesky(aslinearoperator(K), 2)
    with pytest.raises(TypeError, match=r"K is a function.*subspan\.kernel"):
        subspan.pivoted_cholesky(lambda i, j: 1, 2)
    with pytest.raises(TypeError, match="either the points X or the size n"):
        subspan.kernel(gauss)
    with pytest.raises(TypeError, match="either the points X or the size n"):
        subspan.kernel(gauss, K, n=6)
    with pytest.raises(TypeError, match="function has type int"):
        subspan.kernel(3, K)
    with pytest.raises(TypeError, match="dtype"):
        subspan.kernel(lambda A, B: np.array([["x"]]), K)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_entries_that_are_no_numbers_are_refused(bad, rng):
    K = psd(rng, 0.9 ** np.arange(200))
    diagonal = K.copy()
    diagonal[3, 3] = bad
    with pytest.raises(ValueError, match=r"K must be finite, but K\[3, 3\] is"):
        subspan.pivoted_cholesky(diagonal, 5)
    K[11, 12] = K[12, 11] = bad
    for pivoting in PIVOTING:
        for form in (K, scipy.sparse.csc_array(K), Recorder(K)):
            with pytest.raises(ValueError, match="K must be finite"):
                subspan.pivoted_cholesky(form, 190, pivoting=pivoting, rng=0)


def test_errors_of_a_kernel_come_through():
    def failing(i, j):
        raise RuntimeError("no such point")

    with pytest.raises(RuntimeError, match="no such point"):
        subspan.pivoted_cholesky(subspan.kernel(failing, n=5, diag=1.0, dtype=float), 2)
    short = subspan.kernel(lambda i, j: np.ones((1, 1)), n=5, diag=1.0)
    with pytest.raises(ValueError, match=r"K\.block returned shape \(1, 1\); expected"):
        subspan.pivoted_cholesky(short, 2)
    turning = subspan.kernel(
        lambda i, j: np.ones((len(i), len(j)), complex), n=5, diag=1, dtype=float
    )
    with pytest.raises(TypeError, match="complex values although"):
        subspan.pivoted_cholesky(turning, 2)
    with pytest.raises(ValueError, match=r"K\.diag\(\) has shape"):
        bad = Recorder(np.eye(4))
        bad.diag = lambda: np.ones(3)
        subspan.pivoted_cholesky(bad, 2)


# ---------------------------------------------------------------- behaviour in use


@pytest.mark.parametrize("pivoting", PIVOTING)
def test_the_same_seed_gives_the_same_result(pivoting, rng):
    K = psd(rng, 0.95 ** np.arange(150))
    first = subspan.pivoted_cholesky(K, 40, pivoting=pivoting, rng=11)
    again = subspan.pivoted_cholesky(K, 40, pivoting=pivoting, rng=first.seed)
    assert np.array_equal(first.F, again.F)
    if pivoting != "greedy":
        other = subspan.pivoted_cholesky(K, 40, pivoting=pivoting, rng=12)
        assert not np.array_equal(first.pivots, other.pivots)
    native = subspan._native.module()
    try:
        native.set_thread_limit(1)
        one = subspan.pivoted_cholesky(K, 40, pivoting=pivoting, rng=11)
    finally:
        native.set_thread_limit(0)
    assert np.array_equal(one.pivots, first.pivots)


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_act_as_operators(dtype, rng):
    K = psd(rng, 0.6 ** np.arange(30), dtype)
    r = subspan.pivoted_cholesky(K, 12, rng=0)
    x = rng.standard_normal((30, 3)).astype(dtype)
    dense = r.toarray()
    assert r.shape == (30, 30)
    assert r.dtype == K.dtype
    tolerance = 1e3 * eps_of(K)
    np.testing.assert_allclose(r @ x, dense @ x, atol=tolerance)
    np.testing.assert_allclose(x.T @ r, x.T @ dense, atol=tolerance)
    np.testing.assert_allclose(r.T.toarray(), dense.T, atol=tolerance)
    np.testing.assert_allclose(aslinearoperator(r) @ x, dense @ x, atol=tolerance)
    np.testing.assert_allclose(aslinearoperator(r).H @ x, dense @ x, atol=tolerance)
    difference = np.linalg.norm(wide(K) - wide(dense))
    probed = subspan.error.residual(K, r, probes=30, rng=1)
    assert difference / 3 <= probed.value <= 3 * difference + tolerance
    spectral = np.linalg.norm(wide(dense), 2)
    assert subspan.error.norm(r, rng=0) == pytest.approx(spectral, rel=0.05)
    assert subspan.error.norm(r, norm="fro", rng=0) > 0


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_results_survive_files(tmp_path, rng, ending):
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    r = subspan.pivoted_cholesky(psd(rng, 0.6 ** np.arange(30)), rtol=1e-3, rng=0)
    r.save(tmp_path / f"r.{ending}")
    loaded = subspan.load(tmp_path / f"r.{ending}")
    assert np.array_equal(loaded.F, r.F)
    assert loaded.error == r.error
    assert loaded.history == r.history


def test_results_are_copied_and_printed(rng):
    r = subspan.pivoted_cholesky(psd(rng, 0.6 ** np.arange(30)), rtol=1e-3, rng=0)
    for twin in (pickle.loads(pickle.dumps(r)), copy.deepcopy(r)):
        assert np.array_equal(twin.F, r.F)
    assert len(r) == 2
    assert set(r.to_dict()) >= {"F", "pivots", "error", "plan", "seed"}
    assert repr(r).startswith(f"<PivotedCholesky: {r.rank} columns of a (30, 30) matrix")
    assert "entries evaluated" in str(r.plan)
    with pytest.raises(ValueError, match=r"K has shape \(4, 4\); expected \(30, 30\)"):
        r.error_exact(np.eye(4))
    with pytest.raises(ValueError, match="norm='spectral' is not known"):
        r.error_exact(np.eye(30), norm="spectral")


def test_progress_is_reported_and_may_stop(rng):
    K = psd(rng, 0.99 ** np.arange(200))
    seen = []
    subspan.pivoted_cholesky(K, 100, rng=0, progress=lambda *a: seen.append(a))
    assert len(seen) > 3
    assert seen[-1][0] == seen[-1][1]

    class Stop(Exception):
        pass

    def stop(done, total, info):
        if len(seen) > 0:
            seen.pop()
            return
        raise Stop

    with pytest.raises(Stop):
        subspan.pivoted_cholesky(K, 100, pivoting="rp", rng=0, progress=stop)


@pytest.mark.host_only
def test_matrices_with_a_known_spectrum_of_the_package(rng):
    A = testing.known_spectrum(200, 60, 0.7 ** np.arange(60), rng=0)
    columns = subspan.interpolative(A, 20, pivoting="rbrp", rng=0)
    r = subspan.pivoted_cholesky(A.T @ A, 20, rng=0)
    # The trace error of A^T A is the squared Frobenius error of the columns of A.
    Q = np.linalg.qr(A[:, r.pivots])[0]
    assert r.trace_error == pytest.approx(np.linalg.norm(A - Q @ (Q.T @ A)) ** 2, rel=1e-6)
    assert r.trace_error < 30 * columns.error.value**2


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_other_libraries_get_their_own_arrays(library, rng):
    xp = pytest.importorskip("torch" if library == "torch" else "jax.numpy")
    K = psd(rng, 0.7 ** np.arange(40), "float32")
    given_K = xp.from_numpy(K) if library == "torch" else xp.asarray(K)
    r = subspan.pivoted_cholesky(given_K, 10, rng=0)
    plain = subspan.pivoted_cholesky(K, 10, rng=0)
    F, S = r
    assert type(F) is type(given_K)
    assert type(S) is type(given_K)
    np.testing.assert_allclose(np.asarray(F), plain.F, atol=1e-6)
    assert type(r.interpolation()) is type(given_K)
    assert type(r.eigh().V) is type(given_K)
    assert type(r @ np.ones(40, np.float32)) is type(given_K)
    assert r.error_exact(given_K).value == pytest.approx(plain.error_exact(K).value, rel=1e-3)
    assert r.dtype == np.float32


def test_matrices_read_in_blocks_are_refused(rng):
    with pytest.raises(TypeError, match=r"K is given by blocks.*psd=True"):
        subspan.pivoted_cholesky(subspan.chunks([np.eye(4), np.eye(4)]), 2)
