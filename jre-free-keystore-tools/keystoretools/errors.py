"""The one family of errors that may leave this package.

Every error is a `KeystoreError` with a stable `code` (for programs), one `sentence` (for the operator: what
was found, what was expected, where, what to do) and, where they are known, `alias` and `offset`.  Callers
that only report catch `KeystoreError`; callers that can cure something catch the type that names the cure.
No sentence ever contains a password or key octets.

| type                    | codes                                   | the reader of it can                   |
|-------------------------|-----------------------------------------|----------------------------------------|
| `NotAKeystoreError`     | not-this-format                         | fetch the right file                   |
| `MangledError`          | mangled-transfer                        | fetch the same file again, in binary   |
| `TruncatedError`        | truncated                               | fetch the whole file                   |
| `CorruptError`          | corrupt                                 | restore a backup                       |
| `WrongPasswordError`    | wrong-password                          | ask for the store's password again     |
| `PasswordNeededError`   | password-needed                         | ask for a password                     |
| `WrongKeyPasswordError` | wrong-key-password                      | ask for the password of one key        |
| `LimitError`            | limits                                  | distrust the file                      |
| `UnsupportedError`      | unsupported                             | convert the file elsewhere             |
| `OperationError`        | no-such-alias, alias-exists, ...        | change the request                     |
| `FileError`             | no-such-file, file-exists, disk-full,   | mend the path, the disk or the         |
|                         | file-refused, file-busy, file-changed   | permissions; the file is as it was     |
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable names of everything that can go wrong; never renamed, only added to."""

    NOT_THIS_FORMAT = "not-this-format"
    MANGLED_TRANSFER = "mangled-transfer"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    WRONG_PASSWORD = "wrong-password"
    PASSWORD_NEEDED = "password-needed"
    WRONG_KEY_PASSWORD = "wrong-key-password"
    LIMITS = "limits"
    UNSUPPORTED = "unsupported"
    NO_SUCH_ALIAS = "no-such-alias"
    ALIAS_EXISTS = "alias-exists"
    ALIAS_NOT_ALLOWED = "alias-not-allowed"
    NAME_NOT_VALID = "name-not-valid"
    VALUE_NOT_VALID = "value-not-valid"
    NO_PRIVATE_KEY = "no-private-key"
    KEY_DOES_NOT_MATCH = "key-does-not-match"
    CHAIN_INCOMPLETE = "chain-incomplete"
    PASSWORD_NOT_ASCII = "password-not-ascii"
    CANNOT_HOLD_SECRET_KEYS = "cannot-hold-secret-keys"
    SEVERAL_IDENTITIES = "several-identities"
    NO_SUCH_FILE = "no-such-file"
    FILE_EXISTS = "file-exists"
    FILE_REFUSED = "file-refused"
    FILE_BUSY = "file-busy"
    FILE_CHANGED = "file-changed"
    DISK_FULL = "disk-full"


class KeystoreError(Exception):
    """Base of all errors of this package: `code`, `sentence`, and `alias`, `offset` (octets) where known."""

    default_code: ErrorCode = ErrorCode.CORRUPT

    def __init__(
        self,
        sentence: str,
        *,
        code: ErrorCode | None = None,
        alias: str | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = self.default_code if code is None else code
        self.alias = alias
        self.offset = offset


class NotAKeystoreError(KeystoreError):
    """The content is something else; `looks_like` says what, in words ("a web page (HTML)")."""

    default_code = ErrorCode.NOT_THIS_FORMAT

    def __init__(self, sentence: str, *, looks_like: str) -> None:
        super().__init__(sentence)
        self.looks_like = looks_like


class MangledError(KeystoreError):
    """A binary file went through a text conversion; `damage` names the conversion."""

    default_code = ErrorCode.MANGLED_TRANSFER

    def __init__(self, sentence: str, *, damage: str) -> None:
        super().__init__(sentence)
        self.damage = damage


class TruncatedError(KeystoreError):
    """The file ends too early: `missing` octets are wanted behind `offset`."""

    default_code = ErrorCode.TRUNCATED

    def __init__(self, what: str, *, offset: int, missing: int) -> None:
        super().__init__(
            f"The file is cut off: {what} at octet {offset} needs {short_number(missing)} more octets than"
            " the file has. Fetch the whole file again.",
            offset=offset,
        )
        self.missing = missing


class CorruptError(KeystoreError):
    """The structure is impossible, or the content was altered although the password is right."""

    default_code = ErrorCode.CORRUPT


class WrongPasswordError(KeystoreError):
    """The given password does not open the store (or the file was altered: not always to be told apart)."""

    default_code = ErrorCode.WRONG_PASSWORD


class PasswordNeededError(KeystoreError):
    """The step needs a password and none was given."""

    default_code = ErrorCode.PASSWORD_NEEDED


class WrongKeyPasswordError(KeystoreError):
    """One key does not open with the given password; `alias` names it where it is known."""

    default_code = ErrorCode.WRONG_KEY_PASSWORD


class LimitError(KeystoreError):
    """A number in the file is beyond what is reasonable: `name`, `found`, `ceiling` (see `limits`)."""

    default_code = ErrorCode.LIMITS

    def __init__(
        self,
        name: str,
        *,
        found: int,
        ceiling: int,
        alias: str | None = None,
        offset: int | None = None,
        sentence: str | None = None,
    ) -> None:
        super().__init__(
            sentence
            or f"The file asks for {name} of {short_number(found)}; at most {ceiling} is accepted."
            " No genuine keystore needs that: do not trust this file.",
            alias=alias,
            offset=offset,
        )
        self.name = name
        self.found = found
        self.ceiling = ceiling


class UnsupportedError(KeystoreError):
    """A genuine file or key uses something this package does not do; `name` is its name or OID."""

    default_code = ErrorCode.UNSUPPORTED

    def __init__(self, sentence: str, *, name: str, alias: str | None = None, offset: int | None = None) -> None:
        super().__init__(sentence, alias=alias, offset=offset)
        self.name = name


class OperationError(KeystoreError):
    """The request does not fit the store; the code says why (no-such-alias, alias-exists, ...)."""

    def __init__(self, sentence: str, *, code: ErrorCode, alias: str | None = None) -> None:
        super().__init__(sentence, code=code, alias=alias)


class FileError(KeystoreError):
    """The disk, the path or another program is in the way; `path` as the caller gave it.  Nothing was changed."""

    default_code = ErrorCode.FILE_REFUSED

    def __init__(self, sentence: str, *, code: ErrorCode, path: str) -> None:
        super().__init__(sentence, code=code)
        self.path = path


def short_number(number: int) -> str:
    """A number for a sentence; hostile files hold integers of thousands of digits, which nobody wants to
    read.
    """
    return str(number) if number.bit_length() <= 64 else f"a number of {number.bit_length()} bits"


def quoted(text: str, most: int = 60) -> str:
    """Foreign text for a sentence: control characters escaped, cut to `most` characters, in quotes."""
    shown = text if len(text) <= most else text[:most] + "..."
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else _escaped(c) for c in shown) + '"'


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii") if character not in '"\\' else "\\" + character
