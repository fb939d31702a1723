"""The documentation names everything that is public, and its links lead somewhere: without Sphinx."""

import importlib.util
import re
from pathlib import Path

import pytest
import subspan

DOCS = Path(__file__).parents[1] / "docs"
pytestmark = [
    pytest.mark.host_only,
    pytest.mark.skipif(
        not DOCS.exists(), reason="the documentation is not installed, only the checkout has it"
    ),
]
# Links of Markdown, roles that name a page, entries of a table of contents.
LINK = re.compile(r"\]\(([^)\s]+)\)")
ROLE = re.compile(r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`")
CONTENTS = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BUILT = ("_build", "generated")


def pages():
    """Path -> text of every page, without what a build leaves there."""
    return {
        path: path.read_text(encoding="utf-8")
        for path in sorted(DOCS.rglob("*.md"))
        if not any(part in BUILT for part in path.relative_to(DOCS).parts)
    }


def extension(name):
    """A module of docs/_ext."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def documented():
    """Dotted names in the API pages; short ones belong to the module named last."""
    found = set()
    for text in (text for path, text in pages().items() if path.parent.name == "api"):
        module = ""
        for line in text.splitlines():
            if heading := re.match(r"\.\. (?:automodule|currentmodule|py:module):: (\S+)", line):
                module = heading[1]
                found.add(module)
            elif entry := re.fullmatch(r"(?:   ~?|\.\. py:data:: | {13})([A-Za-z][\w.]*)", line):
                found |= {entry[1], f"{module}.{entry[1]}"}
    return found


def targets(text):
    """Pages that a text refers to, as it writes them."""
    listed = [line for block in CONTENTS.findall(text) for line in block.splitlines()]
    contents = [line.strip() for line in listed if line and not line.startswith(":")]
    return [*ROLE.findall(text), *contents]


def test_every_public_name_is_in_the_reference():
    missing = set(extension("public_names").public_names()) - documented()
    assert not missing


def test_the_reference_names_nothing_else():
    names = set(extension("public_names").public_names())
    modules = extension("public_names").public_modules()
    for name in documented():
        parent, _, last = name.rpartition(".")
        if parent in modules and name not in names and not is_module(name):
            assert hasattr(modules[parent], last), name


def is_module(name):
    """Whether there is such a file or folder: what it imports may not be installed."""
    path = Path(subspan.__path__[0]).joinpath(*name.split(".")[1:])
    return path.is_dir() or path.with_suffix(".py").exists()


def test_public_names_are_found():
    names = extension("public_names").public_names()
    assert {"subspan.interpolative", "subspan.selection.SkMM", "subspan.error.residual"} <= set(
        names
    )
    assert not any(part.startswith("_") for name in names for part in name.split("."))


@pytest.mark.parametrize("path", pages() if DOCS.exists() else [], ids=str)
def test_links_lead_to_pages(path):
    text = pages()[path]
    for target in targets(text):
        assert (path.parent / f"{target}.md").exists(), target
    for target in LINK.findall(text):
        assert "://" in target or (path.parent / target.partition("#")[0]).exists(), target


def test_every_page_is_in_the_contents():
    listed = {
        (path.parent / f"{target}.md").resolve()
        for path, text in pages().items()
        for target in targets("".join(block.group(0) for block in CONTENTS.finditer(text)))
    }
    assert {path.resolve() for path in pages()} - listed == {(DOCS / "index.md").resolve()}


def test_figures_come_from_results(monkeypatch):
    pytest.importorskip("docutils")
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(DOCS.parent)
    figures = extension("bench_figures")
    titles = re.findall(r"```\{bench-table\} (.+)", (DOCS / "peers.md").read_text())
    assert titles
    assert set(titles) <= set(figures.tables())
    for row in figures.slower("interp"):
        assert len(row) == 5
    assert all(verdict.startswith(("missed", "open")) for *_, verdict in figures.missed())


def test_built_links_are_checked(tmp_path):
    spec = importlib.util.spec_from_file_location("check_links", DOCS / "check_links.py")
    checker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checker)
    (tmp_path / "a.html").write_text(
        '<p id="x"><a href="#x"><a href="b.html#y"><a href="https://elsewhere.org">'
    )
    (tmp_path / "b.html").write_text('<p id="y"><a href="a.html">')
    assert checker.main([str(tmp_path)]) == 0
    (tmp_path / "b.html").write_text(
        '<a href="c.html"><a href="a.html#z"><script src="https://elsewhere.org/x.js">'
    )
    assert len(checker.problems(tmp_path)) == 4
