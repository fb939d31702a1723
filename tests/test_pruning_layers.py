"""Low rank, attention heads, queries and keys, budgets over layers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from subspan import pruning
from subspan.pruning import allocate_budget, gram, low_rank, qk_reduce, qk_scores, redundant_heads

pytestmark = pytest.mark.host_only


# ---------------------------------------------------------------- low rank


@pytest.fixture
def layer(rng):
    X = rng.standard_normal((500, 20)) * np.geomspace(1, 1e-2, 20)
    return X @ np.linalg.qr(rng.standard_normal((20, 20)))[0], rng.standard_normal((12, 20))


def lost(X, W, r):
    return ((X @ (W - r.toarray()).T) ** 2).sum() / ((X @ W.T) ** 2).sum()


def test_whitening_loses_the_discarded_singular_values_and_no_more(layer, rng):
    X, W = layer
    s = np.linalg.svd(X @ W.T, compute_uv=False) ** 2
    r = low_rank(W, 5, gram(X), rng=0)
    np.testing.assert_allclose(r.predicted.relative, s[5:].sum() / s.sum(), rtol=1e-8)
    np.testing.assert_allclose(lost(X, W, r), r.predicted.relative, rtol=1e-8)
    for weighting in ("none", "asvd", "fisher"):
        other = low_rank(W, 5, gram(X), weighting=weighting, fisher=rng.random(20) + 0.1, rng=0)
        np.testing.assert_allclose(lost(X, W, other), other.predicted.relative, rtol=1e-8)
        assert other.predicted.relative >= r.predicted.relative
    for _ in range(20):
        A = rng.standard_normal((12, 5))
        B = np.linalg.lstsq(A, W)[0]
        assert ((X @ (W - A @ B).T) ** 2).sum() / s.sum() >= r.predicted.relative


def test_inputs_of_low_rank_need_no_shift_and_plain_is_the_svd(rng):
    X = rng.standard_normal((50, 3)) @ rng.standard_normal((3, 10))
    W = rng.standard_normal((8, 10)).astype(np.float32)
    r = low_rank(W, 3, gram(X), rng=0)
    assert r.predicted.relative < 1e-10
    assert r.dtype == np.float32
    plain = low_rank(W, 4, weighting="none", rng=0)
    s = np.linalg.svd(W.astype(float), compute_uv=False)
    np.testing.assert_allclose(
        np.linalg.norm(W - plain.toarray()), np.linalg.norm(s[4:]), rtol=1e-5
    )
    assert plain.predicted is None
    with pytest.raises(ValueError, match="moments must be given"):
        low_rank(W, 3)
    with pytest.raises(ValueError, match="fisher must be"):
        low_rank(W, 3, weighting="fisher", fisher=np.zeros(10))
    with pytest.raises(ValueError, match="rank=9"):
        low_rank(W, 9, gram(X))


# ---------------------------------------------------------------- heads


def attention(rng, sequences, heads, length):
    logits = 2 * rng.standard_normal((sequences, heads, length, length))
    logits = np.where(np.tri(length, dtype=bool), logits, -np.inf)
    P = np.exp(logits - logits.max(-1, keepdims=True))
    return P / P.sum(-1, keepdims=True)


def test_divergences_are_those_of_scipy_and_stream(rng):
    P = attention(rng, 4, 3, 6)
    rows = P.transpose(1, 0, 2, 3).reshape(3, -1, 6)
    expected = np.array([[jensenshannon(a, b, axis=1) for b in rows] for a in rows])
    np.testing.assert_allclose(pruning.head_divergence([P[:1], P[1:]]), expected.mean(2), atol=1e-7)
    js = pruning.head_divergence([P], kind="js")
    np.testing.assert_allclose(js, (expected**2).mean(2), atol=1e-12)
    parts = [pruning.HeadDivergence(3).update(p) for p in (P[:2], P[2:])]
    np.testing.assert_allclose(parts[0].merge(parts[1]).matrix(), expected.mean(2), atol=1e-7)
    padded = np.concatenate([P, np.zeros((1, 3, 6, 6))])
    np.testing.assert_allclose(pruning.head_divergence([padded]), expected.mean(2), atol=1e-7)
    assert (np.diagonal(js) == 0).all()
    assert js.max() <= np.log(2)


def test_one_of_every_similar_pair_stays():
    D = np.full((4, 4), 0.5)
    D[0, 1] = D[1, 0] = 0.10
    D[1, 2] = D[2, 1] = 0.12
    np.fill_diagonal(D, 0)
    assert redundant_heads(D, tau=0.16).tolist() == [0, 1]
    assert redundant_heads(D, tau=0.11).tolist() == [0]
    # Head 1 goes in favour of 0; 2, whose only partner is gone, stays.
    assert redundant_heads(D, tau=0.16, scores=[2.0, 1.0, 3.0, 4.0]).tolist() == [1]
    assert redundant_heads(D, n_remove=1).tolist() == [0]
    assert len(redundant_heads(D, n_remove=3)) == 3
    assert redundant_heads(D, tau=0.01).tolist() == []
    with pytest.raises(ValueError, match="exactly one"):
        redundant_heads(D)
    with pytest.raises(ValueError, match="symmetric"):
        redundant_heads(np.triu(D), tau=0.1)


def test_duplicated_heads_that_write_differently_are_merged_by_the_output_matrix(rng):
    mixed = rng.standard_normal((200, 6))  # what both heads attend to
    V, U = rng.standard_normal((2, 4, 6))
    H = np.c_[mixed @ V.T, mixed @ (rng.standard_normal((4, 4)) @ V).T, mixed @ U.T]
    W = rng.standard_normal((5, 12))
    groups = pruning.head_units(3, 3, 4)
    r = pruning.prune_units(W, gram(H), 2, method="obs", groups=groups, damping=1e-9)
    assert r.predicted.relative < 1e-8
    assert set(range(8, 12)) <= set(r.keep)  # one of the first two heads is a map of the other


@pytest.mark.parametrize(
    "method", [*pruning.select.SCORED[1:5], "id", "weighted_id", "output", "obs"]
)
def test_the_order_of_the_heads_does_not_matter(rng, method):
    H = rng.standard_normal((300, 20)) @ rng.standard_normal((20, 20))
    W, order = rng.standard_normal((7, 20)), np.array([3, 0, 4, 1, 2])
    channels = (order[:, None] * 4 + np.arange(4)).ravel()  # where each comes from
    groups = pruning.head_units(5, 5, 4)
    a = pruning.prune_units(W, gram(H), 3, method=method, groups=groups, damping=0.1)
    b = pruning.prune_units(
        W[:, channels], gram(H[:, channels]), 3, method=method, groups=groups, damping=0.1
    )
    assert sorted(channels[b.keep]) == a.keep.tolist()
    np.testing.assert_allclose(b.predicted.relative, a.predicted.relative, rtol=1e-9)


def test_groups_of_shared_keys_and_legal_counts():
    assert [g.tolist() for g in pruning.head_units(4, 2, 2)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert pruning.legal_head_counts(9, 3) == [3, 6, 9]
    assert pruning.legal_head_counts(32, 8) == [4, 8, 12, 16, 20, 24, 28, 32]
    with pytest.raises(ValueError, match="multiple of kv_heads"):
        pruning.legal_head_counts(9, 2)


# ---------------------------------------------------------------- queries and keys


def test_queries_and_keys_of_full_rank_keep_the_logits_and_lower_ones_are_best(rng):
    X = rng.standard_normal((300, 10)) @ rng.standard_normal((10, 10))
    Wq, Wk = rng.standard_normal((2, 4, 10))
    S = X.T @ X / 300
    Q, K = qk_reduce(Wq, Wk, gram(X), 4)
    np.testing.assert_allclose(Q.T @ K, Wq.T @ Wk, rtol=1e-8, atol=1e-8)
    L = np.linalg.cholesky(S)
    cost = lambda Q, K: np.linalg.norm(L.T @ (Wq.T @ Wk - Q.T @ K) @ L) ** 2  # noqa: E731
    s = np.linalg.svd(L.T @ Wq.T @ Wk @ L, compute_uv=False) ** 2
    Q, K = qk_reduce(Wq, Wk, S, 2)
    np.testing.assert_allclose(cost(Q, K), s[2:].sum(), rtol=1e-8)
    # A model of fewer channels divides by their root: with the factor of the docstring nothing changes.
    scaled = (np.sqrt(2 / 4) * Q @ X.T).T @ (K @ X.T) / np.sqrt(2)
    np.testing.assert_allclose(scaled, (Q @ X.T).T @ (K @ X.T) / np.sqrt(4), rtol=1e-9, atol=1e-9)
    best = np.argsort(qk_scores(Wq, Wk, S))[2:]
    assert cost(Wq[best], Wk[best]) >= cost(Q, K)


def test_scores_of_query_key_channels_are_second_moments_of_independent_tokens(rng):
    X, Y = rng.standard_normal((2, 40, 5))
    Wq, Wk = rng.standard_normal((2, 3, 5))
    Z = np.concatenate([X, Y])
    logits = np.einsum("ic,jc->cij", Z @ Wq.T, Z @ Wk.T)
    np.testing.assert_allclose(qk_scores(Wq, Wk, gram(Z)), (logits**2).mean((1, 2)))


# ---------------------------------------------------------------- values, residual stream


def test_values_and_output_of_a_head_keep_the_best_subspace(rng):
    X = rng.standard_normal((300, 10)) @ rng.standard_normal((10, 10))
    Wv, Wo = rng.standard_normal((6, 10)), rng.standard_normal((9, 6))
    c = X @ Wv.T
    R = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    V, W, predicted = pruning.vo_reduce(Wv, Wo, gram(c), 4, rng=0)
    # Turning the channels changes neither the head nor what is found.
    turned = pruning.vo_reduce(R.T @ Wv, Wo @ R, gram(c @ R), 4, rng=0)
    np.testing.assert_allclose(turned[1] @ turned[0], W @ V, rtol=1e-6, atol=1e-8)
    s = np.linalg.svd(c @ Wo.T, compute_uv=False) ** 2
    np.testing.assert_allclose(predicted.relative, s[4:].sum() / s.sum(), rtol=1e-8)
    lost = ((c @ Wo.T - X @ V.T @ W.T) ** 2).sum()
    np.testing.assert_allclose(lost / s.sum(), predicted.relative, rtol=1e-8)
    subset = pruning.prune_units(Wo, gram(c), 4, method="obs", damping=1e-9)
    assert predicted.relative <= subset.predicted.relative


def test_the_rotation_loses_the_trailing_eigenvalues(rng):
    X, T = (rng.standard_normal((n, 8)) * np.geomspace(1, 0.01, 8) for n in (200, 100))
    r = pruning.slice_rotation(gram(X), 5, held_out=gram(T))
    Q, values = r
    np.testing.assert_allclose(Q.T @ Q, np.eye(5), atol=1e-12)
    for rows, share in ((X, r.relative), (T, r.held_out)):
        exact = ((rows - rows @ Q @ Q.T) ** 2).sum() / (rows**2).sum()
        np.testing.assert_allclose(share, exact, rtol=1e-6)
    assert (np.diff(values) <= 0).all()
    assert pruning.slice_rotation(gram(X), 8).relative == 0


# ---------------------------------------------------------------- budgets


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    sparsity=st.floats(0, 0.8),
    multiple_of=st.sampled_from([1, 4, 8]),
    rule=st.sampled_from(["uniform", "global", "standardized"]),
)
def test_budgets_are_legal_and_met_as_far_as_allowed(sizes, sparsity, multiple_of, rule):
    rng = np.random.default_rng(len(sizes))
    losses, costs = [rng.random(m) for m in sizes], rng.random(len(sizes)) + 0.5
    kept = allocate_budget(
        losses, sparsity, unit_costs=costs, rule=rule, min_keep=0.2, multiple_of=multiple_of
    )
    least = [allocate_budget([x], 1, min_keep=0.2, multiple_of=multiple_of)[0] for x in losses]
    for k, m, low in zip(kept, sizes, least, strict=True):
        assert low <= k <= m
        assert k == m or k % multiple_of == 0
    removed = sum(c * (m - k) for c, m, k in zip(costs, sizes, kept, strict=True))
    if rule != "uniform" and kept != least:
        total = sum(c * m for c, m in zip(costs, sizes, strict=True))
        assert removed >= sparsity * total * (1 - 1e-9)


def test_global_budgets_spare_the_sensitive_layer_and_count_costs():
    cheap, dear = np.ones(10), 100 * np.ones(10)
    assert allocate_budget([cheap, dear], 0.4, min_keep=0.1) == [2, 10]
    assert allocate_budget([cheap, dear], 0.4, rule="uniform") == [6, 6]
    assert allocate_budget([cheap, cheap], 0.3, unit_costs=[1, 3], min_keep=0.5) == [10, 6]
    # Standardized losses are below zero for half of the units: no price per cost.
    spread = np.arange(10.0)
    found = allocate_budget([spread, spread], 0.4, unit_costs=[8, 1], rule="standardized")
    assert found == [6, 6]
    with pytest.raises(ValueError, match="unit_costs"):
        allocate_budget([cheap], 0.4, unit_costs=[0])
    with pytest.raises(ValueError, match="sparsity"):
        allocate_budget([cheap], 1.4)
