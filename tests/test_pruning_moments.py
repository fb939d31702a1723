"""Streaming moments: against the rows themselves, in any order, and on file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from subspan.pruning import Moments, gram

pytestmark = pytest.mark.host_only


def close(a, b, tol=1e-12):
    scale = max(1.0, np.abs(b).max(initial=0.0))
    return np.abs(a - b).max(initial=0.0) <= tol * scale


@given(
    cuts=st.lists(st.integers(0, 50), max_size=4),
    dtype=st.sampled_from([np.float32, np.float64]),
    order=st.sampled_from("CF"),
    gram=st.sampled_from(["full", "diag"]),
)
def test_any_division_into_batches_and_merges_gives_the_moments_of_all_rows(
    cuts, dtype, order, gram
):
    rng = np.random.default_rng(0)
    X = np.array(rng.standard_normal((50, 7)) + 3, dtype, order=order)
    whole = Moments(7, gram=gram)
    for p, q in zip([0, *sorted(cuts)], [*sorted(cuts), 50], strict=True):
        whole = Moments(7, gram=gram).update(X[p:q]).merge(whole)
    wide = X.astype(np.float64)
    assert whole.n == 50
    assert close(whole.mean, wide.mean(0))
    assert close(whole.squares(), (wide**2).mean(0))
    assert close(whole.variance(), wide.var(0))
    if gram == "full":
        assert close(whole.second_moment(), wide.T @ wide / 50)
        assert close(whole.covariance(), np.cov(wide.T, bias=True))


def test_float32_rows_far_from_zero_keep_their_covariance(rng):
    X = (rng.standard_normal((5000, 4)) + 1000).astype(np.float32)
    found = gram(np.array_split(X, 37)).covariance()
    assert close(found, np.cov(X.T.astype(np.float64), bias=True), 1e-10)


def test_weights_count_rows_more_than_once(rng):
    X, Y = rng.standard_normal((30, 3)), rng.standard_normal((30, 2))
    w = rng.integers(0, 4, 30)
    many = Moments(3, outputs=2).update(np.repeat(X, w, 0), np.repeat(Y, w, 0))
    few = Moments(3, outputs=2).update(X, Y, weights=w)
    assert few.n == 30
    assert few.weight == many.weight == w.sum()
    for name in ("second_moment", "covariance", "cross", "mean_outputs", "outputs_squared"):
        assert close(np.asarray(getattr(few, name)()), np.asarray(getattr(many, name)()))


def test_a_sketch_does_not_depend_on_batches_and_estimates_the_second_moment(rng):
    X = rng.standard_normal((400, 5)) * [1, 2, 3, 4, 5]
    make = lambda: Moments(5, gram="sketch", size=200, rng=7)  # noqa: E731
    once = make().update(X)
    parts = make().update(X[300:], start=300).merge(make().update(X[:120]).update(X[120:300]))
    assert close(parts.sketch, once.sketch)
    S = X.T @ X / 400
    assert np.linalg.norm(once.second_moment() - S) < 0.3 * np.linalg.norm(S)
    assert close(once.squares(), np.diagonal(S))


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_saved_moments_go_on_where_they_stopped(tmp_path, rng, suffix):
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    X, Y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    path = tmp_path / f"m.{suffix}"
    Moments(3, outputs=2).update(X[:9], Y[:9]).save(path)
    again = Moments.load(path).update(X[9:], Y[9:])
    whole = Moments(3, outputs=2).update(X, Y)
    assert again.n == 20
    assert close(again.second_moment(), whole.second_moment())
    assert close(again.cross(), X.T @ Y / 20)


def test_what_is_returned_is_a_copy_and_merging_changes_neither(rng):
    a, b = gram(rng.standard_normal((9, 3))), gram(rng.standard_normal((8, 3)))
    before = a.second_moment(), b.second_moment(), a.mean.copy()
    a.merge(b).update(np.ones((4, 3)))
    a.second_moment()[:] = 0
    a.covariance()[:] = 0
    assert np.array_equal(a.second_moment(), before[0])
    assert np.array_equal(b.second_moment(), before[1])
    assert np.array_equal(a.mean, before[2])
    assert (a.n, b.n) == (9, 8)


def test_bad_rows_are_refused_and_not_added():
    m = Moments(3)
    with pytest.raises(ValueError, match="NaN"):
        m.update(np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match=r"expected \(rows, 3\)"):
        m.update(np.ones((2, 4)))
    with pytest.raises(TypeError, match="complex"):
        m.update(np.ones((2, 3), complex))
    with pytest.raises(ValueError, match="weights"):
        m.update(np.ones((2, 3)), weights=[-1, 1])
    with pytest.raises(ValueError, match="outputs"):
        m.update(np.ones((2, 3)), np.ones((2, 1)))
    assert m.n == 0
    with pytest.raises(ValueError, match="no rows"):
        m.second_moment()
    with pytest.raises(ValueError, match="diagonal"):
        Moments(2, gram="diag").update(np.ones((1, 2))).second_moment()
    with pytest.raises(ValueError, match="cannot merge"):
        m.merge(Moments(4))
    with pytest.raises(ValueError, match="no batch"):
        gram([])


def test_moments_of_some_targets_are_read_only(rng):
    X, Y = rng.standard_normal((50, 4)), rng.standard_normal((50, 6))
    whole = Moments(4, outputs=6).update(X, Y)
    part = whole.of_outputs(slice(2, 5))
    np.testing.assert_array_equal(part.cross(), whole.cross()[:, 2:5])
    np.testing.assert_allclose(part.outputs_squared(), (Y[:, 2:5] ** 2).sum() / 50, rtol=1e-12)
    before = whole.second_moment()
    with pytest.raises(ValueError, match="read-only"):
        part.update(X, Y[:, 2:5])
    np.testing.assert_array_equal(whole.second_moment(), before)
    assert (part.n, whole.n) == (50, 50)
    np.testing.assert_array_equal(part.mean, whole.mean)
