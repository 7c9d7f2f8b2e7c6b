"""keystoretools: the names it promises are there, and importing it brings in nothing heavy."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import keystoretools
from tests.keystoretools.conftest import SAMPLES


def test_every_public_name_is_there() -> None:
    """Also those whose module is imported later."""
    assert [name for name in keystoretools.__all__ if getattr(keystoretools, name, None) is None] == []
    assert sorted(keystoretools._HOME) == sorted(keystoretools.__all__)
    assert set(keystoretools.__all__) <= set(dir(keystoretools))
    with pytest.raises(AttributeError):
        _ = keystoretools.no_such_name


def test_the_import_is_light() -> None:
    """Nothing heavy comes along, not even the package's own modules: each is imported when a name of it is used."""
    code = (
        "import keystoretools, sys\n"
        "heavy = {'cryptography', 'twisted', 'OpenSSL', 'rich', 'attrs'} & set(sys.modules)\n"
        "print(sorted(heavy | {name for name in sys.modules if name.startswith('keystoretools.')}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_open_store_loads_no_cryptography() -> None:
    """It is imported when a key is opened, not before; a JKS needs nothing of PKCS#12."""
    sample = SAMPLES / "jks/ia-default.keystore"
    code = (
        "import sys; from keystoretools import open_keystore\n"
        f"open_keystore(open({str(sample)!r}, 'rb').read(), 'alarmpoint')\n"
        "print(sorted(name for name in sys.modules if name == 'cryptography' or 'keystoretools.pkcs12' in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_programs_in_the_docstring_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand there, one after the other, by somebody who knows nothing else."""
    text = keystoretools.__doc__ or ""
    shown = text[text.index("    from datetime") : text.index("* `Keystore` is frozen")].splitlines()
    program = textwrap.dedent("\n".join(line for line in shown if not line or line.startswith("    ")))
    (tmp_path / "conf").mkdir()
    case = SAMPLES / "golden/042-importks-seed-prompts/in"
    shutil.copy(case / ".keystore", tmp_path / "conf/.keystore")
    shutil.copy(case / "new.pfx", tmp_path / "new.pfx")
    alias = keystoretools.open_keystore((case / "new.pfx").read_bytes(), "changeit").entries[0].alias
    monkeypatch.chdir(tmp_path)
    exec(program.replace("pfx password", "changeit").replace('"new-cert"', f'"{alias}"'), {})
    found = keystoretools.open_keystore((tmp_path / "conf/.keystore").read_bytes(), "alarmpoint")
    created = found["ia-2026"].created
    assert created is not None and created.year > 2000
    assert () == found.locked_apart()
