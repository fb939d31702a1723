"""Structured pruning on arrays: the identities behind it, planted redundancy, refusals."""

import itertools

import numpy as np
import pytest
import scipy.linalg
import subspan
from hypothesis import given
from hypothesis import strategies as st
from subspan import pruning
from subspan.pruning import (
    Moments,
    gram,
    id_prune,
    match_outputs,
    prune_units,
    reconstruct,
    select_units,
)
from subspan.pruning.blas import apply, inner, lower_gram, product
from subspan.pruning.elimination import eliminate
from subspan.pruning.select import METHODS

pytestmark = pytest.mark.host_only
REPAIRED = ("id", "weighted_id", "output", "obs")


@pytest.fixture
def module(rng):
    """Correlated activations of 12 units, read by 5 outputs."""
    H = rng.standard_normal((300, 12)) @ rng.standard_normal((12, 12)) + rng.standard_normal(12)
    return H, rng.standard_normal((5, 12))


def residual(H, W, keep, Wn, shift=0.0):
    return ((H @ W.T - H[:, keep] @ Wn.T - shift) ** 2).sum() / len(H)


def least_squares(H, W, keep):
    return residual(H, W, keep, np.linalg.lstsq(H[:, keep], H @ W.T)[0].T)


# ---------------------------------------------------------------- identities


