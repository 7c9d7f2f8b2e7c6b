"""pkcs12_state: what is remembered of a file says itself in words and hides secrets."""

from __future__ import annotations

from keystoretools import Password, der
from keystoretools.pkcs12_mac import Mac
from keystoretools.pkcs12_state import Pkcs12State


def test_passwordless_is_neither_check_nor_encryption() -> None:
    """Java's form without a password lacks both; one of them is not enough."""
    mac = Mac(digest="sha1", value=b"", salt=b"", iterations=1)
    scheme = der.algorithm("1.2.3")
    assert Pkcs12State().is_passwordless
    assert not Pkcs12State(mac=mac).is_passwordless
    assert not Pkcs12State(certificate_scheme=scheme).is_passwordless


def test_the_cipher_in_words() -> None:
    """Unknown algorithms by their OID, none as such."""
    assert "none" == Pkcs12State().certificate_cipher
    assert "1.2.3" == Pkcs12State(certificate_scheme=der.algorithm("1.2.3")).certificate_cipher


def test_the_password_does_not_show() -> None:
    """Not even as a placeholder."""
    assert "secret" not in repr(Pkcs12State(password=Password("secret")))
