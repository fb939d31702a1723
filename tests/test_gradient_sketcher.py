"""Sketched per-sample gradients: right, and the same however the samples are divided."""

import numpy as np
import pytest
import subspan

torch = pytest.importorskip("torch")

from subspan.torch import GradientSketcher  # noqa: E402
from torch.nn.functional import cross_entropy, mse_loss  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402


@pytest.fixture
def data():
    g = torch.Generator().manual_seed(0)
    X = torch.randn(101, 6, generator=g)
    return TensorDataset(X, torch.randint(4, (101,), generator=g))


@pytest.fixture
def model():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 4)).eval()


def gradients(model, data, names=None):
    rows = []
    for x, y in data:
        model.zero_grad()
        cross_entropy(model(x[None]), y[None]).backward()
        rows.append(
            torch.cat(
                [p.grad.ravel() for n, p in model.named_parameters() if names is None or n in names]
            ).numpy()
        )
    return np.array(rows)


@pytest.mark.parametrize("kind", ["auto", "sparse_sign", "countsketch", "gaussian", "rademacher"])
def test_sketches_are_those_of_the_whole_gradients(kind, model, data):
    G = gradients(model, data)
    sketcher = GradientSketcher(model, cross_entropy, 24, sketch=kind, rng=3)
    found = sketcher.fit_transform(DataLoader(data, batch_size=16))
    assert found.sketches.dtype == np.float32
    assert np.allclose(found.sketches, (sketcher.operator @ G.T).T, atol=1e-5)
    assert np.allclose(found.squared_norms, (G**2).sum(axis=1), rtol=1e-4)
    assert np.array_equal(found.ids, np.arange(101))
    assert np.asarray(found).shape == (101, 24)
    whole = {
        "auto": lambda *shape: subspan.sketch.SparseSign(*shape, rng=3, nnz=4),
        "sparse_sign": lambda *shape: subspan.sketch.SparseSign(*shape, rng=3),
        "countsketch": lambda *shape: subspan.sketch.CountSketch(*shape, rng=3),
        "gaussian": lambda *shape: subspan.sketch.Gaussian(*shape, rng=3),
        "rademacher": lambda *shape: subspan.sketch.Rademacher(*shape, rng=3),
    }[kind](24, G.shape[1])
    assert np.array_equal(whole.toarray(), sketcher.operator.toarray())


def test_no_bit_depends_on_batches_or_restarts(model, data, tmp_path):
    def sketcher():
        return GradientSketcher(model, cross_entropy, 16, rng=7, micro_batch=8)

    base = sketcher().fit_transform(DataLoader(data, batch_size=1))
    for batch in (3, 8, 64, 101):
        other = sketcher().fit_transform(DataLoader(data, batch_size=batch))
        assert np.array_equal(base.sketches, other.sketches)

    class Stops:
        dataset = data

        def __iter__(self):
            for i, batch in enumerate(DataLoader(data, batch_size=10)):
                if i == 6:
                    raise KeyboardInterrupt
                yield batch

    out = tmp_path / "g.npy"
    with pytest.raises(KeyboardInterrupt):
        sketcher().fit_transform(Stops(), out=out)
    resumed = sketcher().fit_transform(DataLoader(data, batch_size=13), out=out, resume=True)
    assert np.array_equal(base.sketches, resumed.sketches)
    assert np.array_equal(base.squared_norms, resumed.squared_norms)
    assert isinstance(resumed.sketches, np.memmap)
    with pytest.raises(ValueError, match="another sketch"):
        GradientSketcher(model, cross_entropy, 17, rng=7, micro_batch=8).fit_transform(
            DataLoader(data), out=out, resume=True
        )


