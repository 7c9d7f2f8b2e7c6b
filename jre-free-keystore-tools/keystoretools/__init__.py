"""Keystores of Java and of everybody else, without Java: read, explained, changed and written.

The primitives::

    from keystoretools import open_keystore, save_keystore

    store = open_keystore(data, "alarmpoint")            # any format, told by its content, never by a name
    for entry in store:                                  # in the order of the file
        print(entry.alias, entry.created)
    key = store.unlock("apia")                           # opened only now; its repr shows nothing
    other = open_keystore(pfx, "pfx password")
    store = store.import_(other)                         # its keys come under *this* store's password
    store = store.rename("new-cert", "ia-2026").remove("apia")
    data = save_keystore(store)                          # a JKS stays a JKS; untouched entries keep their octets

* `Keystore` is frozen; `add`, `remove`, `rename`, `import_`, `set_password`, `set_key_password` give a new one.
* `PrivateKeyEntry`, `TrustedCertificateEntry`, `SecretKeyEntry` keep the octets they were read from: keys whose
  password nobody gave, dates, certificates and unknown attributes survive a rewrite.
* `Certificate` is raw DER with a tolerant, lazy view; `to_cryptography` where more is wanted.
* `read_anything` reads whatever a certificate department sends; `keystoretools.assemble` puts it together,
  `keystoretools.findings` says what is wrong with it and `keystoretools.explain` explains it in plain words.
* `choose_identity` names the entry to present, with reasons; `java_would_pick` what Java would have presented.
* `sniff` says what any file is, keystore or not, and `Detected.sentence` says it to the operator.
* Only `KeystoreError` leaves this package; its `code` is stable and its `sentence` is for the operator.
* `Limits` holds every ceiling; one `Budget` bounds what one call may calculate.

Nothing here touches files, clocks or logs.  `cryptography` is imported when a key is opened, not before.  Two modules
are not pure and are imported by name: `keystoretools.files` (`load`, `save`, `locked`: all or nothing, with a backup)
and `keystoretools.tls` (`ssl_context`: a server's context of pyOpenSSL from an entry, the key never on the disk).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from keystoretools.certificate import Certificate, Extension
from keystoretools.detect import Detected, Kind, sniff
from keystoretools.entries import (
    Attribute,
    Entry,
    KeyEntry,
    PrivateKeyEntry,
    SecretKeyEntry,
    TrustedCertificateEntry,
    fold_alias,
)
from keystoretools.errors import (
    CorruptError,
    ErrorCode,
    KeystoreError,
    LimitError,
    MangledError,
    NotAKeystoreError,
    OperationError,
    PasswordNeededError,
    TruncatedError,
    UnsupportedError,
    WrongKeyPasswordError,
    WrongPasswordError,
)
from keystoretools.limits import Budget, Limits
from keystoretools.lockedkey import LockedKey, SecretKey
from keystoretools.model import Format, Keystore, Note
from keystoretools.names import AlternativeName, Name
from keystoretools.privatekey import PrivateKey, read_private_key
from keystoretools.profiles import LEGACY, MODERN, PORTABLE, PROFILES, Profile
from keystoretools.publickey import PublicKey
from keystoretools.secret import Password, SecretBytes
from keystoretools.store import open_keystore, save_keystore

if TYPE_CHECKING:
    from keystoretools.assemble import AssembledIdentity, Assembly
    from keystoretools.chain import Chain, MissingIssuer
    from keystoretools.contents import Contents, Leftover, LockedStore, Part, read_anything
    from keystoretools.finding import Finding, Severity
    from keystoretools.identity import Identity, choose_identity
    from keystoretools.javapick import Pick, java_would_pick
    from keystoretools.pem import write_pem
    from keystoretools.privatekey_forms import EncryptedKey
    from keystoretools.request import CertificateRequest

# Public names whose module is imported when the name is first used: opening a keystore needs none of them.
_LATER: Final = {
    "AssembledIdentity": "assemble",
    "Assembly": "assemble",
    "CertificateRequest": "request",
    "Chain": "chain",
    "Contents": "contents",
    "EncryptedKey": "privatekey_forms",
    "Finding": "finding",
    "Identity": "identity",
    "Leftover": "contents",
    "LockedStore": "contents",
    "MissingIssuer": "chain",
    "Part": "contents",
    "Pick": "javapick",
    "Severity": "finding",
    "choose_identity": "identity",
    "java_would_pick": "javapick",
    "read_anything": "contents",
    "write_pem": "pem",
}

__all__ = [
    "LEGACY",
    "MODERN",
    "PORTABLE",
    "PROFILES",
    "AlternativeName",
    "AssembledIdentity",
    "Assembly",
    "Attribute",
    "Budget",
    "Certificate",
    "CertificateRequest",
    "Chain",
    "Contents",
    "CorruptError",
    "Detected",
    "EncryptedKey",
    "Entry",
    "ErrorCode",
    "Extension",
    "Finding",
    "Format",
    "Identity",
    "KeyEntry",
    "Keystore",
    "KeystoreError",
    "Kind",
    "Leftover",
    "LimitError",
    "Limits",
    "LockedKey",
    "LockedStore",
    "MangledError",
    "MissingIssuer",
    "Name",
    "NotAKeystoreError",
    "Note",
    "OperationError",
    "Part",
    "Password",
    "PasswordNeededError",
    "Pick",
    "PrivateKey",
    "PrivateKeyEntry",
    "Profile",
    "PublicKey",
    "SecretBytes",
    "SecretKey",
    "SecretKeyEntry",
    "Severity",
    "TruncatedError",
    "TrustedCertificateEntry",
    "UnsupportedError",
    "WrongKeyPasswordError",
    "WrongPasswordError",
    "choose_identity",
    "fold_alias",
    "java_would_pick",
    "open_keystore",
    "read_anything",
    "read_private_key",
    "save_keystore",
    "sniff",
    "write_pem",
]


def __getattr__(name: str) -> object:
    """The names in `_LATER`, imported once."""
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value
