"""Reading PKCS#12: DER and BER, Java's dialect and OpenSSL's, with or without a password.

In order: the outer structure, the integrity check over the content octets, the contents (plain or encrypted),
the bags; `pkcs12_entries` then makes entries of them as Java does.  Keys stay locked.  Without a password
what is encrypted stays sealed, and a note says so.
Source: RFC 7292 section 4.
"""

from __future__ import annotations

from typing import Final

from keystoretools import der, oids, pbe, pkcs12_mac
from keystoretools.entries import Attribute
from keystoretools.errors import (
    CorruptError,
    KeystoreError,
    UnsupportedError,
    WrongKeyPasswordError,
    WrongPasswordError,
    quoted,
)
from keystoretools.limits import Budget, check
from keystoretools.model import Format, Keystore, Note
from keystoretools.octets import encode_modified_utf8
from keystoretools.pkcs12_entries import make_entries
from keystoretools.pkcs12_mac import Mac
from keystoretools.pkcs12_state import (
    CERTIFICATE_BAG,
    FRIENDLY_NAME,
    KEY_BAG,
    LOCAL_KEY_ID,
    SECRET_BAG,
    SHROUDED_KEY_BAG,
    TRUSTED_KEY_USAGE,
    X509_CERTIFICATE,
    Bag,
    Pkcs12State,
)
from keystoretools.secret import Password

_VERSION: Final = 3


def read_pkcs12(data: bytes, password: Password | None, budget: Budget) -> Keystore:
    """A Keystore of format PKCS12 from the octets of the file; keys stay locked.

    `verified` needs a password and an integrity check that fits.  Raises TruncatedError, CorruptError,
    WrongPasswordError, LimitError, UnsupportedError (an algorithm; signed instead of password-protected).
    """
    whole = der.parse(data, limits=budget.limits, is_file=True, allow_trailing=True)
    parts = whole.sequence(2, "PKCS#12 file")
    if parts[0].integer() != _VERSION:
        raise CorruptError("The PKCS#12 file is damaged: its version must be 3.", offset=parts[0].start)
    content = _authenticated_content(parts[1])
    mac = pkcs12_mac.read_mac(parts[2]) if len(parts) > 2 else None
    contents = der.parse(content, limits=budget.limits).sequence()
    verified = False
    if password is not None and mac is not None:
        if not pkcs12_mac.verify(mac, content, password, budget):
            raise _why_check_fails(contents, password, budget)
        verified = True
    reader = _Reader(password, budget, has_right_password=verified)
    for one in contents:
        reader.content(one)
    notes = list(reader.notes)
    if whole.stop != len(data):
        notes.append(_trailing(len(data) - whole.stop))
    made = make_entries(reader.bags, budget.limits)
    state = Pkcs12State(
        mac=mac,
        certificate_scheme=reader.scheme,
        password=password,
        originals=made.originals,
        issuers=made.issuers,
        unknown=tuple(bag for bag in reader.bags if not bag.value),
        sealed=tuple(reader.sealed),
    )
    return Keystore(
        format=Format.PKCS12,
        entries=tuple(original.entry for original in made.originals),
        password=password,
        verified=verified,
        version=_VERSION,
        notes=(*notes, *made.notes, *_advice(mac, made.originals == ())),
        state=state,
    )


def _authenticated_content(info: der.Element) -> bytes:
    """The octets that the MAC covers: those of all segments, joined."""
    name, value = _content_info(info)
    if name == oids.SIGNED_DATA:
        raise UnsupportedError(
            "The PKCS#12 file is protected by a signature instead of a password; nobody's tools make such"
            " files, and this one cannot be read.",
            name="public-key integrity mode",
        )
    if name != oids.DATA or value is None:
        raise info.wrong("PKCS#12 content of type data")
    return value.octet_string()


def _content_info(info: der.Element) -> tuple[str, der.Element | None]:
    """(content type, value) of a ContentInfo."""
    parts = info.sequence(1, "PKCS#12 content")
    inside = parts[1].expect(der.context(0), "[0]").children() if len(parts) > 1 else []
    return parts[0].oid(), inside[0] if inside else None


def _encrypted(value: der.Element) -> tuple[der.Element, bytes]:
    """(AlgorithmIdentifier, octets) of EncryptedData."""
    inside = value.sequence(2, "encrypted content")[1].sequence(3, "encrypted content")
    if inside[2].tag not in (der.context(0), der.context(0, constructed=False)):
        raise inside[2].wrong("[0]")
    return inside[1], inside[2].octets()


def _why_check_fails(contents: list[der.Element], password: Password, budget: Budget) -> KeystoreError:
    """If the password opens anything it is right, and the file was altered; otherwise nobody can tell."""
    trial = _Reader(password, budget, has_right_password=False)
    for info in contents[:3]:
        try:
            name, value = _content_info(info)
            if name == oids.ENCRYPTED_DATA and value is not None:
                identifier, octets = _encrypted(value)
                der.parse(pbe.decrypt(identifier, octets, password, budget)).sequence()
            elif name == oids.DATA:
                trial.content(info)
                _open_first_key(trial.bags, password, budget)
            else:
                continue
        except KeystoreError:
            continue
        return CorruptError(
            "The file was altered: the password is right (it opens what is encrypted), but the integrity check"
            " fails. Restore a backup."
        )
    return WrongPasswordError(
        "The password does not open the keystore (or the file was altered: the check covers both)."
    )


def _open_first_key(bags: list[Bag], password: Password, budget: Budget) -> None:
    """Raises WrongKeyPasswordError when there is no key, or the first does not open."""
    first = next((bag for bag in bags if bag.oid == SHROUDED_KEY_BAG), None)
    if first is None:
        raise WrongKeyPasswordError("There is no key to try the password on.")
    parts = der.parse(first.value).sequence(2)
    der.parse(pbe.decrypt(parts[0], parts[1].octet_string(), password, budget)).sequence(3)


