"""The distribution holds what the tree holds."""

from __future__ import annotations

import configparser
from pathlib import Path

ROOT = Path(__file__).parent.parent


def _setup_cfg() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def _package_folders() -> dict[str, Path]:
    config = _setup_cfg()
    mapped = dict(line.split(" = ") for line in config["options"]["package_dir"].split("\n") if line)
    return {name: ROOT / mapped[name] if name in mapped else _folder(name, mapped) for name in _packages()}


def _packages() -> list[str]:
    return _setup_cfg()["options"]["packages"].split()


def _folder(name: str, mapped: dict[str, str]) -> Path:
    parent, _, last = name.rpartition(".")
    if not parent:
        return ROOT / name
    return (ROOT / mapped[parent] if parent in mapped else _folder(parent, mapped)) / last


def test_the_package_list_is_sorted_and_unique() -> None:
    """The list is kept by hand, so it must be easy to read."""
    packages = _packages()
    assert sorted(set(packages)) == packages


def test_every_listed_package_exists() -> None:
    """A package that was moved is noticed before the wheel is built."""
    missing = [name for name, folder in _package_folders().items() if not folder.is_dir()]
    assert [] == missing


def test_every_package_of_the_tree_is_listed() -> None:
    """A package that is not listed would be missing from the wheel without a word."""
    roots = [ROOT / "agent", ROOT / "apclient", ROOT / "iadmin", ROOT / "jre-free-keystore-tools" / "keystoretools"]
    found = {path.parent for root in roots for path in root.rglob("__init__.py")}
    assert set() == found - set(_package_folders().values())


def test_each_decision_has_a_number_of_its_own() -> None:
    """Pages are named by it."""
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("[0-9]*.rst")]
    assert sorted(set(numbers)) == sorted(numbers)
