"""`-importpass` and `-genseckey`: secret keys and stored passwords."""

from __future__ import annotations

import os
from typing import Final

from keystoretools.entries import SecretKeyEntry
from keystoretools.keytool import keys, stores, validity
from keystoretools.keytool.failures import KEYSTORE, KeytoolError
from keystoretools.keytool.session import TRIES, Session
from keystoretools.keytool.stores import Store
from keystoretools.lockedkey import SecretKey
from keystoretools.secret import Password, SecretBytes

# Java's names and its sizes in bits: the default (0: -keysize must be given), those allowed (none: any).
_KINDS: Final = {
    "AES": ("AES", 0, (128, 192, 256)),
    "DES": ("DES", 56, (56,)),
    "DESEDE": ("DESede", 168, (112, 168)),
    "TRIPLEDES": ("DESede", 168, (112, 168)),
    "HMACSHA1": ("HmacSHA1", 0, ()),
    "HMACSHA224": ("HmacSHA224", 0, ()),
    "HMACSHA256": ("HmacSHA256", 0, ()),
    "HMACSHA384": ("HmacSHA384", 0, ()),
    "HMACSHA512": ("HmacSHA512", 0, ()),
}
_LARGEST_BITS: Final = 65_536
_DES_OCTETS: Final = {56: 8, 112: 16, 168: 24}
# What keytool stores a password as; PBEWithMD5AndDES is its default.
_PASSWORD_ALGORITHM: Final = "PBEWithMD5AndDES"


def run(session: Session) -> int:
    """Either command, by name."""
    command = session.invocation.command
    is_password = command is not None and command.name == "importpass"
    typed = session.get("keyalg")
    if not is_password and typed is None:
        raise KeytoolError("The -keyalg option must be specified.")
    store = stores.open_to_write(session, may_create=True)
    alias = session.alias
    if alias in store.keystore:
        raise KeytoolError(f"Secret Key not generated, alias <{alias}> already exists")
    if is_password:
        key, said = _stored_password(session, typed), ""
    else:
        key, said = _random_key(session, typed or "")
    return _add(session, store, key, said)


def _add(session: Session, store: Store, key: SecretKey, said: str) -> int:
    alias = session.alias
    keys.warn_about_key_password(session, store, session.password("keypass"))
    password = keys.new_key_password(session, store, alias, session.password("keypass"))
    if not store.keystore.format.holds_secret_keys:
        raise KeytoolError(
            "Cannot store non-PrivateKeys",
            java_class=KEYSTORE,
            hint=f"A {store.keystore.format.value} keystore holds no secret keys; PKCS12 and JCEKS do.",
        )
    entry = SecretKeyEntry(alias=alias.lower(), key=key, created_ms=session.now_ms, key_password=password)
    store.keystore = store.keystore.add(entry)
    session.prompts.err(said)
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
    if typed.upper() not in _KINDS:
        raise KeytoolError(f"{typed} KeyGenerator not available", java_class="java.security.NoSuchAlgorithmException")
    algorithm, default, allowed = _KINDS[typed.upper()]
    bits = validity.whole_number(session.get("keysize"), default)
    if not bits:
        raise KeytoolError("Please provide -keysize for secret key generation")
    if (allowed and bits not in allowed) or not 0 < bits <= _LARGEST_BITS:
        sizes = "128, 192 or 256" if algorithm == "AES" else " or ".join(map(str, allowed)) or "a positive number"
        raise KeytoolError(
            f"Wrong keysize: must be equal to {sizes}", java_class="java.security.InvalidParameterException"
        )
    raw = os.urandom(_DES_OCTETS[bits] if algorithm in ("DES", "DESede") else (bits + 7) // 8)
    if algorithm in ("DES", "DESede"):
        raw = bytes(octet & 0xFE | (octet & 0xFE).bit_count() & 1 ^ 1 for octet in raw)  # odd parity, FIPS 46-3
    said = f"Generated {bits}-bit {algorithm} secret key\n"
    return SecretKey(algorithm=algorithm, raw=SecretBytes(raw)), said
