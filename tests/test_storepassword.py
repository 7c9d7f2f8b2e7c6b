"""agent.storepassword: systemd's credential before the environment, and what cannot be used is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import OperatorError
from agent.storepassword import find_store_password


def given(environ: dict[str, str]) -> tuple[str, str] | None:
    found = find_store_password(environ)
    return None if found is None else (found.secret.reveal(), found.origin)


def test_the_credential_counts_before_the_environment(tmp_path: Path) -> None:
    """Its first line; where there is no such credential, the environment's counts."""
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "IA_KEYSTORE_PASSWORD": "other"}
    assert ("other", "$IA_KEYSTORE_PASSWORD") == given(environ)
    (tmp_path / "keystore-password").write_bytes("s3cr\u00e9t\r\nno more\n".encode())
    assert ("s3cr\u00e9t", f"the credential {tmp_path / 'keystore-password'}") == given(environ)


def test_nobody_gives_one() -> None:
    """Then the default password is tried, by others."""
    assert given({}) is None


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\n", "empty first line"), (b"\xff\xfe", "not UTF-8"), (b"x" * 5000, "larger than 4096 bytes")],
)
def test_a_credential_that_cannot_be_used_is_an_error(tmp_path: Path, content: bytes, told: str) -> None:
    """With its path, and never its content."""
    path = tmp_path / "keystore-password"
    path.write_bytes(content)
    with pytest.raises(OperatorError, match=told) as caught:
        find_store_password({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert str(path) in caught.value.sentence
    assert "LoadCredential=" in caught.value.sentence


def test_a_credential_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """It is there, so somebody means it to be used."""
    (tmp_path / "keystore-password").mkdir()
    with pytest.raises(OperatorError, match="cannot be read"):
        find_store_password({"CREDENTIALS_DIRECTORY": str(tmp_path)})
