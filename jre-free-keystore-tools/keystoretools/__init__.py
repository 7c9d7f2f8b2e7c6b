"""Keystores of Java and of everybody else, without Java: read, explained, changed and written.

A whole program::

    from datetime import UTC, datetime
    from keystoretools import KeystoreError, files, open_keystore, save_keystore

    try:
        with files.locked("conf/.keystore"):                 # nobody else changes it meanwhile
            data = files.load("conf/.keystore")
            store = open_keystore(data, "alarmpoint")        # any format, told by its content, never by a name
            for entry in store:                              # in the order of the file
                print(entry.alias, entry.created, type(entry).__name__)
            new = open_keystore(files.load("new.pfx"), "pfx password")
            store = store.import_(new)                       # its keys come under *this* store's password
            store = store.rename("new-cert", "ia-2026")
            now = datetime.now(UTC)                          # no clock in here: it dates what is new, and the backup
            octets = save_keystore(store, now_ms=int(now.timestamp() * 1000))       # a JKS stays a JKS, what is not
            files.save("conf/.keystore", octets, expected=data, now=now)            # touched its octets; all or nothing
    except KeystoreError as error:
        print(error.code, error.sentence)                    # "wrong-password", and what to do about it

And what a server does with it::

    from keystoretools import PORTABLE, Format, choose_identity
    from keystoretools.findings import findings
    from keystoretools.tls import ssl_context

    chosen = choose_identity(store, now=now)                 # the only usable one, or an error that lists them all;
    print(chosen.entry.alias, *chosen.reasons)               # choose_identity(store, "ia-2026", now=now) names it
    context = ssl_context(store, chosen.entry.alias, now=now)
    for finding in findings(store, now=now, host_names=["ia.example.com"]):
        print(finding.severity, finding.code, finding.sentence, finding.cure)
    octets = save_keystore(store, format=Format.PKCS12, profile=PORTABLE)      # converted, for whom the profile says

* `Keystore` is frozen; `add`, `remove`, `rename`, `import_`, `set_password`, `set_key_password` give a new one.
  `store["ia-2026"]` is an entry, `store.unlock("ia-2026")` its key, opened only now; its repr shows nothing.
* `PrivateKeyEntry`, `TrustedCertificateEntry`, `SecretKeyEntry` keep the octets they were read from: keys whose
  password nobody gave, dates, certificates and unknown attributes survive a rewrite.
* `Certificate` is raw DER with a tolerant, lazy view; `to_cryptography` where more is wanted.
* `read_anything` reads whatever a certificate department sends; `keystoretools.assemble` puts it together,
  `keystoretools.findings` says what is wrong with it and `keystoretools.explain` explains it in plain words.
* `choose_identity` names the entry to present, with reasons; `java_would_pick` what Java would have presented.
* `sniff` says what any file is, keystore or not, and `Detected.sentence` says it to the operator.
* Only `KeystoreError` leaves this package; its `code` is stable and its `sentence` is for the operator.
* `Limits` holds every ceiling; one `Budget` bounds what one call may calculate.

Nothing here touches files, clocks or logs, but two modules that are imported by name: `keystoretools.files` (`load`,
`save`, `locked`) and `keystoretools.tls` (`ssl_context`: a server's context of pyOpenSSL, the key never on the disk).
`import keystoretools` itself imports next to nothing: each public name brings its module when it is first used, and
`cryptography` comes when a key is opened.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from keystoretools.assemble import AssembledIdentity, Assembly
    from keystoretools.certificate import Certificate, Extension
    from keystoretools.chain import Chain, MissingIssuer
    from keystoretools.contents import Contents, Leftover, LockedStore, Part, read_anything
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
    from keystoretools.finding import Finding, Severity
    from keystoretools.identity import Identity, choose_identity
    from keystoretools.javapick import Pick, java_would_pick
    from keystoretools.limits import Budget, Limits
    from keystoretools.lockedkey import LockedKey, SecretKey
    from keystoretools.model import Format, Keystore, Note
    from keystoretools.names import AlternativeName, Name
    from keystoretools.pem import write_pem
    from keystoretools.privatekey import PrivateKey, read_private_key
    from keystoretools.privatekey_forms import EncryptedKey
    from keystoretools.profiles import LEGACY, MODERN, PORTABLE, PROFILES, Profile
    from keystoretools.publickey import PublicKey
    from keystoretools.request import CertificateRequest
    from keystoretools.secret import Password, SecretBytes
    from keystoretools.store import open_keystore, save_keystore

# The module of each public name, imported when the name is first used: who only catches KeystoreError, or only sniffs,
# does not pay for the rest.
_HOME: Final = {
    "AlternativeName": "names",
    "AssembledIdentity": "assemble",
    "Assembly": "assemble",
    "Attribute": "entries",
    "Budget": "limits",
    "Certificate": "certificate",
    "CertificateRequest": "request",
    "Chain": "chain",
    "Contents": "contents",
    "CorruptError": "errors",
    "Detected": "detect",
    "EncryptedKey": "privatekey_forms",
    "Entry": "entries",
    "ErrorCode": "errors",
    "Extension": "certificate",
    "Finding": "finding",
    "Format": "model",
    "Identity": "identity",
    "KeyEntry": "entries",
    "Keystore": "model",
    "KeystoreError": "errors",
    "Kind": "detect",
    "LEGACY": "profiles",
    "Leftover": "contents",
    "LimitError": "errors",
    "Limits": "limits",
    "LockedKey": "lockedkey",
    "LockedStore": "contents",
    "MODERN": "profiles",
    "MangledError": "errors",
    "MissingIssuer": "chain",
    "Name": "names",
    "NotAKeystoreError": "errors",
    "Note": "model",
    "OperationError": "errors",
    "PORTABLE": "profiles",
    "PROFILES": "profiles",
    "Part": "contents",
    "Password": "secret",
    "PasswordNeededError": "errors",
    "Pick": "javapick",
    "PrivateKey": "privatekey",
    "PrivateKeyEntry": "entries",
    "Profile": "profiles",
    "PublicKey": "publickey",
    "SecretBytes": "secret",
    "SecretKey": "lockedkey",
    "SecretKeyEntry": "entries",
    "Severity": "finding",
    "TruncatedError": "errors",
    "TrustedCertificateEntry": "entries",
    "UnsupportedError": "errors",
    "WrongKeyPasswordError": "errors",
    "WrongPasswordError": "errors",
    "choose_identity": "identity",
    "fold_alias": "entries",
    "java_would_pick": "javapick",
    "open_keystore": "store",
    "read_anything": "contents",
    "read_private_key": "privatekey",
    "save_keystore": "store",
    "sniff": "detect",
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
    """The names in `_HOME`, imported once."""
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
