"""The key of a home."""

from pathlib import Path

import pytest

from agent.config.homekey import ensure_key, open_secret, write_secret
from agent.config.passwordfile import seal, show_key
from agent.errors import OperatorError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    return tmp_path


def test_the_key_is_made_once_and_for_its_owner_only(home: Path) -> None:
    """Another home has another one."""
    key = ensure_key(home, {})
    assert key == ensure_key(home, {})
    assert 0o600 == (home / "conf/.iakey").stat().st_mode & 0o777
    (home / "other/conf").mkdir(parents=True)
    assert key != ensure_key(home / "other", {})
    assert [".iakey"] == [path.name for path in (home / "conf").iterdir()]


def test_a_credential_of_the_service_comes_first(home: Path) -> None:
    """Then no key lies beside what it opens."""
    (home / "iapassword-key").write_bytes(show_key(bytes(32)))
    assert bytes(32) == ensure_key(home, {"CREDENTIALS_DIRECTORY": str(home)})
    assert not (home / "conf/.iakey").exists()


def test_a_damaged_key_is_not_replaced(home: Path) -> None:
    """Every secret of the home would be lost for good."""
    (home / "conf/.iakey").write_bytes(b"rubbish")
    with pytest.raises(OperatorError, match="64 hexadecimal digits; bring the right one back"):
        ensure_key(home, {})
    assert b"rubbish" == (home / "conf/.iakey").read_bytes()


def test_a_secret_replaces_the_old_one_whole(home: Path) -> None:
    """Nothing is left beside it."""
    (home / "conf/.pw").write_bytes(b"old")
    write_secret(home / "conf/.pw", b"new")
    assert b"new" == (home / "conf/.pw").read_bytes()
    assert [".pw"] == [path.name for path in (home / "conf").iterdir()]


def test_password_files_are_opened_plain_or_sealed(home: Path) -> None:
    """Whoever reads credentials again need not know which."""
    path = home / "conf/.pw"
    assert "plain" == open_secret(home, path, b"plain\n").reveal()
    sealed = seal("geheim", ensure_key(home, {}))
    assert "geheim" == open_secret(home, path, sealed).reveal()
    (home / "conf/.iakey").unlink()
    with pytest.raises(ValueError, match=r"the key of this home cannot be read: conf/.iakey does not exist"):
        open_secret(home, path, sealed)