def test_chosen_parameters(model, data):
    G = gradients(model, data, {"2.weight"})
    choices = ("2.weight", ["2.weight"], lambda name, p: name == "2.weight")
    for choice in choices:
        sketcher = GradientSketcher(model, cross_entropy, 9, params=choice, rng=0)
        assert sketcher.dimension == 32
        found = sketcher.fit_transform(DataLoader(data, batch_size=50))
        assert np.allclose(found.sketches, (sketcher.operator @ G.T).T, atol=1e-5)
    for p in model[0].parameters():
        p.requires_grad_(False)
    assert GradientSketcher(model, cross_entropy, 9).dimension == 36
    with pytest.raises(ValueError, match="no parameter that requires a gradient"):
        GradientSketcher(model, cross_entropy, 9, params="^0")


def test_they_feed_moment_matching(model, data):
    found = GradientSketcher(model, cross_entropy, 12, rng=0).fit_transform(DataLoader(data))
    chosen = subspan.selection.moment_matching(found.sketches, 30, sketch_size=12, rng=0)
    assert len(np.unique(chosen.indices)) == 30
    assert chosen.certificate.coverage < chosen.certificate.uniform.coverage * 1.5


def test_gradients_that_are_not_finite(model, data):
    X, y = data.tensors
    X = X.clone()
    X[40] = float("nan")
    bad = DataLoader(TensorDataset(X, y), batch_size=7)
    sketcher = GradientSketcher(model, cross_entropy, 8, rng=0)
    with pytest.raises(ValueError, match="gradient of sample 40 is not finite"):
        sketcher.fit_transform(bad)
    clean = sketcher.fit_transform(DataLoader(data, batch_size=7))
    dropped = sketcher.fit_transform(bad, on_bad="drop")
    assert dropped.bad == 1
    assert 40 not in dropped.ids
    assert np.array_equal(dropped.sketches, np.delete(clean.sketches, 40, axis=0))
    zeroed = sketcher.fit_transform(bad, on_bad="zero")
    assert zeroed.bad == 1
    assert not zeroed.sketches[40].any()


def test_errors_are_named(model, data, tmp_path):
    loader = DataLoader(data, batch_size=10)
    for options, message in (
        ({"sketch": "best"}, "sketch='best'"),
        ({"size": 0}, "size=0"),
        ({"micro_batch": 0}, "micro_batch=0"),
    ):
        with pytest.raises(ValueError, match=message):
            GradientSketcher(model, cross_entropy, **{"size": 4, **options})
    sketcher = GradientSketcher(model, cross_entropy, 4, rng=0)
    for options, message in (
        ({"on_bad": "ignore"}, "on_bad='ignore'"),
        ({"resume": True}, "resume=True needs out"),
        ({"out": tmp_path / "x.txt"}, "must end in .npy"),
        ({"out": tmp_path / "x.npy", "on_bad": "drop"}, "choose 'zero'"),
        ({"out": tmp_path / "x.npy", "count": 50}, "more than count=50"),
        ({"out": tmp_path / "x.npy", "count": 150}, "ended after 101 of count=150"),
    ):
        with pytest.raises(ValueError, match=message):
            sketcher.fit_transform(loader, **options)
    with pytest.raises(ValueError, match="the loader is empty"):
        sketcher.fit_transform([])
    with pytest.raises(ValueError, match="5 inputs and 4 targets"):
        sketcher.fit_transform([(torch.zeros(5, 6), torch.zeros(4))])
    model[2] = torch.nn.Linear(8, 5)
    with pytest.raises(RuntimeError, match="parameters changed"):
        sketcher.fit_transform(loader)


def test_other_losses_and_precisions(data):
    torch.manual_seed(0)
    model = torch.nn.Linear(6, 1).double()
    X = data.tensors[0].double()
    y = X.sum(dim=1, keepdim=True)
    sketcher = GradientSketcher(model, mse_loss, 5, rng=0)
    found = sketcher.fit_transform([(X, y)])
    error = 2 * (model(X) - y).detach().numpy()
    G = np.hstack([error * X.numpy(), error])
    assert np.allclose(found.sketches, (sketcher.operator @ G.T.astype(np.float32)).T, atol=1e-4)
