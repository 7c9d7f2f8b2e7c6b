"""keystoretools: the names it promises are there, and importing it brings in nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

import keystoretools


def test_every_public_name_is_there() -> None:
    """Also those whose module is imported later."""
    assert [name for name in keystoretools.__all__ if getattr(keystoretools, name, None) is None] == []
    assert sorted(keystoretools._LATER.keys() - set(keystoretools.__all__)) == []
    with pytest.raises(AttributeError):
        _ = keystoretools.no_such_name


def test_the_import_is_light() -> None:
    """Neither cryptography nor Twisted comes along."""
    code = "import keystoretools, sys; print(sorted({'cryptography', 'twisted', 'OpenSSL', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
