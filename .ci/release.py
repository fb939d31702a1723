"""Cut a release: `nox -s release -- 0.2.0`.

The version stands in pyproject.toml alone. This writes it there, dates the section of the changelog,
builds the source distribution and a wheel, looks at both, and only then commits and tags. Where a step
fails, the two files are as before and nothing is committed. Nothing is pushed: pushing the tag is what
starts the workflow that builds and publishes the wheels of every platform.
"""

import datetime
import os
import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

LARGEST_WHEEL = 40 * 2**20
TRIAL = "import numpy, subspan; print(subspan.svd(numpy.eye(30, 20), 3, rng=0).s.sum())"


def git(root, *arguments):
    """Output of a git command in the checkout."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def with_version(pyproject, version):
    """The text of pyproject.toml with another version, which must not be older."""
    found = re.search(r'(?m)^version = "(\d+)\.(\d+)\.(\d+)"$', pyproject)
    if found is None:
        sys.exit('error: pyproject.toml has no line of the form version = "1.2.3"')
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        sys.exit(f"error: version {version!r} must be three numbers, as in 1.2.3")
    if tuple(map(int, version.split("."))) < tuple(map(int, found.groups())):
        sys.exit(f"error: version {version} is older than {'.'.join(found.groups())}")
    return pyproject[: found.start()] + f'version = "{version}"' + pyproject[found.end() :]


def with_date(changelog, version, day):
    """The changelog with what was unreleased under the version and the day, and that section alone."""
    found = re.search(r"(?ms)^## \[Unreleased\]\n(.*?)(?=^## \[|\Z)", changelog)
    if found is None or not re.search(r"(?m)^- ", found[1]):
        sys.exit("error: CHANGELOG.md lists nothing under [Unreleased]")
    heading = f"## [Unreleased]\n\n## [{version}] - {day}\n"
    return changelog[: found.start()] + heading + found[1] + changelog[found.end() :], found[1]


def check_checkout(root, version):
    """Refuse to release what is not committed, or what was released before."""
    if git(root, "status", "--porcelain"):
        sys.exit(
            "error: the checkout has changes that are not committed; commit or stash them first"
        )
    if git(root, "tag", "--list", f"v{version}"):
        sys.exit(f"error: the tag v{version} exists")


def check_wheel(wheel):
    """Refuse a wheel that is too large, ships what tests alone may use, or lacks its types."""
    if wheel.stat().st_size > LARGEST_WHEEL:
        sys.exit(f"error: {wheel.name} has {wheel.stat().st_size} bytes, over {LARGEST_WHEEL}")
    names = zipfile.ZipFile(wheel).namelist()
    if stray := [name for name in names if "_fake" in name]:
        sys.exit(f"error: {wheel.name} ships what only the tests may use: {stray}")
    if missing := {"subspan/py.typed", "subspan/_core.pyi"} - set(names):
        sys.exit(f"error: {wheel.name} lacks {sorted(missing)}")


def build_and_check(root, folder):
    """Build the distributions, check them with the usual tools, and use the wheel where nothing else is."""
    run = [sys.executable, "-m"]
    subprocess.run([*run, "build", "--outdir", folder, root], check=True)
    files = sorted(Path(folder).iterdir())
    wheel = next(file for file in files if file.suffix == ".whl")
    subprocess.run([*run, "twine", "check", "--strict", *files], check=True)
    subprocess.run(["check-wheel-contents", wheel], check=True)
    check_wheel(wheel)
    with tempfile.TemporaryDirectory() as empty:
        venv.create(empty, with_pip=True)
        python = Path(empty, "Scripts" if os.name == "nt" else "bin", "python")
        subprocess.run([python, "-m", "pip", "install", "-qq", wheel], check=True)
        subprocess.run([python, "-c", TRIAL], check=True, cwd=empty)


def release(root, version, build=build_and_check):
    """Carry out all of it; see the head of this file."""
    check_checkout(root, version)
    head = git(root, "rev-parse", "HEAD").strip()
    day = datetime.date.today().isoformat()
    pyproject, changelog = root / "pyproject.toml", root / "CHANGELOG.md"
    before = {file: file.read_text(encoding="utf-8") for file in (pyproject, changelog)}
    new_pyproject = with_version(before[pyproject], version)
    new_changelog, notes = with_date(before[changelog], version, day)
    (root / "dist").mkdir(exist_ok=True)
    folder = root / "dist" / version
    try:
        pyproject.write_text(new_pyproject, encoding="utf-8")
        changelog.write_text(new_changelog, encoding="utf-8")
        build(root, folder)
        git(root, "commit", "--quiet", "--all", "--message", f"Release {version}")
        message = f"subspan {version}\n\n{notes.strip()}"
        git(root, "tag", "--annotate", "--cleanup=verbatim", f"v{version}", "--message", message)
    except BaseException:
        git(root, "reset", "--quiet", head)
        for file, text in before.items():
            file.write_text(text, encoding="utf-8")
        raise
    print(f"{folder} holds the distributions; the tag is v{version}.")
    print(
        "To publish: git push --follow-tags. To take it back: "
        f"git tag --delete v{version}; git reset --hard HEAD~1"
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: nox -s release -- VERSION")
    release(Path(__file__).resolve().parents[1], sys.argv[1])
