"""PyTorch losses of weak-to-strong training against those in numpy."""

import numpy as np
import pytest
from subspan.w2s import losses

torch = pytest.importorskip("torch")
from subspan.torch import most_confident, retrain_on_confident, weak_to_strong_loss  # noqa: E402

pytestmark = pytest.mark.host_only


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
