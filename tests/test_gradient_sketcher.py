"""Sketched per-sample gradients: right, and the same however the samples are divided."""

import numpy as np
import pytest
import subspan

torch = pytest.importorskip("torch")

from subspan.gradients import sketch_head  # noqa: E402
from subspan.gradients.random_labels import random_labels  # noqa: E402
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


class Sequence(torch.nn.Module):
    """Tokens, an embedding, normalisation, a linear layer over all positions, and an in-place step."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(11, 6)
        self.norm = torch.nn.LayerNorm(6)
        self.hidden = torch.nn.Linear(6, 7)
        self.act = torch.nn.ReLU(inplace=True)
        self.head = torch.nn.Linear(7, 4)

    def forward(self, tokens):
        return self.head(self.act(self.hidden(self.norm(self.embedding(tokens)))))


class Tied(torch.nn.Module):
    """Whose head is its embedding, used outside the call of its module."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(11, 6)

    def forward(self, tokens):
        return torch.tanh(self.embedding(tokens)).mean(1) @ self.embedding.weight.T


class Image(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 3, 3, padding=1)
        self.batch_norm = torch.nn.BatchNorm2d(3)
        self.head = torch.nn.Linear(48, 4)

    def forward(self, x):
        return self.head(torch.relu(self.batch_norm(self.conv(x))).flatten(1))


