"""serialization: only Java's own templates are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import KeystoreError, LimitError, Limits, SecretBytes, UnsupportedError
from keystoretools.octets import utf
from keystoretools.serialization import (
    SealedObject,
    read_sealed,
    read_secret_key,
    write_sealed,
    write_secret_key,
)

SEALED = write_sealed(SealedObject(parameters=b"params", content=b"content!"))


@given(st.text(max_size=20), st.binary(max_size=50))
def test_secret_keys_read_back(algorithm: str, raw: bytes) -> None:
    """Any algorithm name and key survive, in whichever of the two shapes Java uses."""
    stream = write_secret_key(algorithm, SecretBytes(raw))
    assert read_secret_key(stream, Limits()) == (algorithm, SecretBytes(raw))


def test_java_writes_two_shapes() -> None:
    """DES and stored passwords are KeyRep, AES and HMAC keys SecretKeySpec."""
    shapes = {name: b"KeyRep" in write_secret_key(name, SecretBytes(b"k")) for name in ("DESede", "PBEWithX", "AES")}
    assert shapes == {"DESede": True, "PBEWithX": True, "AES": False}


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_any_change_of_the_template_is_refused(at: int, flip: int) -> None:
    """One octet off the template raises KeystoreError, or lies in the two free places."""
    changed = bytearray(SEALED)
    changed[at] ^= flip
    try:
        sealed, _ = read_sealed(bytes(changed), 0, Limits())
    except KeystoreError:
        return
    assert len(sealed.parameters + sealed.content) == 14
    assert SEALED[at : at + 1] in b"paramscontent!"


def test_other_java_classes_are_named() -> None:
    """A hash bomb in the place of a key is refused by its class name."""
    bomb = bytes.fromhex("ACED00057372") + utf("java.util.HashSet") + bytes(100)
    with pytest.raises(UnsupportedError) as caught:
        read_sealed(bomb, 0, Limits())
    assert caught.value.name == "java.util.HashSet"


def test_absurd_arrays_are_a_limit() -> None:
    """An array of 2**31 octets is refused before it is read."""
    with pytest.raises(LimitError):
        read_sealed(SEALED.replace(b"\0\0\0\6params", b"\x7f\xff\xff\xffparams"), 0, Limits())
