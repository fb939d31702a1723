"""Cutting a release: what it refuses, writes, tags and leaves alone."""

import importlib.util
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
import subspan

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".ci" / "release.py"
pytestmark = [
    pytest.mark.host_only,
    pytest.mark.skipif(not SCRIPT.exists(), reason="no checkout around the tests"),
]
CHANGELOG = """# Changelog

## [Unreleased]

### Added

- Something.

## [0.0.9] - 2020-01-01

- Before.
"""


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("release", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name, value in {"NAME": "somebody", "EMAIL": "somebody@example.org"}.items():
        monkeypatch.setenv(f"GIT_AUTHOR_{name}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{name}", value)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0.1.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / ".gitignore").write_text("/dist/\n")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "First"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def no_build(root, folder):
    """In place of the minutes that a build takes."""


def test_release(script, checkout):
    seen = []
    script.release(checkout, "0.2.0", lambda root, folder: seen.append(folder))
    assert seen == [checkout / "dist" / "0.2.0"]
    assert tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"] == "0.2.0"
    changelog = (checkout / "CHANGELOG.md").read_text()
    assert changelog.index("[Unreleased]") < changelog.index("## [0.2.0] - 20")
    assert changelog.index("## [0.2.0]") < changelog.index("- Something.")
    tag = script.git(checkout, "tag", "--list", "-n9", "v0.2.0")
    assert "### Added" in tag
    assert "Something." in tag
    assert "Before." not in tag
    assert script.git(checkout, "log", "-1", "--format=%s").strip() == "Release 0.2.0"
    assert not script.git(checkout, "status", "--porcelain")
    with pytest.raises(SystemExit, match="nothing under"):
        script.release(checkout, "0.3.0", no_build)


def test_the_first_release_has_the_version_that_is_there(script, checkout):
    script.release(checkout, "0.1.0", no_build)
    with pytest.raises(SystemExit, match=r"the tag v0\.1\.0 exists"):
        script.release(checkout, "0.1.0", no_build)


@pytest.mark.parametrize(
    ("version", "complaint"),
    [("0.0.9", "older than 0.1.0"), ("v1", "three numbers"), ("1.0.0rc1", "three numbers")],
)
def test_versions_that_are_refused(script, checkout, version, complaint):
    with pytest.raises(SystemExit, match=complaint):
        script.release(checkout, version, no_build)


def test_a_dirty_checkout_is_refused(script, checkout):
    (checkout / "new.txt").write_text("not committed")
    with pytest.raises(SystemExit, match="not committed"):
        script.release(checkout, "0.2.0", no_build)


def test_a_failed_build_leaves_no_trace(script, checkout):
    def fails(root, folder):
        raise subprocess.CalledProcessError(1, "build")

    with pytest.raises(subprocess.CalledProcessError):
        script.release(checkout, "0.2.0", fails)
    assert not script.git(checkout, "status", "--porcelain")
    assert not script.git(checkout, "tag", "--list")
    assert script.git(checkout, "log", "--format=%s").split() == ["First"]


def test_a_failed_tag_leaves_no_trace(script, checkout, monkeypatch):
    git = script.git

    def fails(root, *arguments):
        if arguments[0] == "tag" and "--annotate" in arguments:
            raise subprocess.CalledProcessError(1, "git tag")
        return git(root, *arguments)

    monkeypatch.setattr(script, "git", fails)
    with pytest.raises(subprocess.CalledProcessError):
        script.release(checkout, "0.2.0", no_build)
    assert not git(checkout, "status", "--porcelain")
    assert git(checkout, "log", "--format=%s").split() == ["First"]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["subspan/_core.pyi", "subspan/py.typed"], None),
        (["subspan/_core.pyi", "subspan/py.typed", "subspan/_fake.so"], "only the tests may use"),
        (["subspan/py.typed"], r"lacks \['subspan/_core\.pyi'\]"),
    ],
)
def test_the_wheel_is_looked_at(script, tmp_path, names, complaint):
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    if complaint is None:
        script.check_wheel(wheel)
    else:
        with pytest.raises(SystemExit, match=complaint):
            script.check_wheel(wheel)


def test_a_large_wheel_is_refused(script, tmp_path, monkeypatch):
    wheel = tmp_path / "x.whl"
    wheel.write_bytes(b"0" * 101)
    monkeypatch.setattr(script, "LARGEST_WHEEL", 100)
    with pytest.raises(SystemExit, match="101 bytes, over 100"):
        script.check_wheel(wheel)


def test_the_version_stands_in_one_place():
    """The installed version is that of pyproject.toml, and the citation file repeats none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert subspan.__version__ == project["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert "\nversion:" not in citation
    assert citation.startswith("#")
    assert "\ncff-version: 1.2.0\n" in citation
    for field in ("message:", "title:", "authors:", "license: BSD-3-Clause"):
        assert f"\n{field}" in citation
