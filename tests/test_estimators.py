"""The scikit-learn face: scikit-learn's own checks, and what the estimators promise beyond them."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from subspan.estimators import InterpolativeSelector, RowSelector, SketchTransformer

ESTIMATORS = [
    InterpolativeSelector(),
    RowSelector(),
    SketchTransformer(),
]
# The parameter that says how many features come out.
SIZES = {
    "InterpolativeSelector": "rank",
    "RowSelector": "rank",
    "SketchTransformer": "n_components",
}


def low_rank(rng, m, n, k):
    return rng.standard_normal((m, k)) @ rng.standard_normal((k, n))


def of_size(estimator, k, seed=0):
    return clone(estimator).set_params(**{SIZES[type(estimator).__name__]: k}, random_state=seed)


named = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)


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