class Weighted(torch.nn.Module):
    """Parameters of its own, used in no module's call, and two inputs."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(6))
        self.head = torch.nn.Linear(6, 4)

    def forward(self, x, shift):
        return self.head(x * self.scale + shift)


def of_tokens(classes):
    g = torch.Generator().manual_seed(3)
    return torch.randint(11, (20, 5), generator=g), torch.randint(classes, (20,), generator=g)


def pooled(outputs, targets):
    return cross_entropy(outputs.mean(1), targets)


def case(name):
    torch.manual_seed(5)
    g = torch.Generator().manual_seed(4)
    labels = torch.randint(4, (20,), generator=g)
    if name == "sequence":
        return Sequence().eval(), pooled, *of_tokens(4), "modules"
    if name == "tied":
        return Tied().eval(), cross_entropy, *of_tokens(11), "functional"
    if name == "image":
        return (
            Image().eval(),
            cross_entropy,
            torch.randn(20, 2, 4, 4, generator=g),
            labels,
            "modules",
        )
    x = tuple(torch.randn(20, 6, generator=g) for _ in range(2))
    return Weighted().eval(), cross_entropy, x, labels, "functional"


def one_by_one(model, loss_fn, x, y):
    rows = []
    for i in range(len(y)):
        model.zero_grad()
        inputs = [t[i : i + 1] for t in (x if isinstance(x, tuple) else (x,))]
        loss_fn(model(*inputs), y[i : i + 1]).backward()
        rows.append(torch.cat([p.grad.ravel() for p in model.parameters()]).numpy())
    return np.array(rows)


@pytest.mark.parametrize("name", ["sequence", "tied", "image", "weighted"])
def test_every_model_by_the_method_that_fits(name):
    model, loss_fn, x, y, method = case(name)
    G = one_by_one(model, loss_fn, x, y)
    sketchers = [GradientSketcher(model, loss_fn, 16, rng=1, micro_batch=8)]
    sketchers.append(
        GradientSketcher(model, loss_fn, 16, rng=1, micro_batch=8, method="functional")
    )
    for sketcher in sketchers:
        found = sketcher.fit_transform([(x, y)])
        expected = G @ sketcher.operator.toarray().T
        assert np.allclose(found.sketches, expected, atol=1e-4 * np.abs(expected).max())
        assert np.allclose(found.squared_norms, (G**2).sum(axis=1), rtol=1e-3)
        assert np.isclose(found.trace, (G**2).sum() / 20, rtol=1e-4)
    assert [s.chosen_method for s in sketchers] == [method, "functional"]
    if method == "functional":
        by_modules = GradientSketcher(model, loss_fn, 16, method="modules")
        with pytest.raises(ValueError, match="cannot be had module by module"):
            by_modules.fit_transform([(x, y)])


def test_dictionaries_of_inputs():
    model, loss_fn, (x, shift), y, _ = case("weighted")
    sketcher = GradientSketcher(model, loss_fn, 16, rng=1)
    found = sketcher.fit_transform([({"x": x, "shift": shift}, y)])
    again = GradientSketcher(model, loss_fn, 16, rng=1).fit_transform([((x, shift), y)])
    assert np.array_equal(found.sketches, again.sketches)


def test_one_gradient_is_held_at_a_time(monkeypatch):
    """By modules, that of a parameter is gone when the next one is made."""
    import weakref

    from subspan.torch import per_sample

    sizes = [torch.nn.Linear(16, 16) for _ in range(5)]
    model = torch.nn.Sequential(*sizes).eval()
    x, y = torch.randn(8, 16), torch.randint(16, (8,))
    names = [name for name, _ in model.named_parameters()]
    alive = []
    for _, rows in per_sample.by_modules(model, names, cross_entropy, x, y):
        assert not any(ref() is not None for ref in alive[:-1])
        alive.append(weakref.ref(rows))


def test_heads_agree_with_the_model(model, data):
    features = model[1](model[0](data.tensors[0])).detach()
    logits = model[2](features).detach()
    for kind in ("auto", "factored"):
        sketcher = GradientSketcher(model, cross_entropy, 24, params="^2", sketch=kind, rng=3)
        found = sketcher.fit_transform(DataLoader(data, batch_size=16))
        seed = 3 if kind == "auto" else np.random.SeedSequence([3, 0])
        head = sketch_head(features, logits, 24, labels=data.tensors[1], sketch=kind, rng=seed)
        assert np.allclose(found.sketches, head.sketches, atol=1e-5)
        assert np.allclose(found.squared_norms, head.squared_norms, rtol=1e-4)


def test_factored_sketches_of_several_layers():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 9), torch.nn.Tanh(), torch.nn.Linear(9, 4, bias=False)
    )
    x, y = torch.randn(20, 5, 6), torch.randint(4, (20,))
    G = one_by_one(model, pooled, x, y)
    sketcher = GradientSketcher(model, pooled, 32, sketch="factored", rng=0, micro_batch=8)
    found = sketcher.fit_transform([(x, y)])
    first = np.concatenate([G[:, :54].reshape(20, 9, 6), G[:, 54:63, None]], 2).reshape(20, -1)
    expected = first @ sketcher.operator["0"].toarray().T
    expected = expected + G[:, 63:] @ sketcher.operator["2"].toarray().T
    assert np.allclose(found.sketches, expected, atol=1e-5)
    assert np.allclose(found.squared_norms, (G**2).sum(axis=1), rtol=1e-4)
    with pytest.raises(ValueError, match="is for weights of linear layers"):
        GradientSketcher(Image(), cross_entropy, 8, sketch="factored")
    with pytest.raises(ValueError, match="precondition needs gradients"):
        GradientSketcher(model, pooled, 8, sketch="factored", precondition=lambda name, g: g)


def test_random_targets_belong_to_samples(model, data):
    X = data.tensors[0]

    def sketched(batches, **options):
        sketcher = GradientSketcher(model, cross_entropy, 16, rng=7, **options)
        return sketcher.fit_transform(batches).sketches

    labels = torch.from_numpy(random_labels(7, 0, 101, 4)[:, 0])
    expected = sketched([(X, labels)])
    for size in (1, 10, 101):
        assert np.array_equal(sketched(X.split(size), targets="random"), expected)
    assert np.array_equal(sketched(DataLoader(data), targets="random"), expected)
    assert np.array_equal(
        sketched([X], targets=lambda ids, given: labels[torch.from_numpy(ids)]), expected
    )
    assert len(np.unique(labels)) == 4


def test_random_targets_of_sequences():
    model = Sequence().eval()
    x, _ = of_tokens(4)

    def per_position(outputs, targets):
        return cross_entropy(outputs.transpose(1, 2), targets)

    options = {"rng": 7, "targets": "random"}
    found = GradientSketcher(model, per_position, 16, **options).fit_transform(x.split(7))
    labels = torch.from_numpy(random_labels(7, 0, 20, 4, positions=5))
    again = GradientSketcher(model, per_position, 16, rng=7).fit_transform([(x, labels)])
    assert np.array_equal(found.sketches, again.sketches)


@pytest.mark.host_only
@pytest.mark.slow
def test_workers_of_the_loader_do_not_matter(model, data):
    def sketched(workers):
        loader = DataLoader(data, batch_size=13, num_workers=workers)
        return GradientSketcher(model, cross_entropy, 16, rng=7).fit_transform(loader).sketches

    assert np.array_equal(sketched(0), sketched(2))


@pytest.mark.parametrize("form", ["npy", "zarr"])
def test_an_interrupted_stream_goes_on(form, model, data, tmp_path, monkeypatch):
    if form == "zarr":
        pytest.importorskip("zarr")
    X, y = data.tensors
    X = X.clone()
    X[3] = float("nan")

    class Stops:
        dataset = data

        def __iter__(self):
            yield X[:50], y[:50]
            raise KeyboardInterrupt

    def sketched(batches, **options):
        sketcher = GradientSketcher(model, cross_entropy, 16, rng=7, micro_batch=8)
        return sketcher.fit_transform(batches, on_bad="zero", **options)

    out = tmp_path / f"g.{form}"
    base = sketched([(X, y)])
    with pytest.raises(KeyboardInterrupt):
        sketched(Stops(), out=out)
    computed = []
    monkeypatch.setattr(
        GradientSketcher,
        "_sketch",
        lambda self, group, f=GradientSketcher._sketch: (
            computed.append(group.first) or f(self, group)
        ),
    )
    again = sketched([(X, y)], out=out, count=101, resume=True)
    assert computed[0] == 48  # six groups of eight had been counted
    assert np.array_equal(np.asarray(again), base.sketches)
    assert np.array_equal(again.squared_norms, base.squared_norms)
    assert again.bad_ids.tolist() == base.bad_ids.tolist() == [3]
    done = sketched([(X, y)], out=out, count=101, resume=True)
    assert done.bad == 1


def test_preconditioned_gradients(model, data):
    scale = {name: torch.rand_like(p) for name, p in model.named_parameters()}
    sketcher = GradientSketcher(
        model, cross_entropy, 16, rng=0, precondition=lambda name, g: g * scale[name]
    )
    found = sketcher.fit_transform(DataLoader(data, batch_size=32))
    G = gradients(model, data) * torch.cat([s.ravel() for s in scale.values()]).numpy()
    assert np.allclose(found.sketches, G @ sketcher.operator.toarray().T, atol=1e-5)
    assert np.allclose(found.squared_norms, (G**2).sum(axis=1), rtol=1e-4)


def test_models_that_have_no_gradient_per_sample(data):
    batch = [data[:]]
    frozen = torch.nn.Linear(6, 4).requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter that requires a gradient"):
        GradientSketcher(frozen, cross_entropy, 8)

    class Detached(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x).detach()

    for method in ("auto", "modules", "functional"):
        sketcher = GradientSketcher(Detached(6, 4), cross_entropy, 8, method=method)
        with pytest.raises(ValueError, match="loss does not depend on the parameters"):
            sketcher.fit_transform(batch)
    for layer in (torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(4)):
        training = torch.nn.Sequential(torch.nn.Linear(6, 4), layer)
        with pytest.raises(ValueError, match=r"is in training.*call model.eval\(\)"):
            GradientSketcher(training, cross_entropy, 8).fit_transform(batch)
        GradientSketcher(training.eval(), cross_entropy, 8).fit_transform(batch)


def test_parameters_that_change_on_the_way(model, data):
    sketcher = GradientSketcher(model, cross_entropy, 8, rng=0, micro_batch=8)

    def batches():
        yield data[:50]
        model[0].bias.requires_grad_(False)
        yield data[50:]

    with pytest.raises(RuntimeError, match="parameters changed"):
        sketcher.fit_transform(batches())


def test_targets_are_checked(model, data):
    X, y = data.tensors
    with pytest.raises(ValueError, match="targets='best'"):
        GradientSketcher(model, cross_entropy, 8, targets="best")
    with pytest.raises(ValueError, match="method='best'"):
        GradientSketcher(model, cross_entropy, 8, method="best")
    with pytest.raises(ValueError, match="the loader yields no targets"):
        GradientSketcher(model, cross_entropy, 8).fit_transform([X])
    short = GradientSketcher(model, cross_entropy, 8, targets=lambda ids, given: given[:1])
    with pytest.raises(ValueError, match="targets gave 1 for 32 samples"):
        short.fit_transform([(X, y)])
    with pytest.raises(ValueError, match="101 inputs and 100 targets"):
        GradientSketcher(model, cross_entropy, 8).fit_transform([(X, y[:100])])
    with pytest.raises(TypeError, match="a batch holds str"):
        GradientSketcher(model, cross_entropy, 8).fit_transform([("text", y)])
