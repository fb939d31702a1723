"""Iterative Optimal Brain Surgeon on a whole network: Newton steps on its output, projections of each layer."""

from __future__ import annotations

import copy
import dataclasses
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ... import pruning as arrays
from ..._progress import Progress
from ..._rng import seed_word
from ...pruning.damping import factor, solve
from ...pruning.hessian import damped_hessian
from .architecture import Family, block_prefix, blocks_of, family_of, input_groups
from .calibration import Batch, as_batches
from .collect import Split
from .distillation import (
    divergence,
    hearing_gradients,
    only_gradients_of,
    outputs_of,
    probe,
)
from .linear import to_numpy, weight_of
from .prune_model import parameters_of, prune_model
from .report import PruningReport
from .statistics import collect_statistics

_CURVATURE = 1e-1  # of the mean curvature of a layer's outputs, added to that of each
_SHORTEST = 1 / 16  # of the first step
