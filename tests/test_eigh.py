"""Eigenpairs: identities, agreement with LAPACK, certificates, kinds of input, refusals, results."""

import pickle

import numpy as np
import pytest
import scipy.sparse
import subspan
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator

DTYPES = ["float32", "float64", "complex64", "complex128"]
METHODS = ["nystrom", "subspace", "block_krylov", "full"]


def hermitian(rng, eigenvalues, dtype="float64"):
    """Matrix with these eigenvalues and Haar eigenvectors, and the vectors."""
    n = len(eigenvalues)
    G = rng.standard_normal((n, n))
    if np.dtype(dtype).kind == "c":
        G = G + 1j * rng.standard_normal((n, n))
    Q = np.linalg.qr(G)[0]
    A = (Q * eigenvalues) @ Q.conj().T
    return ((A + A.conj().T) / 2).astype(dtype)


def wide(X):
    X = np.asarray(X)
    return X.astype(np.result_type(X.dtype, np.float64))


def eps_of(X):
    return float(np.finfo(X.dtype).eps)


def true_error(A, r):
    V = wide(r.V)
    return np.linalg.norm(wide(A) - (V * r.w) @ V.conj().T)


def alternating(n, decay):
    return decay ** np.arange(n) * (-1.0) ** np.arange(n)


# ---------------------------------------------------------------- identities


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
def test_pairs_are_orthonormal_sorted_and_signed(method, data):
    n = data.draw(st.integers(1, 40))
    k = data.draw(st.integers(0, n))
    dtype = data.draw(st.sampled_from(DTYPES))
    psd = True if method == "nystrom" else data.draw(st.booleans())
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    values = data.draw(st.sampled_from([0.5, 0.9])) ** np.arange(n)
    values[data.draw(st.integers(1, n)) :] = 0
    if not psd:
        values *= rng.choice([-1.0, 1.0], n)
    A = hermitian(rng, values, dtype)
    if data.draw(st.booleans()):
        A = np.asfortranarray(A)
    before = A.copy()
    r = subspan.eigh(A, k, psd=psd, method=method, rng=data.draw(st.integers(0, 2**64 - 1)))
    assert np.array_equal(A, before)
    w, V = r
    assert r.rank == len(w) <= k
    assert r.rank == k or r.stop_reason == "exhausted"
    assert V.shape == (n, r.rank)
    assert V.dtype == A.dtype
    assert w.dtype == A.real.dtype
    assert np.abs(V.conj().T @ V - np.eye(r.rank)).max(initial=0) <= 1e3 * eps_of(A)
    assert (np.diff(np.abs(w)) <= 0).all()
    if psd:
        assert (w >= 0).all()
    largest = V[np.abs(V).argmax(axis=0), np.arange(r.rank)]
    assert (largest.real > 0).all()
    assert np.abs(largest.imag).max(initial=0) <= 10 * eps_of(A)
    # No Ritz value exceeds the largest eigenvalue, no approximation is better than the best.
    assert np.abs(w).max(initial=0) <= 1 + 100 * n * eps_of(A)
    best = np.linalg.norm(np.sort(np.abs(values))[::-1][k:])
    error = true_error(A, r)
    assert error >= best - 100 * n * eps_of(A)
    assert error <= r.error.upper + 100 * n * eps_of(A)
    assert r.converged is True


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_agreement_with_lapack(method, dtype, rng):
    """On a decaying spectrum the leading pairs are those of numpy.linalg.eigh."""
    values = 0.5 ** np.arange(120)
    if method != "nystrom":
        values = alternating(120, 0.5)
    A = hermitian(rng, values, dtype)
    r = subspan.eigh(
        A, 8, psd=method == "nystrom", method=method, oversampling=32, power_iterations=4, rng=1
    )
    exact, vectors = np.linalg.eigh(wide(A))
    order = np.argsort(-np.abs(exact))[:8]
    np.testing.assert_allclose(r.w, exact[order], atol=100 * eps_of(A), rtol=0)
    overlaps = np.abs(np.sum(vectors[:, order].conj() * wide(r.V), axis=0))
    np.testing.assert_allclose(overlaps, 1, atol=2e4 * eps_of(A))
    residual = np.linalg.norm(wide(A) @ wide(r.V) - wide(r.V) * r.w, axis=0)
    assert residual.max() <= 2e3 * eps_of(A)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nystrom_lies_below_the_matrix(dtype, rng):
    """0 <= approximation <= A, up to the shift; a wider test matrix never hurts on average."""
    A = hermitian(rng, 1 / (1 + np.arange(100.0)) ** 2, dtype)
    r = subspan.eigh(A, 20, psd=True, method="nystrom", power_iterations=0, rng=0)
    low = np.linalg.eigvalsh(wide(A) - wide(r.toarray()))[0]
    assert low >= -100 * max(r.plan.choices["shift"], eps_of(A))
    exact = np.linalg.eigvalsh(wide(A))[::-1][:20]
    assert (r.w <= exact * (1 + 100 * eps_of(A)) + 100 * eps_of(A)).all()


