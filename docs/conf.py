"""Sphinx settings. ``nox -s docs`` builds; every warning is an error there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import subspan

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]  # the directives; bench, for its figures
# Jupyter kernels, which run the pages elsewhere, must find the same subspan, and must not spin in BLAS.
os.environ["PYTHONPATH"] = str(Path(subspan.__file__).parents[1])
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "10")

project = "subspan"
author = "the subspan authors"
copyright = "the subspan authors; BSD-3-Clause"
release = version = subspan.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "offline_math",
    "bench_figures",
    "public_names",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
]
exclude_patterns = ["_build", "_ext", "_templates"]
templates_path = ["_templates"]

html_theme = "furo"
html_title = f"subspan {version}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_math_renderer = "mathml"
smartquotes = False  # names of methods hold quotes
html_copy_source = False
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# Code cells run at every build; one that fails ends it.
nb_execution_mode = "cache" if os.environ.get("SUBSPAN_DOCS_CACHE") else "force"
nb_execution_in_temp = True
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's Parameters say more
autodoc_inherit_docstrings = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
doctest_test_doctest_blocks = "default"
doctest_global_setup = "import warnings\nwarnings.simplefilter('ignore', DeprecationWarning)"
nitpicky = False
suppress_warnings = ["mystnb.unknown_mime_type"]


def _skip_what_is_not_ours(_app, _what, _name, member, skip, _options):  # type: ignore[no-untyped-def]
    """Leave out members inherited from other libraries, whose docstrings belong to their sites."""
    home = getattr(getattr(member, "fget", member), "__module__", None) or "subspan"
    return True if home.split(".")[0] not in ("subspan", "builtins") else skip


def setup(app):  # type: ignore[no-untyped-def]
    """Connect the hook above."""
    app.connect("autodoc-skip-member", _skip_what_is_not_ours)
