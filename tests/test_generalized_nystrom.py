"""Generalised Nyström: identities, error, certificate, kinds of input, refusals."""

import numpy as np
import pytest
import scipy.sparse
import subspan
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator
from subspan import testing

DTYPES = ["float32", "float64", "complex64", "complex128"]
SKETCHES = ["gaussian", "rademacher", "sparse_sign", "countsketch", "srht"]


def wide(X):
    X = np.asarray(X)
    return X.astype(np.result_type(X.dtype, np.float64))


def eps_of(X):
    return float(np.finfo(X.dtype).eps)


def matrix(rng, m, n, sigma, dtype="float64"):
    """Matrix with these singular values."""

    def basis(size):
        G = rng.standard_normal((size, len(sigma)))
        if np.dtype(dtype).kind == "c":
            G = G + 1j * rng.standard_normal(G.shape)
        return np.linalg.qr(G)[0]

    return ((basis(m) * sigma) @ basis(n).conj().T).astype(dtype)


def true_error(A, r):
    return np.linalg.norm(wide(A) - (wide(r.U) * r.s) @ wide(r.Vh))


@given(data=st.data())
def test_a_singular_value_decomposition_of_low_rank(data):
    m, n = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    k = data.draw(st.integers(0, min(m, n)))
    dtype = data.draw(st.sampled_from(DTYPES))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    sigma = data.draw(st.sampled_from([0.4, 0.9])) ** np.arange(min(m, n))
    sigma[data.draw(st.integers(1, min(m, n))) :] = 0
    A = matrix(rng, m, n, sigma, dtype)
    before = A.copy()
    r = subspan.generalized_nystrom(A, k, rng=data.draw(st.integers(0, 2**64 - 1)))
    assert np.array_equal(A, before)
    U, s, Vh = r
    assert (U.shape, s.shape, Vh.shape) == ((m, k), (k,), (k, n))
    assert U.dtype == Vh.dtype == A.dtype
    assert s.dtype == A.real.dtype
    assert np.abs(U.conj().T @ U - np.eye(k)).max(initial=0) <= 1e3 * eps_of(A)
    assert np.abs(Vh @ Vh.conj().T - np.eye(k)).max(initial=0) <= 1e3 * eps_of(A)
    assert (np.diff(s) <= 0).all()
    assert (s >= 0).all()
    error, best = true_error(A, r), np.linalg.norm(sigma[k:])
    assert error >= best - 100 * max(m, n) * eps_of(A)
    assert r.shape == A.shape
    assert r.error.kind == ("estimate" if k else "exact")


@pytest.mark.parametrize("sketch", SKETCHES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_on_low_rank_whatever_the_condition(sketch, dtype, rng):
    """Rank 12 with singular values over 10 decades: no power of the condition enters."""
    sigma = 10.0 ** -np.linspace(0, 10, 12)
    A = matrix(rng, 150, 110, sigma, dtype)
    r = subspan.generalized_nystrom(A, 12, sketch=sketch, rng=0)
    assert true_error(A, r) <= 300 * eps_of(A)
    np.testing.assert_allclose(r.s, sigma, atol=300 * eps_of(A), rtol=0)
    assert r.error.upper <= 3e3 * eps_of(A)


@pytest.mark.host_only
@pytest.mark.parametrize("shape", [(300, 200), (120, 400)])
def test_error_in_expectation(shape, rng):
    """E |A - A_l|^2 <= (1 + l/(s - l - 1)) (1 + k/(l - k - 1)) best_k^2 for Gaussian sketches."""
    sigma = 1 / (1 + np.arange(100.0))
    A = matrix(rng, *shape, sigma)
    k, size, rows = 10, 30, 45
    squares = [
        true_error(
            A, subspan.generalized_nystrom(A, size, oversampling=0, sketch="gaussian", rng=seed)
        )
        ** 2
        for seed in range(40)
    ]
    factor = (1 + size / (rows - size - 1)) * (1 + k / (size - k - 1))
    assert np.mean(squares) <= factor * (sigma[k:] ** 2).sum()
    truncated = [
        true_error(A, subspan.generalized_nystrom(A, k, oversampling=size - k, rng=seed))
        for seed in range(20)
    ]
    assert np.mean(truncated) <= 3 * np.linalg.norm(sigma[k:])


@pytest.mark.host_only
@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array, aslinearoperator])
def test_the_estimate_is_unbiased_and_its_bound_holds(form, rng):
    A = matrix(rng, 150, 120, 0.95 ** np.arange(120))
    ratios, held = [], []
    for seed in range(60):
        r = subspan.generalized_nystrom(form(A), 20, rng=seed)
        error = true_error(A, r)
        ratios.append(r.error.value**2 / error**2)
        held.append(error <= r.error.upper)
    assert np.mean(ratios) == pytest.approx(1, abs=4 * np.std(ratios) / np.sqrt(60))
    assert all(held)


