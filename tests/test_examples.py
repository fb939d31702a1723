"""The pages below examples/ can be made again, and show what they say."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = pytest.mark.skipif(
    not EXAMPLES.exists(), reason="the examples are not installed, only the checkout has them"
)


@pytest.mark.slow
def test_canonical_angles(monkeypatch, tmp_path, capsys):
    script = EXAMPLES / "canonical_angles" / "run.py"
    page = (script.parent / "README.md").read_text()
    (tmp_path / "README.md").write_text(page)
    monkeypatch.setattr(sys, "argv", ["run.py", "--out", str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    lines = [line.split("|") for line in capsys.readouterr().out.splitlines()[2:]]
    assert len(lines) == 25
    ratios = []
    for _, _, _, true, estimate, bound, gap, _ in lines:
        assert float(true) <= float(bound) * 1.1  # printed with two digits
        assert "no gap" in gap or float(true) <= float(gap) * 1.1
        ratios.append(float(estimate) / float(true))
    assert np.all(np.abs(np.log10(ratios)) < 0.7)
    assert len(list(tmp_path.glob("*.png"))) == 5


def planted_sentences(rng, m=1500):
    """Features in the form that the example reads, with every teacher a part of the student."""
    z = rng.standard_normal((m, 40)).astype(np.float32)
    names = ["letters", "words", *(f"layer {k}" for k in (0, 1, 2, 3, 6))]
    data = {name: z[:, k : k + 12] + 0.1 for k, name in enumerate(names)}
    data["layer 4"] = z[:, :30]
    fiction = z[:, 8:11].sum(axis=1) > 0
    persons = fiction ^ (rng.random(m) < 0.4)
    return {**data, "genres": np.where(fiction, "k", "a"), "persons": persons}


def test_weak_to_strong(monkeypatch, tmp_path, capsys, rng):
    script = EXAMPLES / "weak_to_strong" / "run.py"
    np.savez(tmp_path / "features.npz", **planted_sentences(rng, 12000))
    page = (script.parent / "README.md").read_text()
    (tmp_path / "README.md").write_text(page)
    run = runpy.run_path(str(script))["main"].__globals__
    monkeypatch.setitem(run, "FEW", (40, 80, 160))
    monkeypatch.setitem(run, "N", 400)
    monkeypatch.setitem(run, "SEEDS", range(3))
    given = ["--features", str(tmp_path / "features.npz"), "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["run.py", *given])
    run["main"]()
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(("| layer", "| words", "| letters")) for line in lines) == 21 + 3
    assert sum("Kendall's tau" in line for line in lines) == 3
    assert len(list(tmp_path.glob("*.png"))) == 2
    assert lines[2] in (tmp_path / "README.md").read_text()
