"""The README does what it says: its examples run, its first commands are the ones to start with."""

import re
from pathlib import Path

import numpy as np
import pytest
import subspan

README = Path(__file__).parent.parent / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="no README beside the tests")


@pytest.fixture(scope="module")
def text():
    return README.read_text(encoding="utf-8")


def fences(text):
    """Language and content of every fenced block, in order."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def test_starts_with_the_two_commands(text):
    assert fences(text)[:2] == [("sh", "./dev demo\n"), ("sh", "./dev test\n")]
    assert [language for language, _ in fences(text)].count("sh") == 2


def test_every_example_runs(text, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme"}
    for i, (language, code) in enumerate(fences(text)):
        if language == "python":
            exec(compile(code, f"README.md, block {i}", "exec"), names)
    A, r, both = names["A"], names["r"], names["both"]
    assert r.converged
    assert np.linalg.norm(A - r.toarray()) <= 1e-6 * np.linalg.norm(A)
    assert names["exact"].value == pytest.approx(np.linalg.norm(A - r.toarray()), rel=1e-6)
    assert both.skeleton.shape == (8, 8)
    assert np.allclose(both.toarray(), A, rtol=0, atol=both.error.upper)
    assert np.allclose(names["Y"], names["S"] @ A, rtol=0, atol=1e-12 * np.linalg.norm(A))
    assert names["small"].shape == (64, 800)
    assert names["scores"].sum() == pytest.approx(8)
    assert (tmp_path / "columns.png").stat().st_size > 10_000
    assert "subspan" in capsys.readouterr().out


def test_every_public_routine_has_an_example(text):
    code = "".join(code for language, code in fences(text) if language == "python")
    # Classes of results and exceptions are met through what makes them.
    routines = {n for n in subspan.__all__ if not isinstance(getattr(subspan, n), type)}
    for name in (routines | {"StreamingSketch"}) - {"__version__"}:
        assert f"subspan.{name}" in code, name


def test_links_lead_to_files(text):
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (README.parent / target).exists(), target