@pytest.mark.parametrize("dtype", DTYPES)
def test_kinds_of_input_agree(dtype, rng):
    A = matrix(rng, 90, 70, 0.5 ** np.arange(70), dtype)
    plain = subspan.generalized_nystrom(A, 8, sketch="gaussian", rng=0)
    padded = np.zeros((90, 100), dtype)
    padded[:, :70] = A
    for form in (
        np.asfortranarray(A),
        padded[:, :70],
        scipy.sparse.csc_array(A),
        aslinearoperator(A),
    ):
        r = subspan.generalized_nystrom(form, 8, sketch="gaussian", rng=0)
        np.testing.assert_allclose(r.toarray(), plain.toarray(), atol=1e3 * eps_of(A))
    assert plain.plan.passes == 2
    assert plain.plan.choices["sketch size"] == "22 and 33"


def test_the_ends(rng):
    zero = subspan.generalized_nystrom(np.zeros((7, 5)), 2, rng=0)
    assert np.array_equal(zero.s, np.zeros(2))
    assert zero.error.value == 0
    none = subspan.generalized_nystrom(np.eye(4), 0)
    assert none.error.value == pytest.approx(2)
    assert subspan.generalized_nystrom(np.zeros((0, 5)), 0).U.shape == (0, 0)
    row = subspan.generalized_nystrom(np.ones((1, 9)), 1, rng=0)
    np.testing.assert_allclose(row.toarray(), np.ones((1, 9)), rtol=1e-12)
    whole = subspan.generalized_nystrom(np.arange(12).reshape(4, 3), 3, rng=0)
    np.testing.assert_allclose(whole.toarray(), np.arange(12).reshape(4, 3), atol=1e-10)
    A = matrix(rng, 60, 50, 0.5 ** np.arange(50))
    plain = subspan.generalized_nystrom(A, 5, rng=0)
    for scale in (2.0**-600, 2.0**500):
        scaled = subspan.generalized_nystrom(A * scale, 5, rng=0)
        np.testing.assert_allclose(scaled.s / scale, plain.s, rtol=1e-10)
        assert scaled.error.relative == pytest.approx(plain.error.relative)


def test_bad_arguments_are_refused_by_name(rng):
    A = matrix(rng, 20, 10, np.ones(10))
    for kwargs, error, match in [
        ({"rank": 11}, ValueError, r"rank=11 must lie in \[0, 10\]"),
        ({"rank": "2"}, TypeError, "rank has type str"),
        ({"rank": 2, "oversampling": -1}, ValueError, "oversampling=-1"),
        ({"rank": 2, "sketch": "best"}, ValueError, "sketch='best' is not known"),
        ({"rank": 2, "sketch": None}, ValueError, "sketch=None"),
    ]:
        with pytest.raises(error, match=match):
            subspan.generalized_nystrom(A, **kwargs)
    A[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"A\[3, 4\] is nan"):
        subspan.generalized_nystrom(A, 2)


def test_a_seed_repeats_and_progress_is_told(rng):
    A = testing.known_spectrum(80, 60, 0.8 ** np.arange(60), rng=0)
    seen = []
    first = subspan.generalized_nystrom(A, 6, rng=rng, progress=lambda *a: seen.append(a))
    again = subspan.generalized_nystrom(A, 6, rng=first.seed)
    assert np.array_equal(first.U, again.U)
    assert seen[-1][:2] == (2, 2)
    assert subspan.error.residual(A, first, rng=1).value == pytest.approx(
        true_error(A, first), rel=1
    )


def test_other_libraries_and_blocks(rng):
    torch = pytest.importorskip("torch")
    A = matrix(rng, 80, 50, 0.6 ** np.arange(50))
    plain = subspan.generalized_nystrom(A, 6, rng=0)
    r = subspan.generalized_nystrom(torch.from_numpy(A), 6, rng=0)
    assert isinstance(r.U, torch.Tensor)
    np.testing.assert_allclose(r.toarray().numpy(), plain.toarray(), atol=1e-12)
    blocks = subspan.chunks([A[:30], A[30:]])
    r = subspan.generalized_nystrom(blocks, 6, rng=0)
    assert r.plan.passes == blocks.passes == 2
    np.testing.assert_allclose(r.toarray(), plain.toarray(), atol=1e-12)
