"""The projector with trak's interface: its laws, one operator for all batches, bad input."""

import enum

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from subspan.compat.trak import Projector  # noqa: E402

TYPES = ["sparse_sign", "countsketch", "normal", "rademacher"]


class ProjectionType(enum.StrEnum):
    """As trak has it."""

    normal = "normal"
    rademacher = "rademacher"


@pytest.fixture
def grads():
    return torch.randn(9, 300, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", TYPES)
def test_projection_is_linear_and_the_operator_that_of_the_identity(kind, grads):
    projector = Projector(300, 32, 5, kind, "cpu")
    matrix = projector.project(torch.eye(300), model_id=0)
    found = projector.project(grads, model_id=0)
    assert found.shape == (9, 32)
    assert torch.allclose(found, grads @ matrix, atol=1e-3)
    scaled = Projector(300, 32, 5, kind, "cpu", scaled=True).project(grads, 0)
    assert torch.allclose(found, scaled * 32**0.5)
    if kind == "rademacher":
        assert torch.allclose(matrix.abs(), torch.ones(300, 32))


@pytest.mark.parametrize("kind", TYPES)
def test_batches_dictionaries_and_models(kind, grads):
    projector = Projector(300, 32, 5, kind, "cpu")
    whole = projector.project(grads, model_id=1)
    parts = {"a": grads[:, :100].reshape(9, 10, 10), "b": grads[:, 100:101], "c": grads[:, 101:]}
    assert torch.allclose(projector.project(parts, model_id=1), whole, atol=1e-4)
    if kind in ("sparse_sign", "countsketch"):  # no bit depends on the rest of a batch
        halves = [projector.project(part, model_id=1) for part in grads.split(4)]
        assert torch.equal(torch.cat(halves), whole)
    other = projector.project(grads, model_id=2)
    assert not torch.allclose(other, whole)
    projector.free_memory()
    assert torch.equal(projector.project(grads, model_id=1), whole)
    assert torch.equal(Projector(300, 32, 5, kind, "cpu").project(grads, 1), whole)


def test_squared_lengths_are_kept_on_average(grads):
    """Mean over 300 models of each sample's squared length within 5 standard errors."""
    projector = Projector(300, 32, 5, "sparse_sign", "cpu", scaled=True)
    lengths = torch.stack(
        [projector.project(grads, i).double().square().sum(1) for i in range(300)]
    )
    ratio = (lengths / grads.double().square().sum(1)).numpy()
    error = ratio.std(axis=0, ddof=1) / np.sqrt(300)
    assert np.all(np.abs(ratio.mean(axis=0) - 1) <= 5 * error)


def test_precisions_types_and_empty_batches(grads):
    for kind in ProjectionType:
        found = Projector(300, 8, 0, kind, torch.device("cpu")).project(grads.double(), 0)
        assert found.dtype == torch.float64
    half = Projector(300, 8, 0, "sparse_sign", "cpu").project(grads.bfloat16(), 0)
    assert half.dtype == torch.bfloat16
    empty = Projector(300, 8, 0, "sparse_sign", "cpu").project(grads[:0], 0)
    assert empty.shape == (0, 8)


def test_errors_are_named(grads):
    for arguments, message in (
        ((0, 8, 0, "normal"), "grad_dim=0"),
        ((8, 0, 0, "normal"), "proj_dim=0"),
        ((8, 8, -1, "normal"), "seed=-1"),
        ((8, 8, 0, "uniform"), "proj_type='uniform'"),
    ):
        with pytest.raises(ValueError, match=message):
            Projector(*arguments, "cpu")
    projector = Projector(300, 8, 0, "normal", "cpu")
    for given, message in (
        (grads[:, 1:], "grads has 299 entries a sample; expected 300"),
        (grads[0], "grads has shapes"),
        ({"a": grads, "b": grads[:2]}, "expected .batch, .... with one batch"),
        ({}, "grads has shapes"),
    ):
        with pytest.raises(ValueError, match=message):
            projector.project(given, 0)
    grads[4, 7] = float("nan")
    with pytest.raises(ValueError, match="gradient of sample 4 of the batch"):
        projector.project(grads, 0)
