"""Where the files of a new home travel: `conf/` and `services/` of the source tree, inside the distribution.

setup.cfg maps the two folders of the source tree to `agent.templates.conf` and `agent.templates.services`, so that they
are edited where people look for them and still come along in a wheel.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable


def template(folder: str) -> Traversable:
    """The folder `conf` or `services`, to be read or copied; works installed, editable and from the source tree.

    Raises `ModuleNotFoundError` for any other name.
    """
    if folder not in {"conf", "services"}:
        raise ModuleNotFoundError(f"no template folder {folder!r}")
    try:
        found = files(f"agent.templates.{folder}")
    except ModuleNotFoundError:
        # Not installed at all: the source tree has them beside the package `agent`.
        found = files("agent").joinpath("..", folder)
    return found
