"""Keys as they lie in a file: encrypted octets, how to open them, and what comes out.

This is the one place that knows which algorithm belongs to which code; a new protection is one more branch in
`_open`.  Nothing is calculated before the numbers were checked against a `Budget`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from keystoretools import der, oids
from keystoretools.errors import CorruptError, LimitError, WrongKeyPasswordError, quoted
from keystoretools.limits import Budget
from keystoretools.privatekey import PrivateKey, read_private_key
from keystoretools.secret import Password, SecretBytes


class KeyForm(StrEnum):
    """What the octets of a `LockedKey` are."""

    ENCRYPTED_PKCS8 = "encrypted-pkcs8"  # EncryptedPrivateKeyInfo, RFC 5208
    SEALED_OBJECT = "sealed-object"  # Java serialization stream of JCEKS
    BKS_SEALED = "bks-sealed"  # BouncyCastle's own, opened by `bks.open_sealed`


@attrs.frozen(kw_only=True)
class LockedKey:
    """A key nobody has opened yet; carried and written unchanged as long as nobody asks for more."""

    form: KeyForm
    octets: bytes = attrs.field(repr=lambda octets: f"<{len(octets)} octets>")

    @property
    def scheme(self) -> str:
        """The OID of the encryption algorithm; for sealed objects their fixed algorithm's name.

        Raises CorruptError when the octets have no such structure.
        """
        if self.form is KeyForm.SEALED_OBJECT:
            return "PBEWithMD5AndTripleDES"
        if self.form is KeyForm.BKS_SEALED:
            return "PBEWithSHAAnd3-KeyTripleDES-CBC"
        return der.parse(self.octets).sequence(2, "encrypted key")[0].sequence(1, "algorithm")[0].oid()


@attrs.frozen(kw_only=True)
class SecretKey:
    """An unlocked secret key; a stored password is `PBEWithMD5AndDES` (or so) with its text as `raw`."""

    algorithm: str
    raw: SecretBytes


# Algorithm identifiers of PKCS#12 secret bags <-> Java's names.
SECRET_KEY_OIDS: Final = {
    "2.16.840.1.101.3.4.1": "AES",
    "1.2.840.113549.2.7": "HmacSHA1",
    "1.2.840.113549.2.8": "HmacSHA224",
    "1.2.840.113549.2.9": "HmacSHA256",
    "1.2.840.113549.2.10": "HmacSHA384",
    "1.2.840.113549.2.11": "HmacSHA512",
    "1.2.840.113549.2.12": "HmacSHA512/224",
    "1.2.840.113549.2.13": "HmacSHA512/256",
    "2.16.840.1.101.3.4.2.13": "HmacSHA3-224",
    "2.16.840.1.101.3.4.2.14": "HmacSHA3-256",
    "2.16.840.1.101.3.4.2.15": "HmacSHA3-384",
    "2.16.840.1.101.3.4.2.16": "HmacSHA3-512",
    "1.2.840.113549.3.4": "ARCFOUR",
    "1.3.14.3.2.17": "DESede",
    "1.3.14.3.2.7": "DES",
    "1.2.840.113549.1.5.3": "PBEWithMD5AndDES",
}


def unlock_private_key(
    locked: LockedKey, password: Password, budget: Budget, *, alias: str | None = None
) -> PrivateKey:
    """Open a private key.

    Raises WrongKeyPasswordError, LimitError (iterations), UnsupportedError (algorithm), CorruptError.
    """
    if locked.form is KeyForm.BKS_SEALED:
        opened = _open_bks(locked, password, budget, alias)
        if isinstance(opened, PrivateKey):
            return opened
        raise CorruptError("A secret key stands where a private key should be.", alias=alias)
    plain = _open(locked, password, budget, alias)
    try:
        return read_private_key(plain)
    except (CorruptError, LimitError) as error:  # rubbish may look like anything
        if locked.scheme == oids.JKS_PROTECTION:  # its check value was right: the password was
            raise
        raise _wrong_password(alias) from error


def unlock_secret_key(locked: LockedKey, password: Password, budget: Budget, *, alias: str | None = None) -> SecretKey:
    """Open a secret key of JCEKS or PKCS#12.  Raises as `unlock_private_key`."""
    if locked.form is KeyForm.BKS_SEALED:
        opened = _open_bks(locked, password, budget, alias)
        if isinstance(opened, SecretKey):
            return opened
        raise CorruptError("A private key without certificates stands where a secret key should be.", alias=alias)
    plain = _open(locked, password, budget, alias)
    if locked.form is KeyForm.SEALED_OBJECT:
        from keystoretools.serialization import read_secret_key

        if not plain.startswith(b"\xac\xed"):
            raise _wrong_password(alias)
        algorithm, raw = read_secret_key(plain, budget.limits)
        return SecretKey(algorithm=algorithm, raw=raw)
    try:
        parts = der.parse(plain).sequence(3, "secret key")
        dotted, octets = parts[1].sequence(1, "algorithm")[0].oid(), parts[2].octet_string()
    except (CorruptError, LimitError) as error:
        raise _wrong_password(alias) from error
    return SecretKey(algorithm=SECRET_KEY_OIDS.get(dotted, dotted), raw=SecretBytes(octets))


def _open(locked: LockedKey, password: Password, budget: Budget, alias: str | None) -> bytes:
    from keystoretools import javaprotection

    if locked.form is KeyForm.SEALED_OBJECT:
        from keystoretools.serialization import read_sealed

        sealed, _ = read_sealed(locked.octets, 0, budget.limits)
        return javaprotection.open_jceks_octets(sealed.content, sealed.parameters, password, budget, alias=alias)
    parts = der.parse(locked.octets).sequence(2, "encrypted key")
    identifier, octets = parts[0].sequence(1, "algorithm"), parts[1].octet_string()
    scheme = identifier[0].oid()
    if scheme == oids.JKS_PROTECTION:
        try:
            return javaprotection.open_jks_key(octets, password, budget)
        except WrongKeyPasswordError as error:
            raise _wrong_password(alias) from error
    if scheme == oids.JCEKS_PROTECTION and len(identifier) > 1:
        return javaprotection.open_jceks_octets(octets, identifier[1].raw, password, budget, alias=alias)
    from keystoretools import pbe

    return pbe.decrypt(parts[0], octets, password, budget, alias=alias)


def _open_bks(locked: LockedKey, password: Password, budget: Budget, alias: str | None) -> PrivateKey | SecretKey:
    from keystoretools.bks import open_sealed

    return open_sealed(locked.octets, password, budget, alias=alias)


def _wrong_password(alias: str | None) -> WrongKeyPasswordError:
    which = "this key" if alias is None else f"the key {quoted(alias)}"
    return WrongKeyPasswordError(f"The password does not open {which}: it has another password.", alias=alias)