@pytest.mark.host_only
def test_nystrom_error_in_expectation(rng):
    """E |A - approximation|_* <= (1 + k / (l - k - 1)) sum of the eigenvalues left (HMT, Gittens)."""
    values = 1 / (1 + np.arange(150.0)) ** 1.5
    A = hermitian(rng, values)
    k, size = 10, 25
    errors = []
    for seed in range(40):
        r = subspan.eigh(
            A,
            size,
            psd=True,
            method="nystrom",
            power_iterations=0,
            oversampling=0,
            sketch="gaussian",
            rng=seed,
        )
        errors.append(np.trace(A) - r.w.sum())
    assert np.mean(errors) <= (1 + k / (size - k - 1)) * values[k:].sum()
    assert min(errors) >= values[size:].sum() * (1 - 1e-9)


@pytest.mark.host_only
@pytest.mark.parametrize("method", ["nystrom", "subspace"])
def test_power_iterations_bring_the_error_to_the_best(method, rng):
    values = 1 / np.sqrt(1 + np.arange(300.0))
    A = hermitian(rng, values)
    best = np.linalg.norm(values[20:])

    def mean(q):
        runs = [
            true_error(A, subspan.eigh(A, 20, psd=True, method=method, power_iterations=q, rng=s))
            for s in range(5)
        ]
        return np.mean(runs)

    errors = [mean(q) for q in range(4)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] <= 1.01 * best


# ---------------------------------------------------------------- certificates


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_error_of_ritz_pairs_is_exact(dtype, rng):
    """||A||^2 - sum w^2 where it has digits, else an estimate with its upper bound."""
    A = hermitian(rng, alternating(150, 0.9), dtype)
    r = subspan.eigh(A, 15, method="subspace", rng=0)
    assert r.error.kind == "exact"
    assert r.error.value == pytest.approx(true_error(A, r), rel=1e-3)
    assert r.error.relative == pytest.approx(r.error.value / np.linalg.norm(wide(A)), rel=1e-4)
    assert r.error_exact(A).value == pytest.approx(true_error(A, r), rel=1e-3)
    deep = hermitian(rng, np.append(np.ones(5), 1e-9 * np.ones(145)), dtype)
    r = subspan.eigh(deep, 5, method="subspace", rng=0)
    assert r.error.kind == "estimate"
    assert true_error(deep, r) <= r.error.upper + 100 * eps_of(deep)


@pytest.mark.host_only
@pytest.mark.parametrize("kind", ["dense", "operator"])
def test_the_estimate_of_nystrom_is_unbiased_and_its_bound_holds(kind, rng):
    A = hermitian(rng, 0.95 ** np.arange(200))
    given_A = A if kind == "dense" else aslinearoperator(A)
    ratios, held = [], []
    for seed in range(60):
        r = subspan.eigh(given_A, 20, psd=True, method="nystrom", rng=seed)
        assert r.error.kind == "estimate"
        ratios.append(r.error.value**2 / true_error(A, r) ** 2)
        held.append(true_error(A, r) <= r.error.upper)
    assert np.mean(ratios) == pytest.approx(1, abs=4 * np.std(ratios) / np.sqrt(60))
    assert all(held)


def test_the_whole_decomposition_knows_what_it_drops(rng):
    A = hermitian(rng, alternating(60, 0.8))
    r = subspan.eigh(A, 50, rng=0)
    assert r.plan.choices["method"] == "full"
    assert r.error.kind == "exact"
    assert r.error.value == pytest.approx(np.linalg.norm(0.8 ** np.arange(50, 60)), rel=1e-6)


