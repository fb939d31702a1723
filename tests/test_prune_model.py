"""Pruning of whole transformers: smaller, loadable, as predicted, and all or nothing."""

import json
import time
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import subspan

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from subspan import pruning  # noqa: E402
from subspan.torch.pruning import (  # noqa: E402
    IllegalHeadCount,
    UnknownArchitecture,
    collect_statistics,
    compare_speed,
    load_pruned,
    perplexity,
    prune_model,
    save_pruned,
    unit_seconds,
)

pytestmark = pytest.mark.host_only
VOCABULARY = 60


def build(kind):
    small = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32}
    special = {"bos_token_id": 1, "eos_token_id": 2, "vocab_size": VOCABULARY}
    t = transformers
    if kind == "llama":
        config = t.LlamaConfig(
            **small, **special, intermediate_size=48, num_key_value_heads=2,
            max_position_embeddings=64, tie_word_embeddings=True,
        )  # fmt: skip
        return t.LlamaForCausalLM(config)
    if kind == "gpt2":
        return t.GPT2LMHeadModel(
            t.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_inner=48, n_positions=64, **special)
        )
    if kind == "opt":
        config = t.OPTConfig(
            **small, **special, ffn_dim=48, word_embed_proj_dim=32, max_position_embeddings=64
        )
        return t.OPTForCausalLM(config)
    if kind == "vit":
        config = t.ViTConfig(
            **small, intermediate_size=48, image_size=16, patch_size=4, num_labels=5
        )
        return t.ViTForImageClassification(config)
    return t.BertModel(t.BertConfig(**small, intermediate_size=48, vocab_size=VOCABULARY))


KINDS = ("llama", "gpt2", "opt", "vit", "bert")


@pytest.fixture(params=KINDS)
def model(request):
    torch.manual_seed(0)
    return build(request.param).eval()


@pytest.fixture
def llama():
    torch.manual_seed(0)
    return build("llama").eval()


def inputs_for(model, rows=25):
    generator = torch.Generator().manual_seed(1)
    if model.config.model_type == "vit":
        return torch.randn(rows, 3, 16, 16, generator=generator)
    return torch.randint(3, VOCABULARY, (rows, 12), generator=generator)


def output(model, data):
    with torch.no_grad():
        out = model(data[:3])
    return out.logits if hasattr(out, "logits") else out.last_hidden_state


def size(model):
    return sum(p.numel() for p in model.parameters())


# ---------------------------------------------------------------- smaller, and as predicted


def test_every_family_gets_smaller_and_loses_what_was_predicted(model, tmp_path):
    data = inputs_for(model)
    before, dense = output(model, data), size(model)
    report = prune_model(model, data, sparsity=0.25, method="obs", rng=0)
    assert size(report.model) < dense == size(model)
    assert torch.equal(output(model, data), before)
    assert [layer.after for layer in report.layers] == [36, 36]
    for layer in report.layers:
        assert layer.held_out <= layer.dropped_held_out
        np.testing.assert_allclose(layer.measured, layer.held_out, rtol=1e-3)
    # The usual class loads it, and computes the same.
    report.model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path).eval()
    assert torch.equal(output(again, data), output(report.model, data))
    report.to_json(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["layers"][0]["after"] == 36
    assert "36" in str(report)


@pytest.mark.parametrize("method", ["magnitude", "wanda", "flap", "goa", "goa_code", "weighted_id"])
def test_every_method_runs_and_the_repair_lowers_the_error(llama, method):
    data = inputs_for(llama)
    repaired, dropped = (
        prune_model(llama, data, sparsity=0.5, method=method, reconstruct=r, rng=0)
        for r in (True, False)
    )
    for a, b in zip(repaired.layers, dropped.layers, strict=True):
        assert a.predicted <= b.predicted
        assert a.held_out <= b.held_out
        assert a.after == b.after == 24


def test_redundant_units_are_removed_without_a_change(model):
    """Half of the units repeat the others, half of the heads too where heads can go."""
    from subspan.torch.pruning.architecture import FAMILIES, blocks_of
    from subspan.torch.pruning.linear import weight_of

    family = FAMILIES[model.config.model_type]
    with torch.no_grad():
        for block in blocks_of(model, family):
            for name in family.level1:
                layer = block.get_submodule(name)
                W = weight_of(layer)
                W[24:] = W[:24]
                if layer.bias is not None:
                    layer.bias[24:] = layer.bias[:24]
    data = inputs_for(model, 60)
    report = prune_model(model, data, sparsity=0.5, method="weighted_id", damping=1e-9)
    torch.testing.assert_close(
        output(report.model, data), output(model, data), rtol=1e-4, atol=1e-5
    )
    dropped = prune_model(model, data, sparsity=0.5, method="magnitude", reconstruct=False)
    assert (output(dropped.model, data) - output(model, data)).abs().max() > 1e-4


@pytest.mark.parametrize("kind", ["llama", "vit"])
@pytest.mark.parametrize("sequential", [False, True])
def test_heads_go_in_groups_and_the_model_loads(kind, sequential, tmp_path):
    torch.manual_seed(0)
    model = build(kind).eval()
    data = inputs_for(model)
    report = prune_model(
        model, data, sparsity=0.25, heads=0.5, method="obs", sequential=sequential, rng=0
    )
    assert report.model.config.num_attention_heads == 2
    assert [x.after for x in report.layers if "o_proj" in x.name] == [16, 16]
    for x in report.layers:
        if not sequential:
            np.testing.assert_allclose(x.measured, x.held_out, rtol=1e-3)
    report.model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path).eval()
    assert torch.equal(output(again, data), output(report.model, data))
    assert output(model, data).shape == output(again, data).shape


