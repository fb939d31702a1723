"""Training: losses, heads, estimators, retraining on confident samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge
from subspan.w2s import WeakToStrongClassifier, WeakToStrongRegressor, heads, losses
from subspan.w2s.spurious import EnhancedW2S
from threadpoolctl import threadpool_limits

pytestmark = pytest.mark.host_only


@pytest.fixture(autouse=True)
def _one_thread():
    """Many small problems: threads of BLAS would only wait for each other."""
    with threadpool_limits(1, "blas"):
        yield


# ---------------------------------------------------------------- losses


@given(st.integers(0, 2**20), st.floats(0.05, 1), st.booleans())
def test_gradients_of_losses(seed, q, generalized):
    rng = np.random.default_rng(seed)
    logits, targets = rng.standard_normal((4, 3)), rng.dirichlet(np.ones(3), 4)
    loss = losses.cross_entropy
    if generalized:
        loss = lambda z, t: losses.generalized_cross_entropy(z, t, q)  # noqa: E731
    _, gradient = loss(logits, targets)
    direction = rng.standard_normal((4, 3))
    step = 1e-5
    slope = (
        loss(logits + step * direction, targets)[0] - loss(logits - step * direction, targets)[0]
    ) / (2 * step)
    assert np.sum(gradient * direction) == pytest.approx(slope, abs=1e-8)


def test_generalized_cross_entropy_between_its_limits(rng):
    logits, targets = rng.standard_normal((50, 4)), rng.dirichlet(np.ones(4), 50)
    value, gradient = losses.generalized_cross_entropy(logits, targets, 1e-9)
    plain = losses.cross_entropy(logits, targets)
    assert value == pytest.approx(plain[0], abs=1e-6)
    assert np.allclose(gradient, plain[1], atol=1e-6)
    absolute = losses.generalized_cross_entropy(logits, targets, 1.0)[0]
    assert absolute == pytest.approx(1 - np.mean(np.sum(targets * losses.softmax(logits), axis=1)))


@pytest.mark.parametrize("classes", [2, 5])
def test_targets_made_of_own_predictions(classes, rng):
    p, y = rng.dirichlet(np.ones(classes), 4000), rng.dirichlet(np.linspace(1, 2, classes), 4000)
    target = losses.confident_target(p, y, 0.3)
    assert np.allclose(target.sum(axis=1), 1)
    assert np.allclose(losses.confident_target(p, y, 0.0), y)
    hard = losses.balanced_predictions(p, y.mean(axis=0))
    assert np.allclose(hard.mean(axis=0), y.mean(axis=0), atol=0.001 if classes == 2 else 0.05)
    product = losses.product_target(p, y, 0.5, 0.5)
    expected = np.sqrt(p * y)
    assert np.allclose(product, expected / expected.sum(axis=1, keepdims=True))
    assert np.allclose(losses.product_target(p, y, 0.0, 1.0), y)


def test_entropy():
    assert np.allclose(losses.entropy([[1, 0], [0.5, 0.5]]), [0, np.log(2)])


# ---------------------------------------------------------------- heads


@pytest.mark.parametrize("ridge", [0.0, 2.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_least_squares_is_that_of_scikit_learn(ridge, intercept, rng):
    X, y = rng.standard_normal((60, 8)) + 2, rng.standard_normal((60, 3))
    found = heads.least_squares(X, y, ridge, intercept=intercept)
    peer = Ridge(alpha=ridge or 1e-12, fit_intercept=intercept).fit(X, y)
    assert np.allclose(found(X), peer.predict(X), atol=1e-8)
    wide = heads.least_squares(X[:5], y[:5], intercept=False)  # least norm
    assert np.allclose(wide.coef, np.linalg.pinv(X[:5]) @ y[:5])


def test_softmax_regression_is_that_of_scikit_learn(rng):
    X = rng.standard_normal((200, 5))
    y = (X @ rng.standard_normal((5, 3)) + rng.gumbel(size=(200, 3))).argmax(axis=1)
    found = heads.softmax_regression(X, np.eye(3)[y], ridge=0.01, max_iter=1000)
    peer = LogisticRegression(C=1 / (0.01 * 200), tol=1e-8, max_iter=1000).fit(X, y)
    assert np.allclose(losses.softmax(found(X)), peer.predict_proba(X), atol=1e-3)


# ---------------------------------------------------------------- estimators


def regression(rng, n, N, noise=0.5):
    z = rng.standard_normal((n + N, 30))
    y = z[:, :20] @ rng.standard_normal(20) / 4 + noise * rng.standard_normal(n + N)
    return z[:, :20], z[:, 12:], np.where(np.arange(n + N) < n, y, np.nan), y


def test_regressor_is_two_least_squares(rng):
    S, W, y, _ = regression(rng, 100, 300)
    model = WeakToStrongRegressor(fit_intercept=False).fit(S, y, weak=W)
    teacher = np.linalg.lstsq(W[:100], y[:100])[0]
    student = np.linalg.lstsq(S[100:], W[100:] @ teacher)[0]
    assert np.allclose(model.predict(S), S @ student)
    assert np.allclose(model.pseudo_labels_, W[100:] @ teacher)
    cut = WeakToStrongRegressor(rank=(5, 4)).fit(S, y, weak=W)
    assert cut.student_.coef.shape == (5, 1)
    assert cut.teacher_.coef.shape == (4, 1)
    assert cut.get_params()["rank"] == (5, 4)
    report = model.diagnose(S, y, weak=W)
    assert (report.d_strong, report.d_weak, report.labels) == (20, 18, 100)
    assert round(report.d_overlap) == 8


def test_prediction_before_and_measurement_after_agree():
    """The exact risk, from the features and 200 labels, against the mean over training sets."""
    rng = np.random.default_rng(0)
    measured = []
    b = rng.standard_normal(20) / 4
    for _ in range(40):
        z = rng.standard_normal((500, 30))
        y = z[:, :20] @ b + 0.5 * rng.standard_normal(500)
        y[100:] = np.nan
        model = WeakToStrongRegressor(fit_intercept=False).fit(z[:, :20], y, weak=z[:, 12:])
        wrong = model.strong_directions_ @ model.student_.coef[:, 0] - b
        measured.append(np.sum(wrong**2))
    z = rng.standard_normal((20000, 30))
    y = np.where(np.arange(20000) < 5000, z[:, :20] @ b + 0.5 * rng.standard_normal(20000), np.nan)
    from subspan.w2s import diagnose

    predicted = diagnose(z[:, :20], z[:, 12:], energy=1, labels=y).predict(100, 400)
    low, high = predicted.interval("w2s", 0.99)
    error = np.std(measured, ddof=1) / 40**0.5
    assert abs(np.mean(measured) - predicted.w2s) < 3.5 * error + 0.03 * predicted.w2s
    assert np.mean((np.array(measured) > low) & (np.array(measured) < high)) > 0.9


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_classifier_learns_from_its_teacher(loss, rng):
    z = rng.standard_normal((3000, 12))
    truth = np.where(z[:, 0] + 0.5 * z[:, 1] > 0, 7, 3)
    y = np.where(np.arange(3000) < 200, truth, -1)
    weak = z[:, [0, 5, 6, 7]] + 0.5 * rng.standard_normal((3000, 4))
    model = WeakToStrongClassifier(loss).fit(z[:, :5], y, weak=weak)
    assert model.classes_.tolist() == [3, 7]
    assert np.allclose(model.predict_proba(z[:, :5]).sum(axis=1), 1)
    taught = np.mean(model.classes_[model.pseudo_labels_.argmax(axis=1)] == truth[200:])
    assert model.score(z[:, :5], truth) > taught


def test_refusals_of_estimators(rng):
    S, W, y, _ = regression(rng, 50, 100)
    with pytest.raises(ValueError, match="150, 149 and 150 rows"):
        WeakToStrongRegressor().fit(S, y, weak=W[:-1])
    with pytest.raises(ValueError, match="labelled and unlabelled"):
        WeakToStrongRegressor().fit(S, np.zeros(150), weak=W)
    with pytest.raises(ValueError, match="y must be a vector"):
        WeakToStrongRegressor().fit(S, np.full(150, np.inf), weak=W)
    with pytest.raises(ValueError, match="ridge"):
        WeakToStrongRegressor(-1).fit(S, y, weak=W)
    with pytest.raises(ValueError, match="X has 3 features"):
        WeakToStrongRegressor().fit(S, y, weak=W).predict(S[:, :3])
    with pytest.raises(ValueError, match="integers"):
        WeakToStrongClassifier().fit(S, y, weak=W)
    with pytest.raises(ValueError, match="one class only"):
        WeakToStrongClassifier().fit(S, np.where(np.isnan(y), -1, 1), weak=W)
    with pytest.raises(ValueError, match="loss='hinge'"):
        WeakToStrongClassifier("hinge").fit(S, np.where(np.isnan(y), -1, y > 0).astype(int), weak=W)


# ---------------------------------------------------------------- confident retraining


def groups(rng, m, eta, core=2.5):
    """Two classes, a core feature, and a spurious one that a part eta of the samples contradicts."""
    y = rng.integers(0, 2, m)
    minority = rng.random(m) < eta
    sign, spurious = 2 * y - 1, np.where(minority, 1, -1) * (1 - 2 * y)
    z = rng.standard_normal((m, 20))
    z[:, 0] += core * sign
    noise = rng.standard_normal((m, 7))
    W = np.column_stack([z[:, :5] + noise[:, :5], 1.5 * spurious + noise[:, 5]])
    return W, np.column_stack([z, spurious + noise[:, 6]]), y, minority


def test_retraining_on_confident_samples_helps_the_minority():
    """Labels with a tenth of the minority, unlabelled data with half: paired over ten seeds."""
    share, minority_gain, average_gain = [], [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        W, _, y, _ = groups(rng, 1000, 0.1)
        weak, strong, _, minority = groups(rng, 4000, 0.5)
        _, tests, truth, rare = groups(rng, 8000, 0.5)
        pseudo = losses.softmax(heads.softmax_regression(W, np.eye(2)[y])(weak))
        model = EnhancedW2S(0.5, q=0.7, rng=seed).fit(strong, pseudo)
        before = model.vanilla_(tests).argmax(axis=1) == truth
        after = model.predict(tests) == truth
        share.append(minority[model.selected_].mean() - minority.mean())
        minority_gain.append(after[rare].mean() - before[rare].mean())
        average_gain.append(after.mean() - before.mean())

    def t_value(x):
        return np.mean(x) / (np.std(x, ddof=1) / len(x) ** 0.5)

    assert t_value(share) < -3.25  # 99 % of Student's law with 9 degrees of freedom
    assert t_value(minority_gain) > 3.25
    assert t_value(average_gain) > -1.83


def test_confident_retraining_keeps_its_contract(rng):
    _, S, y, _ = groups(rng, 300, 0.3)
    whole = EnhancedW2S(1.0, folds=1).fit(S, y)
    assert len(whole.selected_) == 300
    assert whole.score(S, y) > 0.9
    half = EnhancedW2S(0.3, rng=3).fit(S, y)
    again = EnhancedW2S(0.3, rng=3).fit(S, y)
    assert np.array_equal(half.selected_, again.selected_)
    assert len(half.selected_) == 90
    assert half.entropy_[half.selected_].max() <= np.delete(half.entropy_, half.selected_).min()
    with pytest.raises(ValueError, match="fraction=0"):
        EnhancedW2S(0).fit(S, y)
    with pytest.raises(ValueError, match="q=2"):
        EnhancedW2S(q=2).fit(S, y)
    with pytest.raises(ValueError, match="expected 300 rows"):
        EnhancedW2S().fit(S, y[:5])