# ---------------------------------------------------------------- kinds of input


@pytest.mark.parametrize("method", ["nystrom", "subspace"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_sparse_and_operator_agree(method, dtype, rng):
    A = hermitian(rng, 0.6 ** np.arange(90), dtype)
    A[np.abs(A) < 1e-3] = 0
    psd = method == "nystrom"
    A += 0.01 * np.eye(90, dtype=dtype)
    plain = subspan.eigh(A, 6, psd=psd, method=method, power_iterations=4, rng=0)
    forms = [scipy.sparse.csr_array(A), scipy.sparse.coo_matrix(A), aslinearoperator(A)]
    forms.append(LinearOperator(A.shape, matvec=lambda x: A @ x, dtype=A.dtype))
    for form in forms:
        r = subspan.eigh(form, 6, psd=psd, method=method, power_iterations=4, rng=0)
        np.testing.assert_allclose(r.w, plain.w, rtol=2e-3)
    with pytest.raises(TypeError, match="method='full' needs all of A in memory"):
        subspan.eigh(aslinearoperator(A), 6, method="full")


@pytest.mark.parametrize("psd", [False, True])
@pytest.mark.parametrize("sketch", ["gaussian", "rademacher", "sparse_sign", "countsketch", "srht"])
def test_every_test_matrix_serves(psd, sketch, rng):
    A = hermitian(rng, 0.7 ** np.arange(100))
    for q in (0, 2):
        r = subspan.eigh(
            A,
            10,
            psd=psd,
            method="nystrom" if psd else "subspace",
            sketch=sketch,
            power_iterations=q,
            rng=3,
        )
        assert r.error.upper <= (20 if q == 0 else 4) * np.linalg.norm(0.7 ** np.arange(10, 100))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [2.0**-600, 2.0**500])
def test_scales_near_the_ends_of_the_range(method, scale, rng):
    A = hermitian(rng, 0.5 ** np.arange(70))
    plain = subspan.eigh(A, 5, psd=True, method=method, rng=0)
    scaled = subspan.eigh(A * scale, 5, psd=True, method=method, rng=0)
    np.testing.assert_allclose(scaled.w / scale, plain.w, rtol=1e-10)
    np.testing.assert_allclose(scaled.V, plain.V, atol=1e-6)
    assert scaled.error.relative == pytest.approx(plain.error.relative, rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_ends(method):
    psd = method == "nystrom"
    zero = subspan.eigh(np.zeros((6, 6)), 3, psd=psd, method=method, rng=0)
    assert np.array_equal(zero.w, np.zeros(3))
    assert np.array_equal(zero.V.T @ zero.V, np.eye(3))
    assert zero.error.value == 0
    none = subspan.eigh(2 * np.eye(4), 0, psd=psd, method=method, rng=0)
    assert none.V.shape == (4, 0)
    assert none.error.value == pytest.approx(4)
    assert subspan.eigh(np.zeros((0, 0)), 0, psd=psd, method=method).V.shape == (0, 0)
    w, V = subspan.eigh(np.array([[3.0]]), 1, psd=psd, method=method, rng=0)
    np.testing.assert_allclose(w, [3.0])
    np.testing.assert_allclose(V, [[1.0]])
    whole = subspan.eigh(np.eye(20), 20, psd=psd, method=method, rng=0)
    np.testing.assert_allclose(whole.w, np.ones(20), rtol=1e-12)
    low = np.outer(np.arange(9.0), np.arange(9.0))
    r = subspan.eigh(low, 4, psd=psd, method=method, rng=0)
    assert r.w[0] == pytest.approx(204)
    assert np.abs(r.w[1:]).max(initial=0) < 1e-11
    assert subspan.eigh(np.eye(5, dtype=int), 2, psd=psd, method=method, rng=0).w.dtype == float


# ---------------------------------------------------------------- fallbacks and refusals


def test_a_core_that_is_not_definite_is_cut(rng):
    """Small negative eigenvalues beyond what the shift covers: the eigenvalues near zero are cut."""
    values = np.append(0.3 ** np.arange(12), -1e-8 * np.ones(48))
    A = hermitian(rng, values)
    r = subspan.eigh(A, 20, psd=True, method="nystrom", rng=0)
    assert r.plan.choices["shift"] == 0
    assert r.stop_reason == "exhausted"
    assert 8 <= r.rank < 20
    assert true_error(A, r) < 1e-3
    shifted = hermitian(rng, np.append(0.3 ** np.arange(12), -1e-13 * np.ones(48)))
    r = subspan.eigh(shifted, 20, psd=True, method="nystrom", rng=0)
    assert r.plan.choices["shift"] > 1e-14
    assert true_error(shifted, r) < 1e-7


@pytest.mark.parametrize("method", METHODS)
def test_indefinite_matrices_are_refused_as_semidefinite(method, rng):
    A = hermitian(rng, alternating(60, 0.8))
    with pytest.raises(np.linalg.LinAlgError, match=r"not positive semidefinite.*psd=False"):
        subspan.eigh(A, 10, psd=True, method=method, rng=0)


@pytest.mark.parametrize("method", METHODS)
def test_matrices_that_are_not_hermitian_are_refused(method, rng):
    psd = method == "nystrom"
    A = hermitian(rng, 0.8 ** np.arange(60))
    with pytest.raises(ValueError, match="A must be Hermitian"):
        subspan.eigh(np.triu(A), 10, psd=psd, method=method, rng=0)
    B = hermitian(rng, 0.8 ** np.arange(60), "complex128")
    with pytest.raises(ValueError, match="A must be Hermitian"):
        subspan.eigh(1j * B, 10, psd=psd, method=method, rng=0)
    if method != "full":
        with pytest.raises(ValueError, match="A must be Hermitian"):
            subspan.eigh(aslinearoperator(np.triu(A)), 10, psd=psd, method=method, rng=0)


def test_bad_arguments_are_refused_by_name():
    A = np.eye(6)
    for kwargs, error, match in [
        ({"rank": 7}, ValueError, r"rank=7 must lie in \[0, 6\]"),
        ({"rank": 1.5}, TypeError, "rank has type float"),
        ({"rank": None}, TypeError, "rank"),
        ({"rank": 2, "method": "qr"}, ValueError, "method='qr' is not known"),
        ({"rank": 2, "method": "nystrom"}, ValueError, "needs a positive semidefinite A: psd=True"),
        ({"rank": 2, "sketch": "none"}, ValueError, "sketch='none' is not known"),
        ({"rank": 2, "sketch": None}, ValueError, "sketch=None"),
        ({"rank": 2, "power_iterations": -1}, ValueError, "power_iterations=-1"),
        ({"rank": 2, "power_iterations": "all"}, ValueError, "power_iterations='all'"),
        ({"rank": 2, "oversampling": -2}, ValueError, "oversampling=-2"),
        ({"rank": 2, "rng": "x"}, TypeError, "rng has type str"),
    ]:
        with pytest.raises(error, match=match):
            subspan.eigh(A, **kwargs)
    with pytest.raises(ValueError, match=r"A must be square, got shape \(3, 4\)"):
        subspan.eigh(np.ones((3, 4)), 2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_entries_that_are_no_numbers_are_refused(method, bad, rng):
    A = hermitian(rng, 0.8 ** np.arange(50))
    A[3, 4] = A[4, 3] = bad
    for form in (A, scipy.sparse.csr_array(A)):
        with pytest.raises(ValueError, match=r"NaN or infinite|must be finite"):
            subspan.eigh(form, 5, psd=method == "nystrom", method=method, rng=0)


# ---------------------------------------------------------------- behaviour in use


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_result(method, rng):
    A = hermitian(rng, 0.9 ** np.arange(100))
    kwargs = {"psd": method == "nystrom", "method": method}
    first = subspan.eigh(A, 10, rng=np.random.default_rng(5), **kwargs)
    again = subspan.eigh(A, 10, rng=first.seed, **kwargs)
    assert np.array_equal(first.V, again.V)
    native = subspan._native.module()
    try:
        native.set_thread_limit(1)
        one = subspan.eigh(A, 10, rng=first.seed, **kwargs)
    finally:
        native.set_thread_limit(0)
    np.testing.assert_allclose(one.w, first.w, rtol=1e-12)


def test_choices_are_told(rng):
    A = hermitian(rng, 0.9 ** np.arange(400))
    semidefinite = subspan.eigh(A, 10, psd=True, rng=0)
    assert semidefinite.plan.choices["method"] == "nystrom"
    assert semidefinite.plan.passes == 3
    assert subspan.eigh(A, 10, psd=True, power_iterations=0, rng=0).plan.passes == 1
    general = subspan.eigh(A, 10, rng=0)
    assert general.plan.choices["method"] == "subspace"
    assert general.plan.passes == 6
    assert "costs less" in subspan.eigh(A, 390, rng=0).plan.reasons["method"]
    seen = []
    subspan.eigh(A, 10, rng=0, progress=lambda *a: seen.append(a))
    assert seen[-1][:2] == (2, 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_act_as_operators(dtype, rng, tmp_path):
    A = hermitian(rng, alternating(40, 0.5), dtype)
    r = subspan.eigh(A, 12, rng=0)
    dense = r.toarray()
    x = rng.standard_normal((40, 3)).astype(dtype)
    close = {"atol": 100 * eps_of(A)}
    np.testing.assert_allclose(dense, (r.V * r.w) @ r.V.conj().T, **close)
    np.testing.assert_allclose(r @ x, dense @ x, **close)
    np.testing.assert_allclose(x.T @ r, x.T @ dense, **close)
    np.testing.assert_allclose(r.T.toarray(), dense.T, **close)
    np.testing.assert_allclose(aslinearoperator(r).H @ x, dense.conj().T @ x, **close)
    assert r.shape == (40, 40)
    assert r.dtype == A.dtype
    probed = subspan.error.residual(A, r, probes=40, rng=1)
    assert probed.value <= 3 * true_error(A, r) + 100 * eps_of(A)
    assert subspan.error.norm(r, rng=0) == pytest.approx(1, rel=0.02)
    r.save(tmp_path / "r.npz")
    assert np.array_equal(subspan.load(tmp_path / "r.npz").V, r.V)
    assert np.array_equal(pickle.loads(pickle.dumps(r)).w, r.w)
    assert repr(r).startswith("<EighResult: 12 eigenpairs of a (40, 40) matrix")
    assert len(r) == 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_eigenpairs_of_a_pivoted_cholesky_factorization(dtype, rng):
    K = hermitian(rng, 0.6 ** np.arange(50), dtype)
    r = subspan.pivoted_cholesky(K, 20, rng=0)
    pairs = r.eigh()
    np.testing.assert_allclose(pairs.toarray(), r.toarray(), atol=100 * eps_of(K))
    np.testing.assert_allclose(pairs.V.conj().T @ pairs.V, np.eye(20), atol=100 * eps_of(K))
    assert (np.diff(pairs.w) <= 0).all()
    assert pairs.w[0] == pytest.approx(1, rel=1e-2)
    assert pairs.error == r.error
    assert pairs.dtype == K.dtype
    assert pairs.w.dtype == K.real.dtype
    empty = subspan.pivoted_cholesky(K, 0).eigh()
    assert empty.V.shape == (50, 0)


@pytest.mark.parametrize("psd", [False, True])
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_other_libraries_get_their_own_arrays(library, psd, rng):
    xp = pytest.importorskip("torch" if library == "torch" else "jax.numpy")
    A = hermitian(rng, 0.7 ** np.arange(60), "float32")
    given_A = xp.from_numpy(A) if library == "torch" else xp.asarray(A)
    r = subspan.eigh(given_A, 10, psd=psd, rng=0)
    w, V = r
    assert type(w) is type(V) is type(given_A)
    np.testing.assert_allclose(np.asarray(w), subspan.eigh(A, 10, psd=psd, rng=0).w, atol=1e-6)
    assert type(r.toarray()) is type(given_A)


@pytest.mark.parametrize("psd", [False, True])
def test_a_matrix_read_in_blocks(psd, rng):
    A = hermitian(rng, 0.7 ** np.arange(90))
    blocks = subspan.chunks([A[:40], A[40:70], A[70:]])
    r = subspan.eigh(blocks, 8, psd=psd, rng=0)
    assert r.plan.passes == blocks.passes == (3 if psd else 6)
    np.testing.assert_allclose(r.w, 0.7 ** np.arange(8), rtol=1e-3)
    with pytest.raises(TypeError, match="all of A in memory"):
        subspan.eigh(blocks, 8, method="full")
