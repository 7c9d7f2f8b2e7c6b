"""`-importpass` and `-genseckey`: secret keys and stored passwords."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from typing import Final

import attrs

from keystoretools.entries import SecretKeyEntry
from keystoretools.keytool import keys, stores, validity
from keystoretools.keytool.failures import KEYSTORE, KeytoolError
from keystoretools.keytool.session import TRIES, Session
from keystoretools.keytool.stores import Store
from keystoretools.lockedkey import SECRET_KEY_OIDS, SecretKey
from keystoretools.secret import Password, SecretBytes

_MOST_BITS: Final = 65_536
_ANY_BITS: Final = range(1, _MOST_BITS + 1)
_HMAC_BITS: Final = range(40, _MOST_BITS + 1)


@attrs.frozen
class _Kind:
    """A kind of secret key: Java's name, the sizes in bits, its words for another size; the default (0: none)."""

    algorithm: str
    sizes: Container[int]
    fault: str
    default: int = 0


_HMAC_FAULT: Final = "Key length must be at least 40 bits"
_DESEDE: Final = _Kind("DESede", (112, 168), "Wrong keysize: must be equal to 112 or 168", 168)
_RC4: Final = _Kind("ARCFOUR", range(40, 1025), "Key length for ARCFOUR must be between 40 and 1024 bits")
_KINDS: Final[Mapping[str, _Kind]] = {
    "AES": _Kind("AES", (128, 192, 256), "Wrong keysize: must be equal to 128, 192 or 256"),
    "DES": _Kind("DES", (56,), "Wrong keysize: must be equal to 56", 56),
    "DESEDE": _DESEDE,
    "TRIPLEDES": _DESEDE,
    "BLOWFISH": _Kind(
        "Blowfish", range(32, 449, 8), "Keysize must be multiple of 8, and can only range from 32 to 448 (inclusive)"
    ),
    "ARCFOUR": _RC4,
    "RC4": _RC4,
    "RC2": _Kind("RC2", range(40, 1025), "Key length for RC2 must be between 40 and 1024 bits"),
    "CHACHA20": _Kind("ChaCha20", (256,), "Key length for ChaCha20 must be 256 bits"),
    "HMACMD5": _Kind("HmacMD5", _ANY_BITS, "Key length must be positive"),
    "HMACSHA1": _Kind("HmacSHA1", _ANY_BITS, "Key length must be positive"),
    **{
        name.upper(): _Kind(name, _HMAC_BITS, _HMAC_FAULT)
        for name in SECRET_KEY_OIDS.values()
        if name.startswith("Hmac") and name != "HmacSHA1"
    },
}
_DES_OCTETS: Final = {56: 8, 112: 16, 168: 24}
# What keytool stores a password as; PBEWithMD5AndDES is its default.
_PASSWORD_ALGORITHM: Final = "PBEWithMD5AndDES"


def run(session: Session) -> int:
    """Either command, by name."""
    command = session.invocation.command
    is_password = command is not None and command.name == "importpass"
    typed = session.get("keyalg")
    store = stores.open_to_write(session, may_create=True)
    if not is_password and typed is None:
        raise KeytoolError("The -keyalg option must be specified.")
    alias = session.alias
    if alias in store.keystore:
        raise KeytoolError(f"Secret Key not generated, alias <{alias}> already exists")
    if is_password and (typed or "PBE").upper().startswith("PBE"):
        key = _stored_password(session, typed)
        said = f"Generated {typed or 'PBE'} secret key\n" if session.has("v") else ""
    else:
        key, said = _random_key(session, typed or "")
    return _add(session, store, key, said)


def _add(session: Session, store: Store, key: SecretKey, said: str) -> int:
    alias = session.alias
    session.prompts.err(said)
    password = keys.new_key_password(session, store, alias, session.password("keypass"))
    if not store.keystore.format.holds_secret_keys:
        raise KeytoolError(
            "Cannot store non-PrivateKeys",
            java_class=KEYSTORE,
            hint=f"A {store.keystore.format.value} keystore holds no secret keys; PKCS12 and JCEKS do.",
        )
    if store.is_pkcs12 and key.algorithm not in SECRET_KEY_OIDS.values():
        raise KeytoolError(
            "Key protection algorithm not found: java.security.NoSuchAlgorithmException:"
            f" unrecognized algorithm name: {key.algorithm}",
            java_class=KEYSTORE,
            hint=f"PKCS12 has no identifier for {key.algorithm} keys; a JCEKS keystore can hold them.",
        )
    entry = SecretKeyEntry(alias=alias.lower(), key=key, created_ms=session.now_ms, key_password=password)
    store.keystore = store.keystore.add(entry)
    stores.save(session, store)
    return 0


def _stored_password(session: Session, typed: str | None) -> SecretKey:
    """A password typed by the user: twice on a terminal, one line from a pipe."""
    if typed is not None and typed.upper() != _PASSWORD_ALGORITHM.upper():
        session.prompts.hint(f"The password is stored as {_PASSWORD_ALGORITHM}, not as {typed}.")
    text = _asked_twice(session) if session.prompts.is_terminal else session.prompts.line()
    if not text:
        raise KeytoolError("No password was given", hint="Type it, or pipe one line into the command.")
    password = Password(text)
    password.require_printable_ascii("a stored password")
    return SecretKey(algorithm=_PASSWORD_ALGORITHM, raw=SecretBytes(text.encode("ascii")))


def _asked_twice(session: Session) -> str:
    for _ in range(TRIES):
        answer = session.prompts.password("Enter the password to be stored:  ")
        if answer is not None and session.prompts.password("Re-enter password: ") == answer:
            return answer.reveal()
        session.prompts.err("They don't match. Try again\n")
    raise KeytoolError("Too many failures. Key not added to keystore")


def _random_key(session: Session, typed: str) -> tuple[SecretKey, str]:
    kind = _KINDS.get(typed.upper())
    if kind is None:
        raise KeytoolError(f"{typed} KeyGenerator not available", java_class="java.security.NoSuchAlgorithmException")
    if session.get("keysize") is None and not kind.default:
        raise KeytoolError("Please provide -keysize for secret key generation")
    bits, algorithm = validity.whole_number(session.get("keysize"), kind.default), kind.algorithm
    if bits not in kind.sizes:
        hint = f"More than {_MOST_BITS} bits are not made here." if bits > _MOST_BITS else ""
        raise KeytoolError(kind.fault, java_class="java.security.InvalidParameterException", hint=hint)
    raw = os.urandom(_DES_OCTETS[bits] if algorithm in ("DES", "DESede") else (bits + 7) // 8)
    if algorithm in ("DES", "DESede"):
        raw = bytes(octet & 0xFE | (octet & 0xFE).bit_count() & 1 ^ 1 for octet in raw)  # odd parity, FIPS 46-3
    said = f"Generated {bits:,}-bit {algorithm} secret key\n"
    return SecretKey(algorithm=algorithm, raw=SecretBytes(raw)), said
