"""Where the files of a new home travel: `conf/` and `services/` of the source tree, inside the distribution.

setup.cfg maps the two folders of the source tree to `agent.templates.conf` and `agent.templates.services`, so that they
are edited where people look for them and still come along in a wheel.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def template(folder: str) -> Path:
    """The folder `conf` or `services`, to be read or copied; works installed, editable and from the source tree.

    Raises `ModuleNotFoundError` for any other name.
    """
    if folder not in {"conf", "services"}:
        raise ModuleNotFoundError(f"no template folder {folder!r}")
    # Not by importlib.resources, which loads zipfile for it: a configuration is read at each start.
    found = find_spec(f"agent.templates.{folder}")
    if found is not None and found.submodule_search_locations:
        return Path(next(iter(found.submodule_search_locations)))
    # Not installed at all: the source tree has them beside the package `agent`.
    return Path(__file__).parents[2] / folder
