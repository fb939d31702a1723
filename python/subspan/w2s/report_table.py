"""A diagnosis as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .sketched import described

if TYPE_CHECKING:
    from .report import W2SReport


def table(report: W2SReport) -> str:
    """One line for each of the main numbers, and for what is wrong with them."""
    low, high = report.interval
    lines = [
        ("rows", f"{report.rows}"),
        ("strong dimension", f"{report.d_strong} of {len(report.spectrum_strong)}"),
        ("weak dimension", f"{report.d_weak} of {len(report.spectrum_weak)}"),
        ("correlation dimension", f"{report.d_overlap:.2f}"),
        (f"  {report.confidence:.0%} interval", f"{low:.2f} to {high:.2f}"),
        (
            "  before debiasing",
            f"{report.d_overlap_raw:.2f}, of which chance {report.chance_level:.2f}",
        ),
        (
            "  published estimator",
            f"{report.official:.2f}, its chance level {report.official_chance:.2f}"
            if report.official_warning
            else "not computed from sketches",
        ),
        (
            "correlations above chance",
            f"{int(np.sum(report.canonical_correlations > report.chance_edge))}",
        ),
    ]
    if report.official_warning:
        lines.insert(-1, ("    WARNING", report.official_warning))
    for side, angles in report.sketched.items():
        lines.append((f"sketch, {side} directions", described(angles)))
    if report.sketched:
        change = f"changes the overlap by {report.sketch_error:.2f}"
        lines.append(("half of the sketch", change))
    if report.label_covariance is not None and report.bias is not None:
        b, error = report.bias, np.sqrt(np.diag(report.label_covariance))
        sides = f"{b.weak:.4g} ± {error[1]:.2g}, {b.strong:.4g} ± {error[2]:.2g}"
        lines += [
            ("noise variance", f"{report.noise_var:.4g} ± {error[0]:.2g} ({report.labels} labels)"),
            ("bias of weak, strong", sides),
        ]
    return "\n".join(f"{name:<28}{value}" for name, value in lines)
