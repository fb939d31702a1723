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
