"""Where the parts of a transformer are, for the families of Hugging Face's models that are known."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from .linear import is_linear


class UnknownArchitecture(ValueError):
    """The model is of no family whose modules are known; the message lists those that are."""


@dataclasses.dataclass(frozen=True)
class Family:
    """Names inside a block, dots between levels.

    Attributes
    ----------
    blocks : str
        The list of blocks, from the base model (without a head).
    level1 : tuple of str
        First matrices of the feed-forward module: gate and up, or one.
    level2 : str
        Its second matrix.
    width : str
        Entry of the configuration that holds its inner width.
    qkv : tuple of str
        Queries, keys and values; one name where they are fused.
    output : str
        Projection that reads the heads.
    bias_entry : str or None
        Entry of the configuration that gives the feed-forward module biases.
    heads : bool
        Whether a configuration can state fewer heads of the same size.
    pre_norm : bool
        Whether `output` and `level2` add to the states as they are: norms come before the modules.
    """

    blocks: str
    level1: tuple[str, ...]
    level2: str
    width: str
    qkv: tuple[str, ...]
    output: str
    bias_entry: str | None
    heads: bool
    pre_norm: bool = True


_QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_LLAMA = Family(
    blocks="layers",
    level1=("mlp.gate_proj", "mlp.up_proj"),
    level2="mlp.down_proj",
    width="intermediate_size",
    qkv=_QKV,
    output="self_attn.o_proj",
    bias_entry="mlp_bias",
    heads=True,
)
FAMILIES: dict[str, Family] = {
    "llama": _LLAMA,
    "mistral": dataclasses.replace(_LLAMA, bias_entry=None),
    "gpt2": Family(
        "h", ("mlp.c_fc",), "mlp.c_proj", "n_inner", ("attn.c_attn",), "attn.c_proj", None, False
    ),
    "opt": Family(
        "decoder.layers", ("fc1",), "fc2", "ffn_dim", _QKV, "self_attn.out_proj", None, False
    ),
    "vit": Family(
        "layers",
        ("mlp.fc1",),
        "mlp.fc2",
        "intermediate_size",
        ("attention.q_proj", "attention.k_proj", "attention.v_proj"),
        "attention.o_proj",
        None,
        True,
    ),
    "bert": Family(
        "encoder.layer",
        ("intermediate.dense",),
        "output.dense",
        "intermediate_size",
        ("attention.self.query", "attention.self.key", "attention.self.value"),
        "attention.output.dense",
        None,
        False,
        pre_norm=False,
    ),
}


def family_of(model: Any) -> Family:
    """The family of a model by its configuration's ``model_type``.

    Raises
    ------
    UnknownArchitecture
        If that is not known, or the modules are not where they are in the versions of transformers that are.
    """
    kind = getattr(getattr(model, "config", None), "model_type", None)
    if kind not in FAMILIES:
        raise UnknownArchitecture(
            f"model has type {type(model).__name__} and model_type {kind!r}; known are "
            f"{tuple(FAMILIES)}"
        )
    family = FAMILIES[kind]
    try:
        first = blocks_of(model, family)[0]
        parts = [first.get_submodule(n) for n in linear_names(family)]
    except (AttributeError, IndexError) as error:
        raise UnknownArchitecture(
            f"{type(model).__name__} of this version of transformers has its modules elsewhere: {error}"
        ) from None
    for name, part in zip(linear_names(family), parts, strict=True):
        if not is_linear(part):
            raise UnknownArchitecture(
                f"{name} is a {type(part).__name__}; expected a plain linear layer: quantised and adapted "
                "models are not pruned, prune before"
            )
    return family


def linear_names(family: Family) -> tuple[str, ...]:
    """All linear layers of a block."""
    return (*family.qkv, family.output, *family.level1, family.level2)


def input_groups(family: Family) -> tuple[tuple[str, ...], ...]:
    """Linear layers of a block by the input that they share."""
    return (family.qkv, (family.output,), family.level1, (family.level2,))


def base_of(model: Any) -> torch.nn.Module:
    """The model without its head."""
    base: torch.nn.Module = model.base_model
    return base


def blocks_of(model: Any, family: Family) -> torch.nn.ModuleList:
    """The list of blocks."""
    blocks = base_of(model).get_submodule(family.blocks)
    assert isinstance(blocks, torch.nn.ModuleList)
    return blocks


def block_prefix(model: Any, family: Family) -> str:
    """Name of the list of blocks in the whole model."""
    base = base_of(model)
    inner = next((name for name, part in model.named_modules() if part is base), "")
    return f"{inner}.{family.blocks}" if inner else family.blocks


def pre_norm(model: Any, family: Family) -> bool:
    """Whether the modules add to the states as they are; OPT has both kinds."""
    return family.pre_norm and bool(getattr(model.config, "do_layer_norm_before", True))


def head_dim_of(config: Any) -> int:
    """Width of a head."""
    given = getattr(config, "head_dim", None)
    return int(given or config.hidden_size // config.num_attention_heads)


def inner_activation(model: Any) -> str:
    """Of relu, gelu and silu, the one that the model's is a variant of."""
    config = model.config
    name = str(
        getattr(config, "hidden_act", None) or getattr(config, "activation_function", "gelu")
    )
    return next((known for known in ("silu", "relu") if known in name), "gelu")