def test_sequential_pruning_sees_the_pruned_blocks_before(llama):
    data = inputs_for(llama)
    one, front = (
        prune_model(llama, data, sparsity=0.5, method="obs", sequential=s, rng=0) for s in (0, 1)
    )
    first, second = ([x.predicted for x in r.layers] for r in (one, front))
    np.testing.assert_allclose(first[0], second[0], rtol=1e-3)
    assert first[1] != second[1]


@pytest.mark.parametrize("reconstruct", [True, "two_step"])
def test_sequential_refits_bring_the_output_nearer_than_dropping(model, reconstruct):
    data = inputs_for(model, 80)
    options = {"sparsity": 0.5, "method": "second_moment", "sequential": True, "rng": 0}
    near, far = (
        prune_model(model, data, reconstruct=r, **options).model for r in (reconstruct, False)
    )
    with torch.no_grad():
        error = [float((model(data)[0] - m(data)[0]).norm()) for m in (near, far)]
    assert error[0] < error[1]


def test_a_bias_can_be_added_where_the_configuration_allows(llama, tmp_path):
    data = inputs_for(llama)
    report = prune_model(llama, data, sparsity=0.25, method="flap", bias=True)
    assert report.model.config.mlp_bias
    assert report.model.model.layers[0].mlp.down_proj.bias.abs().max() > 0
    report.model.save_pretrained(tmp_path)
    again = type(llama).from_pretrained(tmp_path).eval()
    assert torch.equal(output(again, data), output(report.model, data))


# ---------------------------------------------------------------- unequal widths, masks


@pytest.mark.parametrize("kind", KINDS)
def test_unequal_widths_are_saved_exactly_or_padded(kind, tmp_path):
    torch.manual_seed(0)
    model = build(kind).eval()
    data = inputs_for(model)
    report = prune_model(
        model, data, sparsity=0.25, method="second_moment", blocks=[1], multiple_of=8
    )
    assert report.model.config.subspan_widths == [48, 40]
    save_pruned(report.model, tmp_path / "exact")
    again = load_pruned(tmp_path / "exact")
    expected = output(report.model, data)
    assert size(again) == size(report.model)
    assert torch.equal(output(again, data), expected)
    save_pruned(report.model, tmp_path / "padded", export="padded")
    padded = type(model).from_pretrained(tmp_path / "padded").eval()
    torch.testing.assert_close(output(padded, data), expected, rtol=1e-5, atol=1e-6)
    assert size(padded) > size(report.model)
    assert not list(tmp_path.glob("**/*.bin"))


def test_a_global_budget_meets_the_sparsity(llama):
    report = prune_model(
        llama, inputs_for(llama), sparsity=0.25, method="obs", budget="global", multiple_of=4
    )
    after = [x.after for x in report.layers]
    assert sum(after) <= 0.75 * 96
    assert all(k % 4 == 0 for k in after)