def test_the_error_of_the_fit_is_the_schur_complement_and_the_obs_trace(module):
    H, W = module
    S = H.T @ H / len(H)
    keep, lost = np.array([0, 2, 3, 7, 9, 11]), np.array([1, 4, 5, 6, 8, 10])
    at = lambda I, J: S[np.ix_(I, J)]  # noqa: E731, E741
    schur = at(lost, lost) - at(lost, keep) @ np.linalg.solve(at(keep, keep), at(keep, lost))
    obs = np.linalg.inv(np.linalg.inv(S)[np.ix_(lost, lost)])
    r = reconstruct(W, gram(H), keep, damping=0)
    expected = least_squares(H, W, keep)
    for found in (
        r.predicted.absolute,
        residual(H, W, keep, r.W),
        np.trace(W[:, lost] @ schur @ W[:, lost].T),
        np.trace(W[:, lost] @ obs @ W[:, lost].T),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_pivots_of_the_second_moment_are_those_of_the_activations(module):
    H, W = module
    J = scipy.linalg.qr(H, mode="r", pivoting=True)[1][:7]
    r = id_prune(W, gram(H), 7, damping=0, pivoting="greedy")
    assert np.array_equal(r.selection.order, J)
    R = scipy.linalg.qr(H[:, J], mode="economic")
    T = scipy.linalg.solve_triangular(R[1], R[0].T @ H)  # coefficients of the decomposition
    np.testing.assert_allclose(r.W, (W @ T.T)[:, np.argsort(J)], rtol=1e-8, atol=1e-10)


def test_wanda_squared_is_the_second_moment_and_goa_agrees_on_linear_modules(rng):
    X, A = rng.standard_normal((200, 6)) + 1, rng.standard_normal((9, 6))
    W = rng.standard_normal((4, 9))
    H = X @ A.T
    exact = (W**2).sum(0) * (H**2).mean(0)
    wanda = np.abs(W) * np.sqrt((H**2).sum(0))
    np.testing.assert_allclose((wanda**2).sum(0) / 200, exact, rtol=1e-10)
    np.testing.assert_allclose(pruning.second_moment_scores(W, gram(H)), exact, rtol=1e-10)
    np.testing.assert_allclose(pruning.goa_scores(W, [A], gram(X)), exact, rtol=1e-10)
    np.testing.assert_allclose(pruning.wanda_scores(W, gram(H)), wanda.mean(0) / 200**0.5)
    np.testing.assert_allclose(
        pruning.flap_scores(W, gram(H)), (W**2).sum(0) * H.var(0), rtol=1e-10
    )


def test_goa_of_a_gated_module_in_paper_and_code_are_as_printed(rng):
    X = rng.standard_normal((50, 3)) + 2
    G, U, W = rng.standard_normal((4, 3)), rng.standard_normal((4, 3)), rng.standard_normal((2, 4))
    d = np.linalg.norm(W, axis=0)
    form = lambda A, S: np.array([a @ S @ a for a in A])  # noqa: E731
    S, C = X.T @ X / 50, np.cov(X.T)
    paper = pruning.goa_scores(W, [G, U], gram(X), activation="silu")
    np.testing.assert_allclose(paper, d**2 * form(U, S) * 0.5 * d**2 * form(G, S))
    code = pruning.goa_scores(W, [G, U], gram(X), activation="silu", variant="code")
    g = form(G, C)
    np.testing.assert_allclose(code, d * (g / (1 + np.exp(-g))) * form(U, C))


def test_the_bias_leaves_the_covariance_and_repairs_are_nested(module):
    H, W = module
    keep, lost = np.arange(8), np.arange(8, 12)
    b = np.arange(5.0)
    error = {}
    for mode in pruning.reconstruct.__globals__["MODES"]:
        r = reconstruct(W, gram(H), keep, bias=b, mode=mode, damping=0)
        error[mode] = r.predicted.absolute
        shift = r.bias - b
        np.testing.assert_allclose(error[mode], residual(H, W, keep, r.W, shift), rtol=1e-8)
    C = np.cov(H[:, lost].T, bias=True)
    np.testing.assert_allclose(error["bias"], np.trace(W[:, lost] @ C @ W[:, lost].T), rtol=1e-8)
    assert error["ls+bias"] <= min(error["ls"], error["bias"])
    assert max(error["ls"], error["bias"]) <= error["none"]


def test_damping_runs_monotonically_from_least_squares_to_dropping(module):
    H, W = module
    keep = np.arange(0, 12, 2)
    errors = [
        reconstruct(W, gram(H), keep, damping=d).predicted.absolute
        for d in (0, 1e-6, 1e-3, 0.1, 1, 10, 1e3, 1e9, np.inf)
    ]
    assert (np.diff(errors) >= -1e-12).all()
    np.testing.assert_allclose(errors[-2], errors[-1], rtol=1e-6)
    dropped = reconstruct(W, gram(H), keep, mode="none")
    assert np.array_equal(dropped.W, W[:, keep])
    np.testing.assert_allclose(errors[-1], residual(H, W, keep, W[:, keep]), rtol=1e-10)


# ---------------------------------------------------------------- choices


def greedy_backward(S, W, k):
    """The definition: remove the unit whose loss costs least after a refit of all others."""
    keep, order = list(range(len(S))), []
    while len(keep) > k:
        costs = []
        for q in keep:
            K = [j for j in keep if j != q]
            costs.append(reconstruct(W, S, K, damping=0).predicted.absolute)
        order.append(keep.pop(int(np.argmin(costs))))
    return order


def greedy_forward(S, W, k):
    chosen = []
    for _ in range(k):
        free = [j for j in range(len(S)) if j not in chosen]
        costs = [reconstruct(W, S, [*chosen, j], damping=0).predicted.absolute for j in free]
        chosen.append(free[int(np.argmin(costs))])
    return chosen


def test_obs_and_output_pursuit_are_greedy_on_the_exact_error(module):
    H, W = module
    S = H.T @ H / len(H)
    r = select_units(W, S, 4, method="obs", damping=0)
    assert r.order.tolist() == greedy_backward(S, W, 4)
    r = select_units(W, S, 6, method="output")
    assert r.order.tolist() == greedy_forward(S, W, 6)


def test_delayed_updates_choose_as_immediate_ones_do(rng):
    A, M = rng.standard_normal((400, 150)), rng.standard_normal((20, 150))
    H0 = A.T @ A
    for largest in (False, True):
        inputs = np.array(H0, order="F"), np.array(M.T @ M, order="F")
        order, gains, left = eliminate(*inputs, 110, largest=largest)
        H, N, alive = H0.copy(), M.copy(), list(range(150))
        for q, gain in zip(order, gains, strict=True):
            scores = (N[:, alive] ** 2).sum(0) / np.diagonal(H)[alive]
            best = alive[int((np.argmax if largest else np.argmin)(scores))]
            assert q == best
            np.testing.assert_allclose(gain, (N[:, q] ** 2).sum() / H[q, q], rtol=1e-6)
            u = H[:, q] / np.sqrt(H[q, q])
            N = N - np.outer(N[:, q] / np.sqrt(H[q, q]), u)
            H = H - np.outer(u, u)
            alive.remove(q)
        expected = (N[:, alive] ** 2).sum(0) / np.diagonal(H)[alive]
        np.testing.assert_allclose(left[alive], expected, rtol=1e-6)
        assert np.isnan(left[order]).all()


def test_backward_beats_the_cheap_scores_and_is_near_the_best_subset(module):
    H, W = module
    error = {m: least_squares(H, W, select_units(W, gram(H), 6, method=m, rng=0).keep)
             for m in ("obs", "output", "random", "magnitude")}  # fmt: skip
    best = min(least_squares(H, W, np.array(K)) for K in itertools.combinations(range(12), 6))
    assert best <= error["obs"] <= 3 * best
    assert error["obs"] <= min(error["random"], error["magnitude"])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_method_keeps_as_many_as_asked_whatever_the_layout(module, method, dtype):
    H, W = module
    W = np.asfortranarray(W.astype(dtype))[:, :]
    W.flags.writeable = False
    level1 = [np.ones((12, 3), dtype)]
    for k in (0, 1, 5, 12):
        r = prune_units(W, gram(H), k, method=method, level1=level1, rng=3)
        assert len(r.keep) == k == r.W.shape[1]
        assert np.array_equal(np.sort(np.r_[r.keep, r.selection.prune]), np.arange(12))
        assert r.W.dtype == dtype
        again = prune_units(W, gram(H), k, method=method, level1=level1, rng=r.selection.seed)
        assert np.array_equal(again.keep, r.keep)
        assert 0 <= r.predicted.relative <= r.predicted.dropped * (1 + 1e-9) + 1e-15
        assert k < 12 or r.predicted.relative == 0


@pytest.mark.parametrize("method", ["second_moment", "id", "output", "obs"])
def test_groups_stay_or_go_together_and_the_order_of_groups_does_not_matter(module, method):
    H, W = module
    groups = [np.arange(3 * g, 3 * g + 3) for g in range(4)]
    r = select_units(W, gram(H), 2, method=method, groups=groups, damping=1e-9)
    assert sorted(set(r.keep // 3)) == sorted(r.keep[::3] // 3)
    permuted = [groups[g] for g in (2, 0, 3, 1)]
    assert np.array_equal(
        r.keep, select_units(W, gram(H), 2, method=method, groups=permuted, damping=1e-9).keep
    )
    if method == "obs":
        errors = {
            K: least_squares(H, W, np.concatenate([groups[g] for g in K]))
            for K in itertools.combinations(range(4), 3)
        }
        one = select_units(W, gram(H), 3, method=method, groups=groups, damping=0)
        assert tuple(one.keep[::3] // 3) == min(errors, key=errors.get)


# ---------------------------------------------------------------- planted cases


@pytest.mark.parametrize("method", REPAIRED)
@given(seed=st.integers(0, 100), rank=st.integers(1, 8))
def test_dependent_units_are_found_and_cost_nothing(method, seed, rank):
    rng = np.random.default_rng(seed)
    H = rng.standard_normal((60, rank)) @ rng.standard_normal((rank, 12))
    r = prune_units(
        rng.standard_normal((4, 12)), gram(H), rank, method=method, damping=1e-12, mode="ls"
    )
    assert r.predicted.relative < 1e-6


def test_copies_and_dead_units_go_first_for_every_repairing_method(rng):
    H = rng.standard_normal((100, 6))
    H = np.c_[H, H[:, :2], np.zeros((100, 2))]
    W = rng.standard_normal((3, 10))
    for method in REPAIRED:
        r = prune_units(W, gram(H), 6, method=method, damping=1e-10, mode="ls")
        assert r.predicted.relative < 1e-12
    dropped = prune_units(W, gram(H), 6, method="second_moment", mode="none")
    assert dropped.predicted.relative > 1e-3


def test_a_pair_that_cancels_misleads_scores_but_not_obs(rng):
    base = rng.standard_normal((200, 4))
    loud = 100 * rng.standard_normal((200, 1))
    H = np.c_[base, loud, loud]
    W = np.c_[rng.standard_normal((3, 4)), np.ones((3, 1)), -np.ones((3, 1))]
    assert {4, 5} <= set(select_units(W, gram(H), 4, method="second_moment").keep)
    r = prune_units(W, gram(H), 4, method="obs", damping=1e-9)
    assert r.keep.tolist() == [0, 1, 2, 3]
    assert prune_units(W, gram(H), 4, method="output", damping=1e-9).predicted.relative < 1e-12


def test_constant_units_are_free_for_those_who_have_a_bias(rng):
    H = np.c_[rng.standard_normal((200, 4)), np.full((200, 2), 7.0)]
    W = rng.standard_normal((3, 6))
    r = prune_units(W, gram(H), 4, method="flap", mode="bias")
    assert r.keep.tolist() == [0, 1, 2, 3]
    assert r.predicted.relative < 1e-12
    assert set(select_units(W, gram(H), 4, method="second_moment").keep) & {4, 5}


def test_damping_is_chosen_where_nothing_was_fitted(rng):
    # Hardly more rows than units: the undamped fit learns the noise.
    make = lambda n: rng.standard_normal((n, 40)) * np.linspace(3, 0.1, 40)  # noqa: E731
    fit, test = gram(make(36)), gram(make(400))
    W = rng.standard_normal((10, 40))
    keep = np.arange(30)
    r = reconstruct(W, fit, keep, held_out=test)
    assert r.predicted.held_out <= r.predicted.dropped_held_out
    greedy = reconstruct(W, fit, keep, held_out=test, damping=1e-6)
    assert greedy.predicted.relative < r.predicted.relative
    assert greedy.predicted.held_out > r.predicted.held_out
    np.testing.assert_allclose(r.predicted.held_out, min(r.tried.values()), rtol=1e-12)


# ---------------------------------------------------------------- changed inputs


@pytest.mark.parametrize("with_bias", [False, True])
def test_matching_outputs_is_least_squares_and_equals_the_repair_on_dense_inputs(
    module, rng, with_bias
):
    H, W = module
    b = np.arange(5.0) if with_bias else None
    Y = H @ W.T + (0 if b is None else b)
    seen = H + 0.3 * rng.standard_normal(H.shape)
    keep = np.array([0, 3, 4, 5, 8, 11])
    r = match_outputs(W, Moments(12, outputs=5).update(seen, Y), keep=keep, bias=b, damping=0)
    A = np.c_[seen[:, keep], np.ones(len(H))] if with_bias else seen[:, keep]
    best = np.linalg.lstsq(A, Y)[0].T
    np.testing.assert_allclose(r.W, best[:, :6], rtol=1e-8)
    fitted = A @ best.T
    np.testing.assert_allclose(r.predicted.absolute, ((Y - fitted) ** 2).sum() / len(H), rtol=1e-8)
    if with_bias:
        np.testing.assert_allclose(r.bias, best[:, 6], rtol=1e-8)
    dense = Moments(12, outputs=5).update(H, Y)
    for damping in (0.0, 0.1, np.inf):
        a = match_outputs(W, dense, keep=keep, bias=b, damping=damping)
        c = reconstruct(
            W, gram(H), keep, bias=b, damping=damping, mode="ls+bias" if with_bias else "ls"
        )
        if not with_bias:  # the unit of the damping is that of the covariance in the other
            np.testing.assert_allclose(a.W, c.W, rtol=1e-7, atol=1e-9)
        assert a.predicted.relative <= a.predicted.dropped + 1e-12


def test_matching_chooses_its_damping_on_held_out_rows(rng):
    make = lambda n: rng.standard_normal((n, 20))  # noqa: E731
    W = rng.standard_normal((4, 20))
    X, T = make(25), make(300)
    noise = lambda n: rng.standard_normal((n, 4))  # noqa: E731
    fit = Moments(20, outputs=4).update(X, X @ W.T + noise(25))
    test = Moments(20, outputs=4).update(T, T @ W.T + noise(300))
    r = match_outputs(W, fit, held_out=test)
    assert r.predicted.held_out <= r.predicted.dropped_held_out
    with pytest.raises(ValueError, match="outputs=4"):
        match_outputs(W, gram(X))


# ---------------------------------------------------------------- results and refusals


def test_results_are_saved_and_know_their_error(tmp_path, module):
    H, W = module
    r = prune_units(W, gram(H), 7)
    r.save(tmp_path / "r.npz")
    again = subspan.load(tmp_path / "r.npz")
    keep, Wn, bias = again
    assert np.array_equal(keep, r.keep)
    assert np.array_equal(Wn, r.W)
    assert bias is None
    assert again.predicted == r.predicted
    assert r.error.kind == "exact"
    np.testing.assert_allclose(r.error.relative**2, r.predicted.relative)
    assert "7 by obs" in repr(again)


def test_tensors_give_tensors(module):
    torch = pytest.importorskip("torch")
    H, W = module
    r = prune_units(torch.tensor(W, dtype=torch.float32), gram(torch.tensor(H)), 5)
    assert r.W.dtype == torch.float32
    assert r.keep.dtype == torch.int64
    assert np.array_equal(r.keep, prune_units(W.astype(np.float32), gram(H), 5).keep)


@pytest.mark.parametrize("method", METHODS)
def test_no_units_and_units_that_are_always_zero(method, capfd):
    options = {"method": method, "rng": 0}
    moments = gram(np.zeros((10, 5)))
    r = prune_units(
        np.ones((3, 5)), moments, 2, level1=[np.ones((5, 2))], held_out=moments, **options
    )
    assert len(r.keep) == 2
    assert r.predicted.relative == 0
    empty = prune_units(
        np.ones((3, 0)), gram(np.zeros((4, 0))), 0, level1=[np.ones((0, 2))], **options
    )
    assert empty.W.shape == (3, 0)
    assert capfd.readouterr() == ("", "")  # LAPACK has nothing to complain of


def test_inputs_are_not_changed(module):
    H, W = module
    moments = gram(H)
    before = moments.second_moment(), W.copy()
    for method in METHODS:
        prune_units(W, moments, 5, method=method, level1=[np.ones((12, 2))], mode="ls+bias")
    assert np.array_equal(moments.second_moment(), before[0])
    assert np.array_equal(W, before[1])


def test_few_rows_are_refused_or_warned_about(module):
    H, W = module
    few = gram(H[:6])
    with pytest.raises(pruning.NotEnoughSamples, match="6 rows"):
        reconstruct(W, few, np.arange(8), damping=0)
    with pytest.raises(pruning.NotEnoughSamples, match="6 rows"):
        select_units(W, few, 4, method="obs", damping=0)
    with pytest.warns(pruning.FewSamples, match="none held out"):
        reconstruct(W, few, np.arange(8))
    with pytest.raises(pruning.SingularMoments, match="singular"):
        reconstruct(W, gram(H[:, [0] * 12]), np.arange(8), damping=0)
    assert issubclass(pruning.SingularMoments, np.linalg.LinAlgError)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"W": np.full((5, 12), np.nan)}, "W contains NaN"),
        ({"W": np.ones((5, 11))}, "expected"),
        ({"k": 13}, r"k=13 must lie in \[0, 12\]"),
        ({"method": "best"}, "not known"),
        ({"moments": np.triu(np.ones((12, 12)))}, "symmetric"),
        ({"moments": -np.eye(12)}, "negative"),
        ({"groups": [[0, 1], [2]]}, "exactly once"),
        ({"damping": -1.0}, "at least 0"),
        ({"pivoting": "x", "method": "id"}, "not known"),
    ],
)
def test_bad_arguments_are_named(module, change, match):
    H, W = module
    with pytest.raises((ValueError, TypeError), match=match):
        select_units(**{"W": W, "moments": gram(H), "k": 4, "damping": 0.0, **change})


