"""Every public name has its place in the API reference: at build time, and for tests without Sphinx.

A module is public if neither it nor a package around it begins with an underscore and it has ``__all__``;
so are its names.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

import subspan

# Where names are defined that users reach through the package around it.
WITHIN = {"subspan.interp", "subspan.exceptions", "subspan.pruning.exceptions"}


def public_modules() -> dict[str, ModuleType]:
    """Dotted name -> module; modules whose library is not installed are left out."""
    found = {"subspan": subspan}
    for info in pkgutil.walk_packages(subspan.__path__, "subspan."):
        if any(part.startswith("_") for part in info.name.split(".")) or info.name in WITHIN:
            continue
        try:
            module = importlib.import_module(info.name)
        except ImportError:
            continue
        parent, _, last = info.name.rpartition(".")
        shadowed = getattr(importlib.import_module(parent), last, module) is not module
        if hasattr(module, "__all__") and not shadowed:  # `subspan.svd` is the function
            found[info.name] = module
    return found


def public_names() -> list[str]:
    """Dotted names, sorted; what two modules offer is listed under the first."""
    modules = public_modules()
    names, seen = set(modules), set()
    for module, found in modules.items():
        for name in found.__all__:
            thing = getattr(found, name)
            if not callable(thing) or id(thing) not in seen:
                names.add(f"{module}.{name}")
            seen.add(id(thing))
    return sorted(names - {"subspan.__version__"})


def _complain(app: Any, env: Any) -> None:
    from sphinx.util import logging

    python = env.domains.python_domain
    known = set(python.objects) | set(python.modules)
    for name in public_names():
        if name not in known:
            logging.getLogger(__name__).warning("public, but not in the API reference: %s", name)


def setup(app: Any) -> dict[str, bool]:
    app.connect("env-check-consistency", _complain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