@pytest.mark.parametrize(
    ("method", "pattern"),
    [
        (method, pattern)
        for method in ("magnitude", "wanda", "sparsegpt", "obs", "iobs")
        for pattern in ("row", "2:4")
    ],
)
def test_masks_zero_what_was_asked(llama, method, pattern):
    report = prune_model(
        llama, inputs_for(llama), sparsity=0.5, method=method, structured=False, pattern=pattern
    )
    assert len(report.layers) == 14
    for layer in report.layers:
        assert layer.after == layer.before // 2
        assert 0 < layer.predicted <= 1
    assert size(report.model) == size(llama)
    assert report.parameters_after < report.parameters_before


def test_iobs_follows_the_dense_outputs_better_than_one_shot(model):
    data = inputs_for(model, 200)
    dense = output(model, data[:1])
    held_out = data[4::5]  # judged where both were judged
    lost = {}
    for method in ("iobs", "sparsegpt"):
        report = prune_model(
            model, data, sparsity=0.5, method=method, structured=False, sequential=True
        )
        assert all(layer.after <= layer.before - layer.before // 2 for layer in report.layers)
        lost[method] = sum(
            float(((states(report.model, part) - states(model, part)) ** 2).sum())
            for part in held_out.split(8)
        )
    assert lost["iobs"] < lost["sparsegpt"]
    assert torch.equal(output(model, data[:1]), dense)


def states(model, data):
    """What leaves the last block."""
    with torch.no_grad():
        return model(data, output_hidden_states=True).hidden_states[-1]


@pytest.mark.parametrize("heads", [0.0, 0.5])
def test_in_sequence_later_blocks_make_up_for_earlier_ones(llama, heads):
    """Targets that hold what the states lack lead closer to the dense states than one-shot pruning."""
    data = inputs_for(llama, 300)
    lost = []
    for sequential in (False, True):
        report = prune_model(
            llama, data, sparsity=0.5, heads=heads, method="obs", sequential=sequential, rng=0
        )
        change = states(report.model, data[4::5]) - states(llama, data[4::5])
        lost.append(float((change**2).sum()))
    assert lost[1] < lost[0]


def test_a_model_that_was_read_from_gguf_can_be_saved(llama, tmp_path):
    """transformers reads such files into plain layers, and then refuses to save them."""

    class Quantizer:
        is_serializable = False

    llama.config.quantization_config = {"quant_method": "gguf"}
    llama.hf_quantizer = Quantizer()
    data = inputs_for(llama)
    report = prune_model(llama, data, sparsity=0.25, method="second_moment")
    report.model.save_pretrained(tmp_path)
    again = type(llama).from_pretrained(tmp_path).eval()
    assert torch.equal(output(again, data), output(report.model, data))
    assert llama.hf_quantizer is not None
    assert llama.config.quantization_config is not None


# ---------------------------------------------------------------- all or nothing


def test_reports_are_drawn(llama, tmp_path):
    pytest.importorskip("matplotlib")
    from subspan import plots

    report = prune_model(llama, inputs_for(llama), sparsity=0.25, method="obs")
    axes = plots.pruning(report)
    plots.save(axes, tmp_path / "report.png")
    lines = {line.get_label(): line.get_ydata() for line in axes[0].get_lines()}
    np.testing.assert_allclose(lines["repaired, measured"], lines["repaired, predicted"], rtol=1e-3)
    masks = prune_model(llama, inputs_for(llama), sparsity=0.5, method="wanda", structured=False)
    assert len(plots.pruning(masks)[0].get_lines()) == 2


def test_in_place_changes_the_model_only_if_all_succeeds(llama, monkeypatch):
    data = inputs_for(llama)
    before, dense, config = output(llama, data), size(llama), llama.config
    from subspan.torch.pruning import run

    original, calls = run.prune_units_of, []

    def fails_at_second(*args):
        calls.append(1)
        if len(calls) == 2:
            raise pruning.SingularMoments("on purpose")
        return original(*args)

    monkeypatch.setattr(run, "prune_units_of", fails_at_second)
    llama.train()
    with pytest.raises(pruning.SingularMoments, match="on purpose"):
        prune_model(llama, data, sparsity=0.25, method="obs", inplace=True)
    assert size(llama) == dense
    assert llama.config is config
    assert all(part.training for part in llama.modules())
    llama.eval()
    assert torch.equal(output(llama, data), before)
    monkeypatch.undo()
    report = prune_model(llama, data, sparsity=0.25, method="obs", inplace=True)
    assert report.model is llama
    assert size(llama) < dense
    assert not any(m._forward_pre_hooks for m in llama.modules())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "options",
    [
        {"method": "obs", "sparsity": 0.25},
        {"method": "obs", "sparsity": 0.0},
        {"method": "flap", "sparsity": 0.25, "reconstruct": False},
        {"method": "obs", "sparsity": 0.25, "sequential": True, "reconstruct": "two_step"},
        {"method": "wanda", "sparsity": 0.5, "structured": False},
        {"method": "obs", "sparsity": 0.0, "structured": False},
        {"method": "iobs", "sparsity": 0.5, "structured": False},
        {"method": "obs", "sparsity": 0.25, "blocks": [1]},
    ],
    ids=str,
)
def test_the_pruned_model_has_memory_of_its_own(model, options, dtype):
    model.to(dtype)
    data = inputs_for(model)
    data = data.to(dtype) if data.is_floating_point() else data
    if model.config.model_type in ("llama", "vit"):
        options = {**options, **({"heads": 0.5} if options.get("structured", True) else {})}
    if options.get("blocks"):
        options.pop("heads", None)
    before = output(model, data)
    report = prune_model(model, data, **options)
    ours = {t.untyped_storage().data_ptr() for t in model.state_dict().values()}
    theirs = {t.untyped_storage().data_ptr() for t in report.model.state_dict().values()}
    assert not ours & theirs
    with torch.no_grad():
        for p in report.model.parameters():
            p.fill_(1.0)
    assert torch.equal(output(model, data), before)