def test_bad_repairs_are_named(module):
    H, W = module
    for options, match in [
        ({"keep": [0, 0]}, "more than once"),
        ({"keep": [12]}, r"\[0, 12\)"),
        ({"mode": "x"}, "not known"),
        ({"bias": np.ones(4)}, r"expected \(5,\)"),
        ({"damping": "best"}, "'auto'"),
    ]:
        with pytest.raises(ValueError, match=match):
            reconstruct(W, gram(H), **{"keep": [0, 1], **options})
    with pytest.raises(TypeError, match="needs Moments"):
        reconstruct(W, np.eye(12), [0], mode="bias")


# ---------------------------------------------------------------- as many of every class


@pytest.mark.parametrize("method", [*pruning.select.SCORED, "id", "weighted_id", "output", "obs"])
@pytest.mark.parametrize("size", [1, 3])
def test_every_class_keeps_as_many(method, size):
    generator = np.random.default_rng(5)
    units, classes = 12, np.arange(12) % 3
    m = units * size
    scale = np.repeat(np.where(classes == 0, 100.0, 1.0), size)  # one class outweighs the others
    X = generator.standard_normal((200, m)) * scale
    groups = [np.arange(u * size, (u + 1) * size) for u in range(units)]
    r = pruning.select_units(
        generator.standard_normal((7, m)), pruning.gram(X), 6, method=method, groups=groups,
        balance=classes, level1=[generator.standard_normal((m, 5))],
        input_moments=pruning.gram(generator.standard_normal((50, 5))), rng=0,
    )  # fmt: skip
    assert np.bincount(classes[np.unique(r.keep // size)]).tolist() == [2, 2, 2]


def test_balance_that_does_not_fit_is_refused():
    W, M = np.ones((2, 4)), pruning.gram(np.eye(4))
    groups = [[0], [1], [2], [3]]
    with pytest.raises(ValueError, match="multiple of the 2 classes"):
        pruning.select_units(W, M, 3, groups=groups, balance=[0, 0, 1, 1])
    for balance in ([0, 0, 1], [0, 0, 0, 1], [0, 0, 2, 2], [-1, -1, 0, 0]):
        with pytest.raises(ValueError, match="balance"):
            pruning.select_units(W, M, 2, groups=groups, balance=balance)
    with pytest.raises(ValueError, match="goes with groups"):
        pruning.select_units(W, M, 2, balance=[0, 0, 1, 1])


@pytest.mark.parametrize(("m", "k", "n"), [(3, 4, 5), (1, 7, 1), (0, 2, 3), (2, 0, 3), (2, 3, 0)])
def test_products_in_every_layout(m, k, n):
    rng = np.random.default_rng(0)
    layouts = (np.ascontiguousarray, np.asfortranarray, lambda X: np.repeat(X, 2, axis=1)[:, ::2])
    for first, second in itertools.product(layouts, repeat=2):
        A, B = first(rng.standard_normal((m, k))), second(rng.standard_normal((k, n)))
        np.testing.assert_allclose(product(A, B), A @ B, atol=1e-14)
        np.testing.assert_allclose(
            apply(A, np.arange(k) + 0.5), A @ (np.arange(k) + 0.5), atol=1e-14
        )
        np.testing.assert_allclose(inner(product(A, B), A @ B), ((A @ B) ** 2).sum(), rtol=1e-14)
        np.testing.assert_allclose(lower_gram(A), np.tril(A.T @ A), atol=1e-14)