class _Reader:
    """Collects the bags of all contents."""

    def __init__(self, password: Password | None, budget: Budget, *, has_right_password: bool) -> None:
        self._password = password
        self._budget = budget
        self._has_right_password = has_right_password
        self.bags: list[Bag] = []
        self.sealed: list[bytes] = []
        self.scheme: bytes | None = None
        self.notes: list[Note] = []
        self._contents = 0

    def content(self, info: der.Element) -> None:
        """Read one ContentInfo; what is no data and no encrypted data is kept as it is."""
        name, value = _content_info(info)
        self._contents += 1
        if name == oids.DATA and value is not None:
            self._bags(value.octet_string(), hidden=False)
        elif name == oids.ENCRYPTED_DATA and value is not None:
            identifier, octets = _encrypted(value)
            self.scheme = identifier.raw if self.scheme is None else self.scheme
            if self._password is None:
                self.sealed.append(info.raw)
                self._note("certificates-sealed", "A part is encrypted and was not read without the password.")
            else:
                self._bags(self._decrypted(identifier, octets, self._password), hidden=True)
        else:
            self.sealed.append(info.raw)
            self._note("unknown-content", f"A part of the type {name} is kept, but not understood.")

    def _note(self, code: str, sentence: str) -> None:
        if code not in [note.code for note in self.notes]:
            self.notes.append(Note(code=code, sentence=sentence))

    def _decrypted(self, identifier: der.Element, octets: bytes, password: Password) -> bytes:
        try:
            plain = pbe.decrypt(identifier, octets, password, self._budget)
            der.parse(plain, limits=self._budget.limits).sequence()
        except (WrongKeyPasswordError, CorruptError) as error:
            if isinstance(error, CorruptError) and self._has_right_password:
                raise
            why = (
                "The password fits the integrity check of the keystore, but does not open its certificates:"
                " they have another password."
                if self._has_right_password
                else "The password probably is wrong: it does not open the certificates in the keystore, which"
                " has no integrity check (or the file was altered)."
            )
            raise WrongPasswordError(why) from error
        return plain

    def _bags(self, octets: bytes, *, hidden: bool) -> None:
        limits = self._budget.limits
        elements = der.parse(octets, limits=limits).sequence()
        check("a number of entries", len(self.bags) + len(elements), limits.entries)
        for element in elements:
            self.bags.append(self._bag(element, hidden=hidden))

    def _bag(self, element: der.Element, *, hidden: bool) -> Bag:
        parts = element.sequence(2, "bag")
        name, inside = parts[0].oid(), parts[1].expect(der.context(0), "[0]").children()
        value = _value(name, inside)
        limits = self._budget.limits
        ceiling = limits.certificate_bytes if name == CERTIFICATE_BAG else limits.key_bytes
        check("a key or certificate with a length", len(value), ceiling, offset=element.start)
        alias: str | None = None
        key_id: bytes | None = None
        is_trusted = False
        rest: list[Attribute] = []
        for attribute in parts[2].expect(der.SET, "SET").children() if value and len(parts) > 2 else ():
            kind, values = _attribute(attribute)
            if kind == FRIENDLY_NAME and values:
                alias = self._alias(values[0])
            elif kind == LOCAL_KEY_ID and values:
                key_id = values[0].octets()
            elif kind == TRUSTED_KEY_USAGE:
                is_trusted = True
            else:
                rest.append(Attribute(oid=kind, der=attribute.raw))
        return Bag(
            oid=name,
            raw=element.raw,
            value=value,
            name=alias,
            local_id=key_id,
            trusted=is_trusted,
            attributes=tuple(rest),
            hidden=hidden,
            content=self._contents,
        )

    def _alias(self, value: der.Element) -> str:
        alias = value.text()
        size = len(alias) if alias.isascii() else len(encode_modified_utf8(alias))
        check("an alias with a length in octets", size, self._budget.limits.alias_bytes)
        if value.tag != der.BMP_STRING:
            sentence = f"Java refuses the file: the alias {quoted(alias)} is not written as a BMPString."
            self.notes.append(Note(code="alias-not-for-java", sentence=sentence, alias=alias))
        return alias


def _attribute(element: der.Element) -> tuple[str, list[der.Element]]:
    """(OID, values)"""
    parts = element.sequence(2, "attribute")
    return parts[0].oid(), parts[1].expect(der.SET, "SET").children()


def _value(name: str, inside: list[der.Element]) -> bytes:
    """The octets that matter in a bag that becomes an entry; nothing for those that are only kept."""
    if not inside:
        return b""
    if name in (KEY_BAG, SHROUDED_KEY_BAG):
        return inside[0].raw
    if name not in (CERTIFICATE_BAG, SECRET_BAG):
        return b""
    parts = inside[0].sequence(2, "certificate or secret bag")
    wanted = X509_CERTIFICATE if name == CERTIFICATE_BAG else SHROUDED_KEY_BAG
    held = parts[1].expect(der.context(0), "[0]").children()
    return held[0].octet_string() if parts[0].oid() == wanted and held else b""


def _trailing(count: int) -> Note:
    return Note(code="trailing-octets", sentence=f"{count} octets follow the end of the keystore.")


def _advice(mac: Mac | None, is_empty: bool) -> list[Note]:
    if mac is None and not is_empty:
        return [
            Note(
                code="no-integrity-check",
                sentence="The keystore has no integrity check: changes to it cannot be noticed.",
            )
        ]
    return []