def test_layers_that_share_weights_with_pruned_ones_are_copied(llama):
    first, second = (block.mlp for block in llama.model.layers)
    second.up_proj.weight = first.up_proj.weight
    report = prune_model(llama, inputs_for(llama), sparsity=0.25, method="obs", blocks=[1])
    stays = report.model.model.layers[0].mlp.up_proj.weight
    assert torch.equal(stays, first.up_proj.weight)
    assert stays.data_ptr() != first.up_proj.weight.data_ptr()


@pytest.mark.parametrize("options", [{}, {"sequential": True}, {"heads": 0.5}], ids=str)
def test_the_moments_of_one_block_are_in_memory_at_a_time(options):
    # Arrays alone are traced, not tensors: what grows with the blocks must be far below one Gram matrix.
    def peak(blocks):
        torch.manual_seed(0)
        config = transformers.LlamaConfig(
            num_hidden_layers=blocks, num_attention_heads=4, num_key_value_heads=2, hidden_size=32,
            intermediate_size=512, vocab_size=VOCABULARY, max_position_embeddings=64,
        )  # fmt: skip
        data = inputs_for(model := transformers.LlamaForCausalLM(config).eval(), rows=60)
        tracemalloc.start()
        try:
            prune_model(model, data, sparsity=0.25, method="second_moment", damping=1.0, **options)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # imports
    gram = 8 * 512**2
    assert gram < peak(2)
    assert peak(8) < peak(2) + gram / 2


def test_padding_does_not_count_and_seeds_repeat(llama):
    ids = inputs_for(llama)
    padded = torch.cat([ids, torch.zeros(25, 4, dtype=ids.dtype)], 1)
    mask = (torch.arange(16) < 12).long().expand(25, 16)
    plain = prune_model(llama, ids, sparsity=0.25, method="obs", batch_size=5)
    batches = [
        {"input_ids": padded[i : i + 5], "attention_mask": mask[i : i + 5]} for i in range(0, 25, 5)
    ]
    masked = prune_model(llama, batches, sparsity=0.25, method="obs")
    assert plain.kept == masked.kept
    for a, b in zip(plain.layers, masked.layers, strict=True):
        np.testing.assert_allclose(a.predicted, b.predicted, rtol=1e-3)
    again = prune_model(llama, ids, sparsity=0.25, method="random", rng=plain.seed)
    twice = prune_model(llama, ids, sparsity=0.25, method="random", rng=plain.seed)
    assert again.kept == twice.kept


