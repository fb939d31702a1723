"""The scikit-learn face: scikit-learn's own checks, and what the estimators promise beyond them."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics.pairwise import pairwise_kernels, rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from subspan.estimators import (
    CURDecomposer,
    InterpolativeSelector,
    NystroemRBRP,
    RandomizedSVD,
    RowSelector,
    SketchTransformer,
)

ESTIMATORS = [
    CURDecomposer(),
    InterpolativeSelector(),
    NystroemRBRP(),
    RandomizedSVD(),
    RowSelector(),
    SketchTransformer(),
]
# The parameter that says how many features come out.
SIZES = {
    "CURDecomposer": "rank",
    "InterpolativeSelector": "rank",
    "NystroemRBRP": "n_components",
    "RandomizedSVD": "rank",
    "RowSelector": "rank",
    "SketchTransformer": "n_components",
}


def low_rank(rng, m, n, k):
    return rng.standard_normal((m, k)) @ rng.standard_normal((k, n))


def of_size(estimator, k, seed=0):
    return clone(estimator).set_params(**{SIZES[type(estimator).__name__]: k}, random_state=seed)


LINEAR = [
    e.set_params(kernel="linear") if isinstance(e, NystroemRBRP) else e
    for e in map(clone, ESTIMATORS)
]
named = pytest.mark.parametrize("estimator", LINEAR, ids=lambda e: type(e).__name__)


@pytest.mark.host_only
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_checks_pass(estimator, check):
    """None is expected to fail."""
    check(estimator)


# ---------------------------------------------------------------- all of them


@named
def test_in_a_pipeline_and_a_grid_search(estimator, rng):
    """A search over the number of features finds the rank that predicts."""
    X = low_rank(rng, 120, 20, 6)
    y = X @ rng.standard_normal(20)
    name = type(estimator).__name__.lower()
    search = GridSearchCV(
        make_pipeline(of_size(estimator, 2), LinearRegression()),
        {f"{name}__{SIZES[type(estimator).__name__]}": [1, 8 if name.startswith("sk") else 6]},
        cv=3,
        error_score="raise",
    )
    search.fit(X, y)
    assert next(iter(search.best_params_.values())) > 1
    if not name.startswith("sk"):
        assert search.score(X, y) > 1 - 1e-10


@named
def test_clone_and_pickle_keep_what_they_should(estimator, rng):
    X = low_rank(rng, 30, 12, 4)
    fitted = of_size(estimator, 4).fit(X)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
    assert clone(fitted).get_params() == fitted.get_params()


@named
def test_pandas_output_has_names(estimator, rng):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(low_rank(rng, 30, 6, 3), columns=list("abcdef"), index=range(5, 35))
    out = of_size(estimator, 3).set_output(transform="pandas").fit_transform(X)
    assert isinstance(out, pandas.DataFrame)
    fitted = of_size(estimator, 3).fit(X)
    assert list(out.columns) == list(fitted.get_feature_names_out())
    assert list(out.index) == list(X.index)
    if hasattr(fitted, "get_support"):
        assert set(out.columns) <= set("abcdef")
        pandas.testing.assert_frame_equal(out, X[list(out.columns)])


@named
@pytest.mark.parametrize("format_", ["csr", "csc", "coo", "lil", "dok"])
def test_sparse_input_gives_the_same_answer(estimator, format_, rng):
    """Of every format; slow ones are converted once (scikit-learn#11262)."""
    S = scipy.sparse.random_array((60, 20), density=0.3, rng=rng)
    X = S.toarray()
    dense, sparse = of_size(estimator, 8).fit(X), of_size(estimator, 8).fit(S.asformat(format_))
    out = sparse.transform(S.asformat(format_))
    out = out.toarray() if hasattr(out, "toarray") else out
    np.testing.assert_allclose(out, dense.transform(X), atol=1e-12)
    matrix = scipy.sparse.csr_matrix(S)
    out = of_size(estimator, 8).fit_transform(matrix)
    out = out.toarray() if hasattr(out, "toarray") else out
    np.testing.assert_allclose(out, dense.transform(X), atol=1e-12)


@named
def test_random_state_is_what_scikit_learn_users_know(estimator, rng):
    """int, RandomState, Generator: repeatable; None leaves numpy's global state alone."""
    X = rng.standard_normal((50, 20))
    kinds = [3, np.random.RandomState, np.random.default_rng]
    for kind in kinds:
        made = [kind(5) if callable(kind) else kind for _ in range(2)]
        first, second = (of_size(estimator, 5, seed).fit_transform(X) for seed in made)
        np.testing.assert_array_equal(first, second)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    of_size(estimator, 5, None).fit(X)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@named
def test_single_precision_is_kept(estimator, rng):
    X = rng.standard_normal((30, 12)).astype("float32")
    assert of_size(estimator, 4).fit_transform(X).dtype == np.float32


@named
def test_sizes_out_of_range_name_the_argument(estimator, rng):
    X = rng.standard_normal((30, 12))
    name = SIZES[type(estimator).__name__]
    with pytest.raises(ValueError, match=r"(rank|size)=-1 must"):
        of_size(estimator, -1).fit(X)
    if name == "rank":
        with pytest.raises(ValueError, match=r"rank=13 must lie in \[0, 12\]"):
            of_size(estimator, 13).fit(X)


# ---------------------------------------------------------------- each by itself


def test_selected_features_give_the_others(rng):
    """inverse_transform interpolates; the error promised is the error made."""
    X = low_rank(rng, 80, 15, 5) + 1e-3 * rng.standard_normal((80, 15))
    selector = InterpolativeSelector(5, random_state=0).fit(X)
    back = selector.inverse_transform(selector.transform(X))
    np.testing.assert_allclose(back[:, selector.indices_], X[:, selector.indices_])
    assert np.linalg.norm(X - back) / np.linalg.norm(X) < 5e-3
    assert np.linalg.norm(X - back) <= selector.error_.upper * (1 + 1e-9)
    with pytest.raises(ValueError, match="X has 4 features; expected 5"):
        selector.inverse_transform(X[:, :4])


def test_a_tolerance_chooses_the_number_of_features(rng):
    X = low_rank(rng, 80, 15, 5)
    for estimator in (InterpolativeSelector, RowSelector):
        fitted = estimator(rtol=1e-8, random_state=0).fit(X)
        assert len(fitted.indices_) == 5
        back = fitted.inverse_transform(fitted.transform(X))
        np.testing.assert_allclose(back, X, atol=1e-7)


def test_row_selector_describes_samples_by_chosen_ones(rng):
    X = low_rank(rng, 40, 15, 5)
    selector = RowSelector(5, random_state=0).fit(X)
    np.testing.assert_array_equal(selector.components_, X[selector.indices_])
    np.testing.assert_allclose(selector.transform(X)[selector.indices_], np.eye(5), atol=1e-10)
    new = low_rank(rng, 3, 5, 5) @ selector.components_
    np.testing.assert_allclose(selector.inverse_transform(selector.transform(new)), new)


@pytest.mark.parametrize("kind", ["sparse_sign", "gaussian", "rademacher", "countsketch", "srht"])
def test_sketch_transformer_applies_its_operator(kind, rng):
    X = rng.standard_normal((20, 64))
    fitted = SketchTransformer(32, kind=kind, random_state=0).fit(X)
    np.testing.assert_allclose(
        fitted.transform(X), X @ fitted.operator_.toarray().T, rtol=1e-9, atol=1e-12
    )
    with pytest.raises(ValueError, match="kind='nonsense' is not known"):
        SketchTransformer(32, kind="nonsense").fit(X)


@pytest.mark.parametrize("core", ["stable", "cross", "id"])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_cur_decomposer_keeps_features_and_samples(core, kind, rng):
    """C and R are parts of X, and C U R is what inverse_transform returns."""
    X = scipy.sparse.random_array((60, 20), density=0.3, rng=rng)
    given = X if kind == "sparse" else X.toarray()
    X = X.toarray()
    fitted = CURDecomposer(8, core=core, random_state=0).fit(given)
    R = fitted.components_.toarray() if kind == "sparse" else fitted.components_
    np.testing.assert_array_equal(R, X[fitted.rows_])
    back = fitted.inverse_transform(fitted.transform(given))
    np.testing.assert_allclose(back, X[:, fitted.columns_] @ fitted.core_ @ R, atol=1e-10)
    assert np.linalg.norm(X - back) <= fitted.error_.upper * (1 + 1e-9)
    with pytest.raises(ValueError, match="X has 7 features; expected 8"):
        fitted.inverse_transform(X[:, :7])


def test_randomized_svd_meets_a_tolerance_and_says_what_it_explains(rng):
    X = low_rank(rng, 60, 20, 6) + 1e-4 * rng.standard_normal((60, 20))
    reducer = RandomizedSVD(rtol=1e-3, random_state=0).fit(X)
    V = reducer.components_
    assert len(V) == 6
    np.testing.assert_allclose(V @ V.T, np.eye(6), atol=1e-12)
    back = reducer.inverse_transform(reducer.transform(X))
    assert np.linalg.norm(X - back) <= 1e-3 * np.linalg.norm(X)
    assert (V[np.arange(6), np.abs(V).argmax(axis=1)] > 0).all()
    np.testing.assert_allclose(reducer.explained_variance_, (X @ V.T).var(axis=0))
    assert reducer.explained_variance_ratio_.sum() == pytest.approx(1, abs=1e-6)
    assert RandomizedSVD(2).fit(np.ones((4, 3))).explained_variance_ratio_.tolist() == [0, 0]


def gaussian_of_two(x, y):
    """A kernel as scikit-learn takes it from users: of two samples."""
    return float(np.exp(-0.1 * np.sum((x - y) ** 2)))


@pytest.mark.parametrize(
    "kernel", ["rbf", "laplacian", "poly", "cosine", "linear", gaussian_of_two]
)
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_nystroem_features_are_the_nystroem_approximation(kernel, kind, rng):
    """Z Z^T = K[:, S] K[S, S]^-1 K[S, :], on samples of `fit` and on new ones."""
    X, new = rng.standard_normal((60, 5)), rng.standard_normal((10, 5))
    given = scipy.sparse.csr_matrix(X) if kind == "sparse" else X
    if callable(kernel) and kind == "sparse":
        pytest.skip("scikit-learn calls functions of two samples with dense ones only")
    fitted = NystroemRBRP(kernel, n_components=4, random_state=0).fit(given)
    S = fitted.component_indices_
    K = pairwise_kernels(X, metric=kernel)
    Z = fitted.transform(given)
    np.testing.assert_allclose(Z @ Z.T, K[:, S] @ np.linalg.solve(K[np.ix_(S, S)], K[S]), atol=1e-8)
    assert fitted.error_.value == pytest.approx(np.trace(K - Z @ Z.T))
    cross = pairwise_kernels(new, X[S], metric=kernel)
    np.testing.assert_allclose(
        fitted.transform(new) @ Z.T, cross @ np.linalg.solve(K[np.ix_(S, S)], K[S]), atol=1e-8
    )
    with_kernel = NystroemRBRP("precomputed", n_components=4, random_state=0).fit(K)
    assert set(with_kernel.component_indices_) == set(S)
    features = with_kernel.transform(K)
    np.testing.assert_allclose(features @ features.T, Z @ Z.T, atol=1e-10)


def test_nystroem_finds_small_clusters_that_uniform_landmarks_miss(rng):
    """Nine hundred points in one place and five far outliers: ten landmarks must see them all."""
    X = np.r_[0.01 * rng.standard_normal((900, 2)), 10 * np.eye(5, 2) + 5 * np.arange(5)[:, None]]
    K = rbf_kernel(X, gamma=1.0)

    def error(features):
        Z = features.fit_transform(X)
        return np.trace(K - Z @ Z.T)

    ours = [error(NystroemRBRP(gamma=1.0, n_components=10, random_state=s)) for s in range(5)]
    theirs = [error(Nystroem(gamma=1.0, n_components=10, random_state=s)) for s in range(5)]
    assert max(ours) < 0.5
    assert min(theirs) > 2


def test_nystroem_stops_at_a_tolerance_and_at_the_number_of_samples(rng):
    X = rng.standard_normal((200, 1))
    fitted = NystroemRBRP(gamma=0.1, rtol=1e-6, random_state=0).fit(X)
    assert fitted.error_.relative <= 1e-6
    assert fitted.transform(X).shape[1] < 20
    assert NystroemRBRP(gamma=10.0, n_components=500).fit_transform(X[:7]).shape == (7, 7)
    with pytest.raises(ValueError, match="K must be positive semidefinite"):
        NystroemRBRP("sigmoid", gamma=1.0, coef0=-1.0).fit(rng.standard_normal((50, 3)))


@pytest.mark.host_only
def test_digits_need_few_pixels():
    """On scikit-learn's digits, a third of the pixels classifies as well as all of them."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    X = X / 16
    classify = LogisticRegression(max_iter=2000)
    everything = classify.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:])
    chosen = make_pipeline(InterpolativeSelector(22, random_state=0), clone(classify))
    assert chosen.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > everything - 0.05
