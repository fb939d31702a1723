"""PyTorch losses and heads of weak-to-strong training against those in numpy."""

import pickle
import sys

import numpy as np
import pytest
import subspan
from sklearn.base import clone
from subspan.w2s import (
    TorchHead,
    W2SExperiment,
    WeakToStrongClassifier,
    WeakToStrongRegressor,
    heads,
    losses,
)

torch = pytest.importorskip("torch")
from subspan.torch import most_confident, retrain_on_confident, weak_to_strong_loss  # noqa: E402

pytestmark = pytest.mark.host_only


@pytest.fixture(autouse=True)
def _one_thread():
    """Thousands of small products: threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_losses_agree_with_numpy(rng):
    logits, soft = rng.standard_normal((60, 3)), rng.dirichlet(np.ones(3), 60)
    z, y = torch.tensor(logits, requires_grad=True), torch.tensor(soft)
    p = losses.softmax(logits)
    targets = {
        "xent": soft,
        "kl": soft,
        "logconf": losses.confident_target(p, soft, 0.25),
        "product": losses.product_target(p, soft, 0.25, 0.75),
    }
    for name, target in targets.items():
        found = weak_to_strong_loss(z, y, loss=name, weight=0.5, progress=0.05, warmup=0.1)
        value, gradient = losses.cross_entropy(logits, target)
        shift = losses.entropy(soft).mean() if name == "kl" else 0
        assert found.item() == pytest.approx(value - shift)
        assert np.allclose(torch.autograd.grad(found, z)[0], gradient, atol=1e-12), name
    found = weak_to_strong_loss(z, y, loss="gce", q=0.6)
    value, gradient = losses.generalized_cross_entropy(logits, soft, 0.6)
    assert found.item() == pytest.approx(value)
    assert np.allclose(torch.autograd.grad(found, z)[0], gradient, atol=1e-12)


def test_retraining(rng):
    x = torch.tensor(rng.standard_normal((200, 4)))
    y = torch.nn.functional.one_hot((x[:, 0] > 0).long(), 2).double()
    model = torch.nn.Linear(4, 2, dtype=torch.float64)
    before = model.weight.clone()

    def train(model, inputs, soft, loss):
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=30)

        def closure():
            optimizer.zero_grad()
            value = loss(model(inputs), soft)
            value.backward()
            return value

        optimizer.step(closure)

    enhanced, vanilla, chosen = retrain_on_confident(model, x, y, train, fraction=0.25)
    assert torch.equal(model.weight, before)
    assert len(chosen) == 50
    assert torch.equal(chosen, most_confident(vanilla(x), 0.25))
    assert (enhanced(x).argmax(dim=1) == y.argmax(dim=1)).double().mean() > 0.95
    with pytest.raises(ValueError, match="fraction=0"):
        most_confident(x, 0)
    with pytest.raises(ValueError, match="loss='mse'"):
        weak_to_strong_loss(x, x, loss="mse")
    with pytest.raises(ValueError, match="shapes"):
        weak_to_strong_loss(x, x[:, :2])


# ---------------------------------------------------------------- heads


def standardized(rng, m, d):
    x = rng.standard_normal((m, d))
    return (x - x.mean(axis=0)) / x.std(axis=0)


def test_linear_head_reaches_the_minimum(rng):
    x = standardized(rng, 200, 5)
    y = x @ rng.standard_normal((5, 2)) + 0.3 + 0.1 * rng.standard_normal((200, 2))
    head = TorchHead(epochs=600, batch=200, learning_rate=0.05)
    for ridge in (0.0, 20.0):
        found = head.fit(x, y, loss="square", ridge=ridge)
        expected = heads.least_squares(x, y, ridge)
        assert np.allclose(found(x), expected(x), atol=1e-4)
    through_zero = head.fit(x, y, loss="square", intercept=False)
    assert np.allclose(through_zero(np.zeros((1, 5))), 0)
    soft = rng.dirichlet(np.ones(3), 200)
    for loss in ("xent", "kl", "gce"):
        found = head.fit(x, soft, loss=loss, ridge=0.05)
        expected = heads.softmax_regression(x, soft, loss=loss, ridge=0.05)
        assert np.allclose(losses.softmax(found(x)), losses.softmax(expected(x)), atol=1e-3), loss


def test_hidden_layer_learns_what_no_linear_head_can(rng):
    x = rng.standard_normal((600, 4)) * [1, 10, 100, 0]
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    hard = np.eye(2)[y]
    train, test = slice(400), slice(400, None)
    right = {
        hidden: np.mean(TorchHead(hidden).fit(x[train], hard[train])(x[test]).argmax(1) == y[test])
        for hidden in (0, 32)
    }
    assert right[0] < 0.7 < 0.9 < right[32]


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_experiment_with_a_torch_head(loss, rng, tmp_path):
    z = rng.standard_normal((900, 20))
    y = (z[:, 8:12].sum(axis=1) > 0).astype(int)
    seen = []
    experiment = W2SExperiment(
        "classification", loss=loss, head=TorchHead(8, epochs=15), energy=0.95
    )

    def run(**more):
        grid = {"n": [60], "N": [200, 400], "seeds": [3, 4]}
        return experiment.run(z[:, :12], z[:, 6:], y, **grid, **more)

    found = run(progress=lambda done, total, info: seen.append((done, total)))
    assert seen[-1] == (2, 2)
    assert np.array_equal(run().errors, found.errors)
    assert np.all(found.errors < 0.45)
    assert "TorchHead(hidden=8" in repr(found)
    found.save(tmp_path / "m.npz")
    back = subspan.load(tmp_path / "m.npz")
    assert np.array_equal(back.errors, found.errors)
    assert back.head == found.head


def test_experiment_with_a_torch_head_is_that_in_closed_form(rng):
    z = standardized(rng, 1200, 12)
    y = z[:, 4] + 0.5 * rng.standard_normal(1200)
    given = {"n": [80], "N": [400], "seeds": range(2)}
    exact = W2SExperiment(intercept=True).run(z[:, :8], z[:, 4:], y, **given)
    found = W2SExperiment(
        intercept=True, head=TorchHead(epochs=300, batch=480, learning_rate=0.05)
    ).run(z[:, :8], z[:, 4:], y, **given)
    assert np.allclose(found.errors, exact.errors, rtol=1e-3)


def test_estimators_take_torch_heads(rng):
    z = standardized(rng, 400, 10)
    known = np.arange(400) < 100
    plain = WeakToStrongRegressor(ridge=2.0)
    model = WeakToStrongRegressor(ridge=2.0, head=TorchHead(epochs=400, batch=400))
    y = np.where(known, z[:, 3], np.nan)
    for each in (plain, model):
        each.fit(z[:, :6], y, weak=z[:, 3:])
    assert np.allclose(model.predict(z[:, :6]), plain.predict(z[:, :6]), atol=0.02)
    classes = np.where(known, z[:, 3] > 0, -1)
    classifier = clone(WeakToStrongClassifier("gce", head=TorchHead(hidden=16)))
    classifier.fit(z[:, :6], classes, weak=z[:, 3:])
    again = pickle.loads(pickle.dumps(classifier))
    assert np.array_equal(again.predict_proba(z[:, :6]), classifier.predict_proba(z[:, :6]))
    assert classifier.score(z[~known, :6], z[~known, 3] > 0) > 0.9


def test_refusals_of_torch_heads(monkeypatch, rng):
    x = rng.standard_normal((30, 3))
    for wrong in ({"epochs": 0}, {"batch": 0}, {"learning_rate": 0.0}, {"hidden": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            TorchHead(**wrong)
    with pytest.raises(ValueError, match="loss='mse'"):
        TorchHead().fit(x, x, loss="mse")
    with pytest.raises(ValueError, match="shapes"):
        TorchHead().fit(x, x[:-1])
    with pytest.raises(ValueError, match="finite"):
        TorchHead().fit(x, np.full((30, 2), np.nan))
    with pytest.raises(TypeError, match="head='mlp' must be None or a TorchHead"):
        W2SExperiment(head="mlp")
    with pytest.raises(TypeError, match="head=3"):
        WeakToStrongRegressor(head=3).fit(x, np.r_[np.ones(9), np.full(21, np.nan)], weak=x)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"subspan\[torch\]"):
        TorchHead().fit(x, x)