def test_refusals_are_named(llama):
    data = inputs_for(llama)
    with pytest.raises(IllegalHeadCount, match=r"possible are heads = 0.5, 0, in all blocks"):
        prune_model(llama, data, sparsity=0.25, heads=0.25)
    with pytest.raises(IllegalHeadCount, match="only heads=0"):
        prune_model(build("gpt2"), data, sparsity=0.25, heads=0.5)
    with pytest.raises(UnknownArchitecture, match="known are"):
        prune_model(torch.nn.Linear(3, 3), data, sparsity=0.25)
    with pytest.raises(ValueError, match="another tokenizer"):
        prune_model(llama, data + VOCABULARY, sparsity=0.25)
    with pytest.raises(ValueError, match="holds no data"):
        prune_model(llama, [], sparsity=0.25)
    with pytest.raises(ValueError, match="sparsity=1"):
        prune_model(llama, data, sparsity=1.0)
    with pytest.raises(ValueError, match="not known for structured=True"):
        prune_model(llama, data, sparsity=0.5, method="sparsegpt")
    with pytest.raises(ValueError, match="goes with sequential"):
        prune_model(llama, data, sparsity=0.5, reconstruct="two_step")
    with pytest.raises(ValueError, match="cannot give"):
        prune_model(build_mistral(), data, sparsity=0.5, bias=True)
    with pytest.raises(pruning.NotEnoughSamples):
        prune_model(llama, data[:1, :5], sparsity=0.25, method="wanda", damping=0)
    llama.model.layers[0].mlp.down_proj = torch.nn.Identity()
    with pytest.raises(UnknownArchitecture, match="Identity"):
        prune_model(llama, data, sparsity=0.25)


def build_mistral():
    config = transformers.MistralConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=1,
        num_attention_heads=4, num_key_value_heads=2, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return transformers.MistralForCausalLM(config).eval()


# ---------------------------------------------------------------- perplexity


def reference_nll(model, ids, first):
    with torch.no_grad():
        logits = model(ids[None]).logits[0, :-1].double()
    return torch.nn.functional.cross_entropy(logits, ids[1:], reduction="none")[first:]


def test_perplexity_counts_every_token_once(llama):
    ids = inputs_for(llama).ravel()[:50]
    whole = perplexity(llama, ids)
    np.testing.assert_allclose(whole.nll, float(reference_nll(llama, ids, 0).mean()), rtol=1e-5)
    assert (whole.tokens, whole.length) == (49, 64)
    cut = perplexity(llama, ids, length=20, batch_size=1)
    assert cut.tokens == 19 + 19 + 9
    assert float(cut) == np.exp(cut.nll)
    sliding = perplexity(llama, ids, length=20, stride=10)
    parts = [reference_nll(llama, ids[:20], 0)]
    parts += [reference_nll(llama, ids[s : s + 20], 9) for s in (10, 20, 30)]
    assert sliding.tokens == 49
    np.testing.assert_allclose(sliding.nll, float(torch.cat(parts).mean()), rtol=1e-5)
    started = perplexity(llama, ids, length=21, bos=1)
    assert started.tokens == 50
    rows = perplexity(llama, ids.view(5, 10))
    assert rows.tokens == 45
    assert pruning.perplexity is perplexity


class Bigram(torch.nn.Module):
    """A large vocabulary: one likely word, and 50,000 others that weigh as much together."""

    config = SimpleNamespace(max_position_embeddings=64)

    def __init__(self):
        super().__init__()
        logits = torch.zeros(3, 50_000)
        logits[:, 7] = 10.8
        self.table = torch.nn.Parameter(logits)

    def get_input_embeddings(self):
        return SimpleNamespace(num_embeddings=len(self.table))

    def forward(self, ids):
        return SimpleNamespace(logits=self.table[ids])


def test_a_large_vocabulary_costs_no_accuracy():
    """Added one by one in single precision, 50,000 exponentials would all round the same way."""
    model, ids = Bigram(), torch.arange(40) % 3
    expected = float(reference_nll(model, ids, 0).mean())
    np.testing.assert_allclose(perplexity(model, ids).nll, expected, rtol=3e-6)


def test_bad_texts_are_named(llama):
    for tokens, options, match in [
        ([1], {}, "nothing to predict"),
        ([1, VOCABULARY], {}, "another tokenizer"),
        ([1.5, 2.0], {}, "1-d or 2-d ints"),
        ([1, 2, 3], {"length": 1000}, "the model's 64"),
        ([1, 2, 3], {"length": 4, "stride": 5}, "stride=5"),
    ]:
        with pytest.raises(ValueError, match=match):
            perplexity(llama, np.array(tokens), **options)


def test_speed_is_measured_on_both_models(model):
    data = inputs_for(model, 4)
    small = prune_model(model, inputs_for(model), sparsity=0.5, method="second_moment").model
    found = compare_speed(model, small, data, repeats=2)
    assert found.speedup > 0
    assert found.bytes_before == 4 * size(model)
    assert found.bytes_after == 4 * size(small)
    with pytest.raises(ValueError, match="repeats=0"):
        compare_speed(model, small, data, repeats=0)


