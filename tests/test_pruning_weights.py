"""Single weights: Optimal Brain Surgeon, SparseGPT, masks; iterative pruning and sparse recovery."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from subspan import pruning
from subspan.pruning import iht, iobs, magnitude, obs, sparse_regression, sparsegpt, wanda
from subspan.pruning.iobs import to_support
from subspan.pruning.masks import mask_of
from subspan.pruning.projection import project

pytestmark = pytest.mark.host_only


def spd(rng, d, cond=100.0):
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return (Q * np.geomspace(1, cond, d)) @ Q.T


def constrained(p, H, K):
    """Minimise the quadratic over vectors that vanish off K, by least squares."""
    L = np.linalg.cholesky(H)
    theta = np.zeros(len(p))
    K = list(K)
    theta[K] = np.linalg.lstsq(L.T[:, K], L.T @ p)[0]
    return theta


# ---------------------------------------------------------------- masks


@given(
    rows=st.integers(1, 5),
    columns=st.sampled_from([4, 8, 12]),
    sparsity=st.floats(0, 1),
    pattern=st.sampled_from(["unstructured", "row", "2:4", "1:4", "1:2"]),
    ties=st.booleans(),
)
def test_masks_have_exact_counts_and_keep_the_largest(rows, columns, sparsity, pattern, ties):
    rng = np.random.default_rng(rows * columns)
    scores = rng.random((rows, columns))
    if ties:
        scores = np.round(scores, 1)
    mask = mask_of(scores, sparsity, pattern)
    if pattern == "unstructured":
        assert (~mask).sum() == round(sparsity * scores.size)
        if mask.any() and not mask.all():
            assert scores[mask].min() >= scores[~mask].max()
    elif pattern == "row":
        assert ((~mask).sum(1) == round(sparsity * columns)).all()
    else:
        zeros, group = map(int, pattern.split(":"))
        assert ((~mask).reshape(-1, group).sum(1) == zeros).all()


def test_of_equal_scores_the_earlier_stay():
    assert mask_of(np.ones((1, 4)), 0.5, "row").tolist() == [[True, True, False, False]]


def test_wanda_looks_at_inputs_and_magnitude_does_not(rng):
    W, scale = rng.standard_normal((6, 8)), np.geomspace(1, 100, 8)
    np.testing.assert_array_equal(
        wanda(W, scale**2, 0.5).mask, magnitude(W * scale, 0.5, pattern="row").mask
    )
    r = wanda(W, np.diag(scale**2), pattern="2:4")
    dropped = W - np.where(r.mask, W, 0)
    expected = ((dropped * scale) ** 2).sum() / ((W * scale) ** 2).sum()
    np.testing.assert_allclose(r.predicted.relative, expected)
    assert magnitude(W, 0.5).predicted is None


# ---------------------------------------------------------------- Optimal Brain Surgeon


def test_the_projection_is_constrained_least_squares_for_every_subset(rng):
    H, p = spd(rng, 7), rng.standard_normal(7)
    inverse = np.linalg.inv(H)
    for k in range(8):
        for K in itertools.combinations(range(7), k):
            mask = np.isin(np.arange(7), K)[None]
            theta = project(p[None], H, mask)[0]
            expected = constrained(p, H, list(K))
            np.testing.assert_allclose(theta, expected, rtol=1e-8, atol=1e-10)
            S = np.setdiff1d(np.arange(7), K)
            cost = p[S] @ np.linalg.solve(inverse[np.ix_(S, S)], p[S]) if len(S) else 0.0
            np.testing.assert_allclose((theta - p) @ H @ (theta - p), cost, rtol=1e-8, atol=1e-10)


def test_greedy_obs_removes_what_costs_least_after_a_refit(rng):
    H, w = spd(rng, 9), rng.standard_normal((1, 9))
    kept = list(range(9))
    while len(kept) > 4:
        costs = []
        for q in kept:
            theta = constrained(w[0], H, [j for j in kept if j != q])
            costs.append((theta - w[0]) @ H @ (theta - w[0]))
        kept.pop(int(np.argmin(costs)))
    r = obs(w, H, 5 / 9, damping=0)
    assert np.flatnonzero(r.mask[0]).tolist() == kept
    np.testing.assert_allclose(r.W[0], constrained(w[0], H, kept), rtol=1e-8)


@pytest.mark.parametrize(("zeros", "group"), [(2, 4), (1, 4), (3, 6), (5, 6), (1, 2)])
def test_greedy_obs_fills_every_group_of_an_n_of_m_pattern(rng, zeros, group):
    """As the loop of the definition: of the groups that are not full, the cheapest removal after a refit."""
    H, w = spd(rng, 12), rng.standard_normal((1, 12))
    kept, room = list(range(12)), np.full(12 // group, zeros)
    for _ in range(zeros * 12 // group):
        open_ones = [q for q in kept if room[q // group]]
        costs = []
        for q in open_ones:
            theta = constrained(w[0], H, [j for j in kept if j != q])
            costs.append((theta - w[0]) @ H @ (theta - w[0]))
        out = open_ones[int(np.argmin(costs))]
        kept.remove(out)
        room[out // group] -= 1
    r = obs(w, H, pattern=f"{zeros}:{group}", damping=0)
    assert np.flatnonzero(r.mask[0]).tolist() == kept
    np.testing.assert_allclose(r.W[0], constrained(w[0], H, kept), rtol=1e-7, atol=1e-12)


def test_zero_weights_fill_the_groups_of_a_pattern(rng):
    W = np.zeros((2, 8))
    W[0, 0] = 1.0
    r = obs(W, spd(rng, 8), pattern="2:4")
    assert (~r.mask).reshape(-1, 4).sum(1).tolist() == [2, 2, 2, 2]
    np.testing.assert_allclose(r.W, W, atol=1e-12)


def test_obs_merges_the_removals_of_all_rows(rng):
    H = spd(rng, 8)
    W = rng.standard_normal((6, 8)) * np.geomspace(1, 30, 6)[:, None]
    whole, rows = obs(W, H, 0.5), obs(W, H, 0.5, pattern="row")
    assert (~whole.mask).sum() == (~rows.mask).sum() == 24
    assert whole.predicted.relative < rows.predicted.relative
    assert (~whole.mask).sum(1)[0] > (~whole.mask).sum(1)[-1]


@pytest.mark.parametrize("block", [3, 8, 100])
@pytest.mark.parametrize("pattern", ["given", "unstructured", "row"])
def test_sparsegpt_is_left_to_right_elimination_of_each_row(rng, block, pattern):
    H, W = spd(rng, 12), rng.standard_normal((5, 12))
    mask = rng.random((5, 12)) < 0.5
    if pattern == "given":
        r = sparsegpt(W, H, mask=mask, damping=0, block_size=block)
    else:
        r = sparsegpt(W, H, 0.5, pattern=pattern, damping=0, block_size=block)
        mask = r.mask
    for w, keep, found in zip(W, mask, r.W, strict=True):
        w = w.copy()
        for j in np.flatnonzero(~keep):  # every error goes to the columns on the right only
            rest = np.linalg.inv(H[j:, j:])
            w[j:] -= w[j] / rest[0, 0] * rest[0]
        np.testing.assert_allclose(found, np.where(keep, w, 0), rtol=1e-8, atol=1e-9)
    assert (~mask).sum() == (~r.mask).sum()
    if pattern == "unstructured":
        assert (~r.mask).sum() == 30
    if pattern == "row":
        assert ((~r.mask).sum(1) == 6).all()


def test_errors_are_in_the_expected_order_and_predicted_truly(rng):
    X = rng.standard_normal((400, 16)) @ rng.standard_normal((16, 16))
    test = rng.standard_normal((50, 16)) @ rng.standard_normal((16, 16))
    W, m, t = rng.standard_normal((10, 16)), pruning.gram(X), pruning.gram(test)
    found = {
        "magnitude": magnitude(W, 0.5, pattern="row", moments=m, held_out=t),
        "wanda": wanda(W, m, 0.5, held_out=t),
        "sparsegpt": sparsegpt(W, m, 0.5, held_out=t),
        "obs": obs(W, m, 0.5, held_out=t, damping=1e-6),
    }
    for r in found.values():
        assert (r.W[~r.mask] == 0).all()
        for rows, share in ((X, r.predicted.relative), (test, r.predicted.held_out)):
            exact = ((rows @ (W - r.W).T) ** 2).sum() / ((rows @ W.T) ** 2).sum()
            np.testing.assert_allclose(share, exact, rtol=1e-8)
    share = {name: r.predicted.relative for name, r in found.items()}
    assert share["obs"] <= share["sparsegpt"] <= share["wanda"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_n_of_m_patterns_and_dead_inputs(rng, dtype):
    X = rng.standard_normal((100, 8))
    X[:, 3] = 0
    W = rng.standard_normal((4, 8)).astype(dtype)
    before = W.copy()
    for r in (
        sparsegpt(W, pruning.gram(X), pattern="2:4", block_size=4),
        obs(W, pruning.gram(X), pattern="2:4"),
        obs(W, pruning.gram(X), pattern="2:4", support="diag"),
        obs(W, pruning.gram(X), pattern="2:4", support="magnitude"),
    ):
        assert ((r.W == 0).reshape(-1, 4).sum(1) >= 2).all()
        assert (r.W[:, 3] == 0).all()
        assert r.W.dtype == dtype
    assert np.array_equal(W, before)


def test_bad_requests_for_weights_are_named(rng):
    W, S = rng.standard_normal((3, 6)), np.eye(6)
    for call, match in [
        (lambda: magnitude(W, 1.5), "sparsity=1.5"),
        (lambda: magnitude(W), "sparsity=None"),
        (lambda: magnitude(W, pattern="2:4"), "multiples of 4"),
        (lambda: magnitude(W, 0.2, pattern="1:2"), "contradicts"),
        (lambda: magnitude(W, pattern="blocks"), "not known"),
        (lambda: sparsegpt(W, np.eye(5), 0.5), r"expected \(6, 6\)"),
        (lambda: sparsegpt(W, S, 0.5, mask=np.ones((2, 2))), "mask must be bool"),
        (lambda: sparsegpt(W, S, pattern="1:2", block_size=3), "multiple"),
        (lambda: obs(W, S, pattern="1:4"), "multiples of 4"),
        (lambda: obs(W, S, 0.5, support="x"), "not known"),
        (lambda: iobs(lambda x: x, S, np.ones(6), 7), "k=7"),
        (lambda: iobs(lambda x: x, S, np.ones(6), 1, mode="x"), "not known"),
        (lambda: iobs(lambda x: x, np.eye(30), np.ones(30), 1, mode="exact"), "at most 20"),
        (lambda: iobs(lambda x: x * np.nan, S, np.ones(6), 1), "gradient contains NaN"),
        (
            lambda: sparse_regression(W, np.ones(3), 2, loss="logistic", scaling="paper_code"),
            "linear",
        ),
        (lambda: sparse_regression(W, np.full(3, 2), 2, loss="logistic"), "0 or 1"),
    ]:
        with pytest.raises(ValueError, match=match):
            call()
    singular = np.ones((6, 6))
    with pytest.raises(pruning.SingularMoments):
        sparsegpt(W, singular, 0.5, damping=0)


# ---------------------------------------------------------------- iterations


@pytest.mark.parametrize("mode", ["topk", "topk_obs", "diag", "greedy", "exact"])
def test_with_a_multiple_of_the_identity_iobs_is_hard_thresholding(rng, mode):
    c, best = 3.0, rng.standard_normal(8)
    gradient = lambda x: c * (x - best) + np.sin(x)  # noqa: E731
    for steps in (1, 2, 5):
        a = iobs(gradient, c * np.eye(8), np.ones(8), 3, mode=mode, iterations=steps)
        b = iht(gradient, np.ones(8), 3, step=1 / c, iterations=steps)
        np.testing.assert_allclose(a.theta, b.theta, rtol=1e-10, atol=1e-12)


def test_exact_iobs_is_the_best_subset_from_any_start_and_other_modes_are_idempotent(rng):
    H, best = spd(rng, 9), rng.standard_normal(9)
    gradient = lambda x: H @ (x - best)  # noqa: E731
    costs = {
        K: (constrained(best, H, K) - best) @ H @ (constrained(best, H, K) - best)
        for K in itertools.combinations(range(9), 4)
    }
    least = min(costs, key=costs.get)
    for _ in range(3):
        r = iobs(gradient, H, rng.standard_normal(9), 4, mode="exact")
        assert tuple(r.support) == least
        assert r.iterations == 2
    for mode in ("topk", "topk_obs", "diag", "greedy"):
        once = iobs(gradient, H, rng.standard_normal(9), 4, mode=mode, iterations=1)
        more = iobs(gradient, H, once.theta, 4, mode=mode)
        np.testing.assert_allclose(more.theta, once.theta, rtol=1e-9, atol=1e-12)
        value = (once.theta - best) @ H @ (once.theta - best)
        assert value >= costs[least] * (1 - 1e-9)


@given(st.integers(0, 10**6))
def test_the_tail_of_hard_thresholding_is_bounded(seed):
    rng = np.random.default_rng(seed)
    d, k, sparse = 40, 12, 5
    best = np.zeros(d)
    best[rng.choice(d, sparse, replace=False)] = rng.standard_normal(sparse)
    p = best + 10 ** rng.uniform(-3, 1) * rng.standard_normal(d)
    tail = np.sum((to_support(p, np.eye(d), k, "topk") - p) ** 2)
    assert tail <= (d - k) / (d - sparse) * np.sum((p - best) ** 2) * (1 + 1e-12)


def planted(rng, n, d, k, cond=1.0):
    X = rng.standard_normal((n, d)) / np.sqrt(n)
    if cond > 1:
        U, _, Vh = np.linalg.svd(X, full_matrices=False)
        X = (U * np.geomspace(1, cond**-1, d)) @ Vh
    w = np.zeros(d)
    w[rng.choice(d, k, replace=False)] = rng.standard_normal(k)
    return X, w


def test_a_noiseless_linear_problem_takes_one_step(rng):
    X, w = planted(rng, 256, 128, 16)
    for mode in ("topk", "topk_obs", "diag"):
        r = sparse_regression(X, X @ w, 64, mode=mode)
        assert r.converged
        assert r.iterations <= 2
        np.testing.assert_allclose(r.theta, w, atol=1e-10)


def test_the_published_scaling_shortens_the_steps_as_published(rng):
    n, d, steps = 256, 128, 749
    X, w = planted(rng, n, d, 16)
    y = X @ w
    options = {"scaling": "paper_code", "iterations": steps, "tolerance": 0}
    newton = sparse_regression(X, y, 64, mode="topk", **options)
    gradient = sparse_regression(X, y, 64, method="iht", **options)
    assert np.linalg.norm(newton.theta - w) < 0.1
    assert np.linalg.norm(gradient.theta - w) > 0.8
    # Once the support is right every step takes 2 / n of what is left.
    later = sparse_regression(X, y, 64, mode="topk", start=newton.theta, **options)
    ratio = np.linalg.norm(later.theta - w) / np.linalg.norm(newton.theta - w)
    np.testing.assert_allclose(ratio, (1 - 2 / n) ** steps, rtol=0.02)


def test_ill_conditioned_designs_stop_iht_but_not_iobs(rng):
    X, w = planted(rng, 128, 64, 8, cond=1e4)
    for mode in ("topk", "topk_obs"):
        r = sparse_regression(X, X @ w, 16, mode=mode, tolerance=1e-6)  # eps cond(H)
        assert r.iterations <= 5
        np.testing.assert_allclose(r.theta, w, atol=1e-6)
    slow = sparse_regression(X, X @ w, 16, method="iht", iterations=1000)
    assert np.linalg.norm(slow.theta - w) > 0.1 * np.linalg.norm(w)


def test_refitting_on_the_support_helps_against_noise_where_k_is_small(rng):
    errors = {"topk": 0.0, "topk_obs": 0.0}
    for _ in range(10):
        X, w = planted(rng, 96, 64, 6, cond=30)
        y = X @ w + 0.02 * rng.standard_normal(96) / np.sqrt(96)
        for mode in errors:
            errors[mode] += np.linalg.norm(sparse_regression(X, y, 8, mode=mode).theta - w)
    assert errors["topk_obs"] < errors["topk"]


def test_logistic_regression_converges_quadratically_and_beats_iht(rng):
    X = rng.standard_normal((600, 20)) * np.geomspace(1, 20, 20)
    w = np.zeros(20)
    w[[1, 5, 17]] = [2.0, -1.0, 0.2]
    y = (rng.random(600) < 1 / (1 + np.exp(-X @ w))).astype(float)
    r = sparse_regression(X, y, 3, loss="logistic")
    assert r.support.tolist() == [1, 5, 17]
    assert r.converged
    assert r.iterations < 20
    p = 1 / (1 + np.exp(-X @ r.theta))
    assert np.abs(X.T @ (p - y))[r.support].max() < 1e-6
    losses = [entry["loss"] for entry in r.history]
    assert (np.diff(losses) <= 0).all()
    slow = sparse_regression(X, y, 3, loss="logistic", method="iht", iterations=20)
    assert slow.iterations == 20
    changes = [entry["change"] for entry in r.history if entry["change"] > 1e-13]
    assert changes[-1] < 1e-3 * changes[-2]


def test_stochastic_steps_depend_on_the_seed_alone(rng):
    X, w = planted(rng, 400, 30, 4)
    options = {"batch": 100, "iterations": 20, "mode": "topk_obs"}
    a, b = (sparse_regression(X, X @ w, 6, rng=5, **options) for _ in range(2))
    assert np.array_equal(a.theta, b.theta)
    np.testing.assert_allclose(a.theta, w, atol=1e-8)
    y = X @ w + 0.01 * rng.standard_normal(400)
    c, d = (sparse_regression(X, y, 6, rng=s, **options) for s in (5, 6))
    assert not np.array_equal(c.theta, d.theta)
    assert np.linalg.norm(c.theta - w) < 1


def test_fewer_rows_than_coefficients_need_damping(rng):
    X, w = planted(rng, 40, 60, 3)
    with pytest.raises(pruning.SingularMoments):
        sparse_regression(X, X @ w, 5)
    r = sparse_regression(X, X @ w, 5, damping=1e-1, mode="topk")
    assert len(r.support) <= 5
