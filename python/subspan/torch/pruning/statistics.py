"""Moments of a whole model, collected once for many prunings."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

from ..._progress import Progress
from ...pruning import Moments
from ...result import Result
from .architecture import blocks_of, family_of, input_groups
from .calibration import as_batches
from .collect import Split, collect
from .linear import weight_of
from .request import as_blocks
from .stream import BlockInputs


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ModelStatistics(Result):
    """Moments of the inputs of every linear layer of a dense model, in place of calibration data.

    Attributes
    ----------
    model_type : str
        Of the model's configuration.
    rows : int
        Calibration sequences or images.
    blocks : dict
        Number of a block -> name of the first of the layers that share an input -> moments of the rows to
        fit and of those held out.
    """

    model_type: str
    rows: int
    blocks: dict[int, dict[str, Split]]

    def merge(self, other: ModelStatistics) -> ModelStatistics:
        """Return the statistics of the rows of both; neither is changed.

        Raises
        ------
        ValueError
            If they are not of the same blocks of the same kind of model.
        """
        if (self.model_type, self.blocks.keys()) != (other.model_type, other.blocks.keys()):
            raise ValueError(f"cannot merge {self!r} and {other!r}")
        blocks = {
            number: {
                name: Split(
                    split.fit.merge(other.blocks[number][name].fit),
                    split.held_out.merge(other.blocks[number][name].held_out),
                )
                for name, split in layers.items()
            }
            for number, layers in self.blocks.items()
        }
        return ModelStatistics(self.model_type, self.rows + other.rows, blocks)

    def require_of(self, model: Any, blocks: tuple[int, ...]) -> None:
        """Raise unless these are statistics of such a model, with these blocks."""
        family = family_of(model)
        kind = model.config.model_type
        if kind != self.model_type:
            raise ValueError(f"the statistics are of a {self.model_type} model; model is {kind}")
        for number in blocks:
            if number not in self.blocks:
                raise ValueError(
                    f"the statistics hold blocks {sorted(self.blocks)}; {number} is to be pruned"
                )
            block = blocks_of(model, family)[number]
            for name, split in self.blocks[number].items():
                width = int(weight_of(block.get_submodule(name)).shape[1])
                if split.fit.dim != width:
                    raise ValueError(
                        f"the statistics of {name} in block {number} are of {split.fit.dim} channels; the "
                        f"model has {width}: collect them from this model"
                    )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as arrays and plain values."""
        blocks = {
            str(number): {
                name: (split.fit.to_dict(), split.held_out.to_dict())
                for name, split in layers.items()
            }
            for number, layers in self.blocks.items()
        }
        return {"model_type": self.model_type, "rows": self.rows, "blocks": blocks}

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> Self:
        blocks = {
            int(number): {
                name: Split(*(Moments.from_dict(state) for state in pair))
                for name, pair in layers.items()
            }
            for number, layers in fields["blocks"].items()
        }
        return cls(fields["model_type"], fields["rows"], blocks)

    def __repr__(self) -> str:
        return f"<ModelStatistics: {self.rows} rows, {len(self.blocks)} {self.model_type} blocks>"


def collect_statistics(
    model: Any,
    calibration: Any,
    *,
    blocks: Any = None,
    batch_size: int = 4,
    progress: Any = None,
) -> ModelStatistics:
    """Run calibration data through a model once, for any number of calls of :func:`prune_model`.

    Parameters
    ----------
    model : transformers model
        Not changed.
    calibration, batch_size
        As in :func:`prune_model`.
    blocks : iterable of int, optional
        All by default.
    progress : bool or callable, optional

    Returns
    -------
    ModelStatistics
        ``statistics.save(path)`` writes it, :func:`subspan.load` reads it.

    Raises
    ------
    UnknownArchitecture
        If the family is not known.
    ValueError
        If an argument is out of range or activations are not finite.

    Notes
    -----
    One pass, in memory the states between two blocks and the moments of all blocks: 16 bytes
    times the sum of the squared widths.
    """
    family = family_of(model)
    layers = blocks_of(model, family)
    chosen = as_blocks(blocks, len(layers))
    embeddings = model.get_input_embeddings()
    batches = as_batches(calibration, batch_size, getattr(embeddings, "num_embeddings", None))
    names = [group[0] for group in input_groups(family)]
    found: dict[int, dict[str, Split]] = {}
    was_training = model.training
    model.eval()
    try:
        work = Progress(progress, len(layers))
        inputs = BlockInputs(model, layers[0], batches)
        for number, block in enumerate(layers):
            with work.stage(f"block {number}"):
                if number in chosen:
                    found[number] = collect(inputs, block, names, advance=True)
                else:
                    inputs.advance(block)
    finally:
        model.train(was_training)
    return ModelStatistics(model.config.model_type, sum(len(b.held_out) for b in batches), found)
