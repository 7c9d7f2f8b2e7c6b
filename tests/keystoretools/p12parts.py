"""PKCS#12 files put together by hand, for tests: any bags, in any order, with any integrity check."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence

import attrs

from keystoretools import PORTABLE, Password, Profile, der, oids, pbe, pkcs12_mac
from keystoretools.pkcs12_state import (
    ANY_EXTENDED_KEY_USAGE,
    CERTIFICATE_BAG,
    FRIENDLY_NAME,
    KEY_BAG,
    LOCAL_KEY_ID,
    SECRET_BAG,
    SHROUDED_KEY_BAG,
    TRUSTED_KEY_USAGE,
    X509_CERTIFICATE,
)
from tests.keystoretools.material import identity

PASSWORD = "changeit"
FAST: Profile = attrs.evolve(PORTABLE, name="fast", encryption_iterations=1000, mac_iterations=1000)


def encrypted_key(plain: bytes, password: str = PASSWORD) -> bytes:
    """An EncryptedPrivateKeyInfo."""
    identifier, octets = pbe.encrypt(plain, Password(password), FAST, os.urandom)
    return der.sequence(identifier, der.octet_string(octets))


def bag(
    kind: str,
    value: bytes,
    *,
    name: str | None = None,
    key_id: bytes | None = None,
    trusted: bool = False,
    more: Sequence[bytes] = (),
) -> bytes:
    """A SafeBag with the attributes that matter, and `more` as they are."""
    parts = list(more)
    if name is not None:
        parts.append(attribute(FRIENDLY_NAME, der.bmp_string(name)))
    if key_id is not None:
        parts.append(attribute(LOCAL_KEY_ID, der.octet_string(key_id)))
    if trusted:
        parts.append(attribute(TRUSTED_KEY_USAGE, der.oid(ANY_EXTENDED_KEY_USAGE)))
    return der.sequence(der.oid(kind), der.explicit(0, value), *([der.set_of(*parts)] if parts else []))


def attribute(name: str, value: bytes) -> bytes:
    return der.sequence(der.oid(name), der.set_of(value))


def key_bag(octets: bytes, **attributes: object) -> bytes:
    """A shrouded key from its EncryptedPrivateKeyInfo."""
    return bag(SHROUDED_KEY_BAG, octets, **attributes)  # type: ignore[arg-type]


def clear_key_bag(pkcs8: bytes, **attributes: object) -> bytes:
    return bag(KEY_BAG, pkcs8, **attributes)  # type: ignore[arg-type]


def secret_bag(octets: bytes, **attributes: object) -> bytes:
    held = der.sequence(der.oid(SHROUDED_KEY_BAG), der.explicit(0, der.octet_string(octets)))
    return bag(SECRET_BAG, held, **attributes)  # type: ignore[arg-type]


def certificate_bag(octets: bytes, **attributes: object) -> bytes:
    held = der.sequence(der.oid(X509_CERTIFICATE), der.explicit(0, der.octet_string(octets)))
    return bag(CERTIFICATE_BAG, held, **attributes)  # type: ignore[arg-type]


def clear_content(*bags: bytes) -> bytes:
    return content_info(oids.DATA, der.octet_string(der.sequence(*bags)))


def encrypted_content(*bags: bytes, password: str = PASSWORD, profile: Profile = FAST) -> bytes:
    identifier, octets = pbe.encrypt(der.sequence(*bags), Password(password), profile, os.urandom)
    return encrypted_with(identifier, octets)


def encrypted_with(identifier: bytes, octets: bytes) -> bytes:
    inside = der.sequence(der.oid(oids.DATA), identifier, der.encode(der.context(0, constructed=False), octets))
    return content_info(oids.ENCRYPTED_DATA, der.sequence(der.integer(0), inside))


def content_info(name: str, value: bytes) -> bytes:
    return der.sequence(der.oid(name), der.explicit(0, value))


def pkcs12(*contents: bytes, password: str | None = PASSWORD, digest: str = "sha1") -> bytes:
    """The whole file; `password` None leaves the integrity check out."""
    content = der.sequence(*contents)
    mac = b""
    if password is not None:
        given = Password(password)
        mac = pkcs12_mac.create(content, given, digest=digest, salt=b"saltsalt", iterations=1000)
    return with_mac(content, mac)


def with_mac(content: bytes, mac: bytes) -> bytes:
    return der.sequence(der.integer(3), content_info(oids.DATA, der.octet_string(content)), mac)


@functools.cache
def locked_key_of(*name: str) -> bytes:
    """The EncryptedPrivateKeyInfo of `material.identity(*name)`, made once."""
    return encrypted_key(identity(*name)[0].pkcs8.reveal())
