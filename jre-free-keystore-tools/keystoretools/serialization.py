"""The three Java serialization streams that JCEKS keystores hold, read and written from their templates.

A general deserializer is an attack surface (hash bombs, block data of 2**31 octets); these streams always
have one of three shapes, so the reader compares octet by octet with the template and takes out the few
places that vary. Anything else is CorruptError, or UnsupportedError with the class name when another Java
class stands there. Source: Java Object Serialization Stream Protocol; streams of Java 8 and 17.
"""

from __future__ import annotations

from typing import Final

import attrs

from keystoretools.errors import CorruptError, UnsupportedError, quoted
from keystoretools.limits import Limits
from keystoretools.octets import OctetReader, counted, utf
from keystoretools.secret import SecretBytes

SEAL_ALGORITHM: Final = "PBEWithMD5AndTripleDES"

# Keys that Java replaces by java.security.KeyRep when it writes them; all others are SecretKeySpec.
_KEYREP_ALGORITHMS: Final = ("DES", "DESEDE", "PBE")

_START: Final = bytes.fromhex("ACED0005 73")
_ARRAY_CLASS: Final = bytes.fromhex("7572") + utf("[B") + bytes.fromhex("ACF317F8060854E0 02 0000 78 70")
_STRING: Final = b"\x74"
_STRING_FIELD: Final = _STRING + utf("Ljava/lang/String;")
_BYTES_FIELD: Final = _STRING + utf("[B")

_SEALED: Final = (
    _START
    + b"\x72"
    + utf("com.sun.crypto.provider.SealedObjectForKeyProtector")
    + bytes.fromhex("CD57CA59E730BB53 02 0000 78")
    + b"\x72"
    + utf("javax.crypto.SealedObject")
    + bytes.fromhex("3E363DA6C3B75470 02 0004")
    + b"["
    + utf("encodedParams")
    + _BYTES_FIELD
    + b"["
    + utf("encryptedContent")
    + bytes.fromhex("71007E0002")
    + b"L"
    + utf("paramsAlg")
    + _STRING_FIELD
    + b"L"
    + utf("sealAlg")
    + bytes.fromhex("71007E0003 78 70")
    + _ARRAY_CLASS
)
_SECOND_ARRAY: Final = bytes.fromhex("7571007E0005")
_SAME_STRING: Final = bytes.fromhex("71007E0008")

_KEY_SPEC: Final = (
    _START
    + b"\x72"
    + utf("javax.crypto.spec.SecretKeySpec")
    + bytes.fromhex("5B470B66E230614D 02 0002")
    + b"L"
    + utf("algorithm")
    + _STRING_FIELD
    + b"["
    + utf("key")
    + _BYTES_FIELD
    + bytes.fromhex("7870")
)
_KEY_REP: Final = (
    _START
    + b"\x72"
    + utf("java.security.KeyRep")
    + bytes.fromhex("BDF94FB3889AA543 02 0004")
    + b"L"
    + utf("algorithm")
    + _STRING_FIELD
    + b"["
    + utf("encoded")
    + _BYTES_FIELD
    + b"L"
    + utf("format")
    + bytes.fromhex("71007E0001")
    + b"L"
    + utf("type")
    + _STRING
    + utf("Ljava/security/KeyRep$Type;")
    + bytes.fromhex("7870")
)
_KEY_REP_END: Final = (
    _STRING
    + utf("RAW")
    + bytes.fromhex("7E72")
    + utf("java.security.KeyRep$Type")
    + bytes.fromhex("0000000000000000 12 0000 78 72")
    + utf("java.lang.Enum")
    + bytes.fromhex("0000000000000000 12 0000 78 70")
    + _STRING
    + utf("SECRET")
)


@attrs.frozen(kw_only=True)
class SealedObject:
    """An encrypted secret key: DER `parameters`, `content` encrypted with them."""

    parameters: bytes
    content: bytes = attrs.field(repr=False)


def read_sealed(data: bytes, at: int, limits: Limits) -> tuple[SealedObject, int]:
    """The sealed object that starts at `data[at]`, and the position behind it (no length stands in front)."""
    reader = OctetReader(data, at)
    _expect(reader, _SEALED)
    parameters = reader.counted("the parameters of a secret key", limits.serialized_bytes)
    _expect(reader, _SECOND_ARRAY)
    content = reader.counted("a secret key", limits.serialized_bytes)
    names = [_string(reader)]
    if data[reader.at : reader.at + len(_SAME_STRING)] == _SAME_STRING:
        reader.take(len(_SAME_STRING), "a secret key")
    else:
        names.append(_string(reader))
    for name in names:
        if name != SEAL_ALGORITHM:
            raise UnsupportedError(
                f"A secret key is sealed with {quoted(name)}; only {SEAL_ALGORITHM} is known.",
                name=name,
                offset=at,
            )
    return SealedObject(parameters=parameters, content=content), reader.at


def write_sealed(sealed: SealedObject) -> bytes:
    name = _STRING + utf(SEAL_ALGORITHM)
    return _SEALED + counted(sealed.parameters) + _SECOND_ARRAY + counted(sealed.content) + name + name


def read_secret_key(data: bytes, limits: Limits) -> tuple[str, SecretBytes]:
    """(algorithm, raw key) from the decrypted content: SecretKeySpec or KeyRep, to the last octet."""
    reader = OctetReader(data)
    is_rep = data.startswith(_KEY_REP[: len(_START) + 24])
    _expect(reader, _KEY_REP if is_rep else _KEY_SPEC)
    algorithm = _string(reader)
    _expect(reader, _ARRAY_CLASS)
    raw = reader.counted("a secret key", limits.serialized_bytes)
    if is_rep:
        _expect(reader, _KEY_REP_END)
    if reader.left:
        raise _unexpected(reader)
    return algorithm, SecretBytes(raw)


def write_secret_key(algorithm: str, raw: SecretBytes) -> bytes:
    """The stream that Java writes for a key of this algorithm."""
    is_rep = algorithm.upper() in _KEYREP_ALGORITHMS[:2] or algorithm.upper().startswith(_KEYREP_ALGORITHMS[2])
    key = _STRING + utf(algorithm) + _ARRAY_CLASS + counted(raw.reveal())
    return _KEY_REP + key + _KEY_REP_END if is_rep else _KEY_SPEC + key


def _string(reader: OctetReader) -> str:
    _expect(reader, _STRING)
    return reader.utf("a name in a secret key")


def _expect(reader: OctetReader, template: bytes) -> None:
    start = reader.at
    present = reader.data[start : start + len(template)]
    if present == template[: len(present)]:
        reader.take(len(template), "a secret key")  # says how much is missing where the file ends
        return
    if template.startswith(_START) and present.startswith(_START + b"\x72"):
        name_reader = OctetReader(reader.data, start + len(_START) + 1)
        name = name_reader.utf("a class name")
        if utf(name) != template[len(_START) + 1 : len(_START) + 3 + len(name)]:
            raise UnsupportedError(
                f"The Java object {quoted(name)} stands at octet {start} where a secret key should; it is not"
                " read, because that is a way to attack Java programs.",
                name=name,
                offset=start,
            )
    raise _unexpected(reader)


def _unexpected(reader: OctetReader) -> CorruptError:
    return CorruptError(
        f"The secret key is damaged: the Java object is not of the one known shape near octet {reader.at}.",
        offset=reader.at,
    )
