"""What the workflow files and the wheel configuration refer to exists."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
pytestmark = [
    pytest.mark.host_only,
    pytest.mark.skipif(not WORKFLOWS, reason="no checkout around the tests"),
]


def workflow(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps():
    """Every step of every job."""
    return [
        step
        for path in WORKFLOWS
        for job in workflow(path)["jobs"].values()
        for step in job["steps"]
    ]


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_are_whole(path):
    content = workflow(path)
    assert content[True], "`on`, which YAML takes for a boolean"
    assert content["permissions"] == {"contents": "read"}
    jobs = content["jobs"]
    for job in jobs.values():
        assert job["runs-on"]
        needs = job.get("needs", [])
        assert set([needs] if isinstance(needs, str) else needs) <= set(jobs)
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), step
            assert "@" in step.get("uses", "@"), "an action without a version"


def test_sessions_of_nox_exist():
    defined = set(re.findall(r"^def (\w+)\(task: nox", (ROOT / "noxfile.py").read_text(), re.M))
    named = {
        name
        for step in steps()
        if "docs/conf.py" not in step.get("if", "")
        for sessions in re.findall(r"nox -s ([\w ]+)", step.get("run", ""))
        for name in sessions.split()
    }
    assert {"lint", "stubs", "asan", "cuda"} <= named <= defined


def test_files_that_wheels_are_tested_with_exist(pyproject):
    command = pyproject["tool"]["cibuildwheel"]["test-command"]
    files = re.findall(r"\{project\}/(\S+)", command)
    assert files
    assert all((ROOT / file).is_file() for file in files)


def test_wheels_are_those_of_the_supported_pythons(pyproject):
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(pyproject["project"]["classifiers"]))
    built = pyproject["tool"]["cibuildwheel"]["build"].split()
    assert built == [f"cp{version.replace('.', '')}-*" for version in promised]


def test_the_tag_of_a_release_starts_the_wheels():
    content = workflow(ROOT / ".github" / "workflows" / "wheels.yml")
    assert content[True]["push"]["tags"] == ["v*"]
    assert 'f"v{version}"' in (ROOT / ".ci" / "release.py").read_text()