# ---------------------------------------------------------------- the command


@pytest.fixture
def folder(llama, tmp_path, rng):
    """A model with a tokenizer of one word per token, and two texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {f"w{i}": i for i in range(VOCABULARY)}
    plain = Tokenizer(models.WordLevel(words, unk_token="w0"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="w0")
    llama.save_pretrained(tmp_path / "dense")
    tokenizer.save_pretrained(tmp_path / "dense")
    for name in ("calib", "eval"):
        text = " ".join(f"w{i}" for i in rng.integers(3, VOCABULARY, 700))
        (tmp_path / f"{name}.txt").write_text(text)
    return tmp_path


def test_the_command_writes_a_model_that_the_usual_classes_load(folder, capsys):
    from subspan import cli

    out = folder / "small"
    common = [str(folder / "dense"), "--out", str(out), "--calib", str(folder / "calib.txt")]
    options = ["--eval", str(folder / "eval.txt"), "--length", "20", "--heads", "0.5", "--json"]
    assert cli.main(["prune", *common, *options]) == 0
    summary = json.loads(capsys.readouterr().out)
    model = transformers.AutoModelForCausalLM.from_pretrained(out)
    assert model.config.intermediate_size == 40  # 36, to the next multiple of 8
    assert summary["parameters"][1] == size(model)
    assert summary["parameters"][1] < summary["parameters"][0]
    assert summary["perplexity"][1] > 0
    assert json.loads((out / "pruning.json").read_text())["settings"]["heads"] == 0.5
    assert cli.main(["prune", *common, "--length", "20", "--budget", "measured"]) == 0
    shown = capsys.readouterr().out
    assert "down_proj" in shown
    assert "times as fast" in shown
    masks = ["--weights", "--pattern", "2:4", "--sparsity", "0.5", "--method", "iobs"]
    assert cli.main(["prune", *common, "--length", "20", *masks]) == 0
    report = json.loads((out / "pruning.json").read_text())
    assert {layer["after"] / layer["before"] for layer in report["layers"]} == {0.5}


@pytest.mark.parametrize("damage", ["empty", "truncated", "config"])
def test_damaged_models_are_refused_in_one_line(folder, damage, capsys):
    from subspan import cli

    common = ["--out", str(folder / "small"), "--calib", str(folder / "calib.txt")]
    model = folder / "dense"
    if damage == "config":
        (model / "config.json").write_text("{")
    elif damage == "truncated":
        weights = model / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:100])
    else:
        pytest.importorskip("gguf")
        pytest.importorskip("accelerate")
        model = folder / "weights.gguf"
        model.write_bytes(b"GGUF nothing more")
    assert cli.main(["prune", str(model), *common]) == 2
    error = capsys.readouterr().err
    assert "does not hold a model that can be read" in error
    assert "Traceback" not in error
    assert not (folder / "small").exists()


def test_the_command_names_what_is_wrong_in_one_line(folder, capsys):
    from subspan import cli

    common = ["--out", str(folder / "x"), "--calib", str(folder / "calib.txt")]
    assert cli.main(["prune", str(folder), *common]) == 2
    assert "config.json" in capsys.readouterr().err
    assert cli.main(["prune", str(folder / "dense"), *common, "--length", "10000"]) == 2
    assert "700 tokens" in capsys.readouterr().err
    assert (
        cli.main(["prune", str(folder / "dense"), *common, "--length", "20", "--heads", "0.3"]) == 2
    )
    assert "possible are heads" in capsys.readouterr().err
    assert not (folder / "x").exists()


# ---------------------------------------------------------------- statistics once, prunings many times


@pytest.mark.parametrize(
    "options",
    [
        {"method": "obs"},
        {"method": "flap", "reconstruct": False, "budget": "standardized"},
        {"method": "goa", "budget": "global"},
        {"method": "sparsegpt", "structured": False},
    ],
)
def test_statistics_stand_for_the_calibration_data(model, options, tmp_path):
    data = inputs_for(model)
    path = tmp_path / "statistics.safetensors"
    collect_statistics(model, data).save(path)
    statistics = subspan.load(path)
    a = prune_model(model, data, sparsity=0.25, rng=0, **options)
    b = prune_model(model, statistics, sparsity=0.25, rng=0, **options)
    assert a.kept == b.kept
    for x, y in zip(a.model.parameters(), b.model.parameters(), strict=True):
        assert torch.equal(x, y)
    assert [layer.held_out for layer in a.layers] == [layer.held_out for layer in b.layers]


def test_statistics_of_parts_merge(llama):
    data = inputs_for(llama, 20)
    parts = [collect_statistics(llama, part) for part in (data[:10], data[10:])]
    both, whole = parts[0].merge(parts[1]), collect_statistics(llama, data)
    assert both.rows == whole.rows == 20
    for number, layers in whole.blocks.items():
        for name, split in layers.items():
            found = both.blocks[number][name]
            np.testing.assert_allclose(
                found.fit.second_moment(), split.fit.second_moment(), rtol=1e-9, atol=1e-12
            )
            assert found.held_out.n == split.held_out.n


def test_statistics_that_do_not_fit_are_refused(llama):
    data = inputs_for(llama)
    one = collect_statistics(llama, data, blocks=[1])
    prune_model(llama, one, sparsity=0.25, method="obs", blocks=[1])
    with pytest.raises(ValueError, match="hold blocks"):
        prune_model(llama, one, sparsity=0.25, method="obs")
    with pytest.raises(ValueError, match="sequential"):
        prune_model(llama, one, sparsity=0.25, sequential=True)
    smaller = prune_model(llama, data, sparsity=0.25, method="obs").model
    with pytest.raises(ValueError, match="of 48 channels; the model has 36"):
        prune_model(smaller, collect_statistics(llama, data), sparsity=0.25)
    with pytest.raises(ValueError, match="of a llama model"):
        prune_model(build("gpt2"), one, sparsity=0.25)
    with pytest.raises(ValueError, match="cannot merge"):
        one.merge(collect_statistics(llama, data))


# ---------------------------------------------------------------- heads that share keys


@pytest.mark.parametrize("method", ["obs", "weighted_id", "output", "second_moment", "goa"])
@pytest.mark.parametrize(("heads", "kept", "kv"), [(0.25, 6, 2), (0.5, 4, 2), (0.75, 2, 2)])
def test_query_heads_leave_every_group_alike(method, heads, kept, kv, tmp_path):
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            num_hidden_layers=2, num_attention_heads=8, num_key_value_heads=2, hidden_size=48,
            intermediate_size=32, vocab_size=VOCABULARY, bos_token_id=1, eos_token_id=2,
            max_position_embeddings=64,
        )
    ).eval()  # fmt: skip
    data = inputs_for(model)
    report = prune_model(model, data, sparsity=0.0, heads=heads, method=method, rng=0)
    config = report.model.config
    assert (config.num_attention_heads, config.num_key_value_heads) == (kept, kv)
    for name, channels in report.kept.items():
        if name.endswith("o_proj"):
            groups = np.unique(np.array(channels) // 6) // 4
            assert np.bincount(groups).tolist() == [kept // 2, kept // 2]
    for layer in report.layers:
        np.testing.assert_allclose(layer.measured, layer.held_out, rtol=1e-3, atol=1e-9)
    report.model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path).eval()
    assert torch.equal(output(again, data), output(report.model, data))


def test_whole_groups_leave_where_queries_cannot(tmp_path):
    """Of 8 heads on 4 keys, 6 stay: no equal number of queries does it, three whole groups do."""
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            num_hidden_layers=2, num_attention_heads=8, num_key_value_heads=4, hidden_size=48,
            intermediate_size=32, vocab_size=VOCABULARY, bos_token_id=1, eos_token_id=2,
            max_position_embeddings=64,
        )
    ).eval()  # fmt: skip
    data = inputs_for(model)
    report = prune_model(model, data, sparsity=0.0, heads=0.25, method="obs", rng=0)
    config = report.model.config
    assert (config.num_attention_heads, config.num_key_value_heads) == (6, 3)
    report.model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path).eval()
    assert torch.equal(output(again, data), output(report.model, data))


# ---------------------------------------------------------------- budgets by what blocks do to the outputs


def test_measured_budgets_spare_the_block_that_matters(model):
    """The module of one block adds a hundredth of what the other's does: nearly all goes from that."""
    from subspan.torch.pruning import measure_budget
    from subspan.torch.pruning.architecture import FAMILIES, blocks_of
    from subspan.torch.pruning.linear import weight_of

    family = FAMILIES[model.config.model_type]
    first, second = (b.get_submodule(family.level2) for b in blocks_of(model, family))
    with torch.no_grad():
        weight_of(first).mul_(3.0)
        weight_of(second).mul_(0.03)
    data = inputs_for(model, 60)
    before = output(model, data)
    widths = measure_budget(model, data, collect_statistics(model, data), 0.25)
    assert sum(widths) == 72
    assert widths[0] > widths[1] >= 5
    assert torch.equal(output(model, data), before)
    report = prune_model(model, data, sparsity=0.25, method="obs", budget="measured", rng=0)
    assert [layer.after for layer in report.layers] == widths
    uniform = prune_model(model, data, sparsity=0.25, method="obs", rng=0)
    lost = [float(((output(r.model, data) - before) ** 2).sum()) for r in (report, uniform)]
    assert lost[0] < lost[1]
    again = prune_model(model, data, sparsity=0.25, method="obs", budget=widths, rng=0)
    assert again.kept == report.kept
    in_sequence = prune_model(
        model, data, sparsity=0.25, method="obs", budget="measured", sequential=True, rng=0
    )
    assert [layer.after for layer in in_sequence.layers] == widths


