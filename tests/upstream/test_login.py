"""Password files, read again."""

from __future__ import annotations

import pytest

from agent.upstream.login import plain_secret, secret_in_file


@pytest.mark.parametrize("content", [b"", b"x" * 5000, b"\xff", b"a\x07"])
def test_a_file_without_a_password_is_refused(tmp_path, content):
    """As at the start: the same rules count while the agent runs."""
    path = tmp_path / "pw"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"first line|larger than|not UTF-8"):
        secret_in_file(path, plain_secret)


def test_the_first_line_is_the_password(tmp_path):
    """Blanks count, the rest of the file does not."""
    path = tmp_path / "pw"
    path.write_bytes(b" new \r\nrest")
    assert " new " == secret_in_file(path, plain_secret).reveal()
