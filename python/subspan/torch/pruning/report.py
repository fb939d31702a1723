"""What pruning a model did: layer by layer, predicted beside measured."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """One pruned module.

    Attributes
    ----------
    name : str
    before, after : int
        Inner channels; for masks, weights that are not zero.
    predicted : float
        Share of the squared output that is lost on the rows that were fitted.
    held_out : float or None
        Predicted on rows that took no part.
    dropped, dropped_held_out : float
        Had nothing been repaired.
    measured : float or None
        On the held-out rows with the weights as they are stored; None in sequential mode and for masks.
    damping : float or None
    """

    name: str
    before: int
    after: int
    predicted: float
    held_out: float | None
    dropped: float
    dropped_held_out: float | None
    measured: float | None
    damping: float | None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PruningReport:
    """The smaller model and what it cost; prints as a table.

    Attributes
    ----------
    model : torch.nn.Module
        The pruned model.
    layers : tuple of LayerReport
    parameters_before, parameters_after : int
        Tied ones once; for masks, those that are not zero.
    kept : dict
        Name of each module -> indices of its channels that stayed.
    settings : dict
    seconds : float
    seed : int
    """

    model: torch.nn.Module
    layers: tuple[LayerReport, ...]
    parameters_before: int
    parameters_after: int
    kept: dict[str, list[int]]
    settings: dict[str, Any]
    seconds: float
    seed: int

    def table(self) -> str:
        """Return one line per module."""
        head = (
            "module",
            "before",
            "after",
            "predicted",
            "held out",
            "dropped",
            "measured",
            "damping",
        )
        rows: list[tuple[str, ...]] = [head]
        for x in self.layers:
            numbers = (x.predicted, x.held_out, x.dropped, x.measured, x.damping)
            rows.append((x.name, str(x.before), str(x.after), *map(_short, numbers)))
        widths = [max(len(row[c]) for row in rows) for c in range(len(head))]
        lines = ["  ".join(f"{t:<{w}}" for t, w in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(line.rstrip() for line in [*lines, self._summary()])

    def predicted_vs_measured(self) -> list[tuple[str, float, float]]:
        """Name, predicted and measured held-out share of every module that has both."""
        return [
            (x.name, x.held_out, x.measured)
            for x in self.layers
            if x.held_out is not None and x.measured is not None
        ]

    def to_json(self, path: str | Path) -> None:
        """Write everything but the model."""
        fields = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "model"
        }
        fields["layers"] = [dataclasses.asdict(layer) for layer in self.layers]
        Path(path).write_text(json.dumps(fields, indent=1))

    def _summary(self) -> str:
        share = 1 - self.parameters_after / self.parameters_before
        return (
            f"{self.parameters_before:,} -> {self.parameters_after:,} parameters ({share:.1%} less) "
            f"in {self.seconds:.1f} s"
        )

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<PruningReport: {len(self.layers)} modules, {self._summary()}>"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