def test_budgets_that_do_not_fit_are_refused(llama):
    data = inputs_for(llama)
    for budget, match in [
        ([40], "1 widths; expected one for each of 2"),
        ([40, 49], "between 1 and the widths"),
        ([0, 40], "between 1 and the widths"),
        ("cheap", "budget='cheap' is not known"),
    ]:
        with pytest.raises(ValueError, match=match):
            prune_model(llama, data, sparsity=0.25, method="obs", budget=budget)
    for options, match in [
        ({}, "has no part in budget='uniform'"),
        ({"budget": [40, 40]}, "has no part in budget"),
        ({"budget": "global", "blocks": [1]}, "2 entries; expected one for each of 1"),
        ({"budget": "global", "unit_costs": [1, 0]}, "2 positive numbers"),
        ({"budget": "measured", "unit_costs": [1, np.nan]}, "2 positive numbers"),
    ]:
        with pytest.raises(ValueError, match=match):
            prune_model(llama, data, sparsity=0.25, **{"unit_costs": [1, 2], **options})
    for budget in ("global", "measured", [40, 40]):
        with pytest.raises(ValueError, match="goes with structured=True"):
            prune_model(llama, data, sparsity=0.5, method="wanda", structured=False, budget=budget)
    statistics = collect_statistics(llama, data)
    with pytest.raises(ValueError, match="needs calibration data"):
        prune_model(llama, statistics, sparsity=0.25, method="obs", budget="measured")
    with pytest.raises(ValueError, match="fewer than five rows"):
        prune_model(llama, data[:4], sparsity=0.25, method="obs", budget="measured")


@pytest.mark.parametrize("budget", ["global", "measured"])
def test_what_units_cost_decides_where_they_leave(llama, budget):
    data, kept = inputs_for(llama, 60), {}
    for costs in ((8.0, 1.0), (1.0, 8.0)):
        report = prune_model(
            llama, data, sparsity=0.25, method="obs", budget=budget, unit_costs=costs, rng=0
        )
        kept[costs] = [layer.after for layer in report.layers]
        removed = sum(c * (48 - k) for c, k in zip(costs, kept[costs], strict=True))
        assert removed >= 0.25 * 48 * 9
        assert report.settings["unit_costs"] == list(costs)
    assert kept[8.0, 1.0][0] < kept[1.0, 8.0][0]
    assert kept[8.0, 1.0][1] > kept[1.0, 8.0][1]


def test_the_time_of_a_unit_is_that_of_its_layers(model, monkeypatch):
    """One that waits for five milliseconds."""
    from subspan.torch.pruning.architecture import FAMILIES, blocks_of

    family = FAMILIES[model.config.model_type]
    layer = blocks_of(model, family)[1].get_submodule(family.level1[0])
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda x: (time.sleep(5e-3), forward(x))[1])
    data = inputs_for(model, 4)
    quick, slow = unit_seconds(model, data)
    assert slow >= 5e-3 / 48
    assert 0 < quick < slow
    assert unit_seconds(model, data, blocks=[1], repeats=1)[0] >= 5e-3 / 48
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    with pytest.raises(ValueError, match="repeats=0"):
        unit_seconds(model, data, repeats=0)
    with pytest.raises(ValueError, match=r"blocks=\(2,\) must lie in"):
        unit_seconds(model, data, blocks=[2])
