"""Who `iadmin event send` says it is: user and password, a token, a signature, a client certificate.

Secrets come from files, from the environment or from a person, never from the command line. One way is enough for the
gateway, so one of the first three is taken at a time; a client certificate may stand beside it.
"""

from __future__ import annotations

import base64
import functools
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import attrs
import click

from agent.credential import parse_key
from agent.errors import ExitStatus, OperatorError
from agent.secret import Secret
from agent.wire.signature import SCHEME, make_mac
from iadmin.commands.edges import ClientFiles
from iadmin.commands.keystores import operator_error
from iadmin.commands.passwords import given_password
from iadmin.commands.tools import Tools
from keystoretools import KeystoreError

PASSWORD_VARIABLE: Final = "IA_SENDER_PASSWORD"
TOKEN_VARIABLE: Final = "IA_SENDER_TOKEN"
KEY_VARIABLE: Final = "IA_SENDER_KEY"
PASSPHRASE_VARIABLE: Final = "IA_SENDER_PASSPHRASE"
NONCE_BYTES: Final = 12
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

FILE: Final = click.Path(path_type=Path)
_OPTIONS: Final = (
    click.option("--user", metavar="NAME", help="User for HTTP Basic, where the gateway asks for one."),
    click.option(
        "--password-file",
        type=FILE,
        metavar="FILE",
        help=f"File whose first line is the user's password (else ${PASSWORD_VARIABLE}, else it is asked for).",
    ),
    click.option(
        "--token-file",
        type=FILE,
        metavar="FILE",
        help=f"File whose first line is a bearer token (else ${TOKEN_VARIABLE}, if set).",
    ),
    click.option("--signer", metavar="NAME", help="Sign the request (HMAC) with the key of this name."),
    click.option(
        "--signing-key-file",
        type=FILE,
        metavar="FILE",
        help=f"File whose first line is that key, as iadmin secret key printed it (else ${KEY_VARIABLE}).",
    ),
    click.option("--cert", type=FILE, metavar="FILE", help="Client certificate (PEM), with its issuers."),
    click.option(
        "--key",
        type=FILE,
        metavar="FILE",
        help=f"Its private key, where that is in a file of its own (passphrase: ${PASSPHRASE_VARIABLE}, else asked).",
    ),
)


@attrs.frozen(kw_only=True)
class Given:
    """The options, as they were given."""

    user: str | None = None
    password_file: Path | None = None
    token_file: Path | None = None
    signer: str | None = None
    signing_key_file: Path | None = None
    cert: Path | None = None
    key: Path | None = None


def identifying_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options, which arrive as one `Given` named `identity`."""

    @functools.wraps(command)
    def run(tools: Tools, /, **arguments: Any) -> Any:
        names = [field.name for field in attrs.fields(Given)]
        return command(tools, identity=Given(**{name: arguments.pop(name) for name in names}), **arguments)

    for option in reversed(_OPTIONS):
        option(run)
    return run


def header_fields(tools: Tools, given: Given, *, target: str, body: bytes) -> Mapping[str, str]:
    """The header field that identifies the sender of `body`; nothing where nothing was given.

    Raises `OperatorError` (64) for options that do not go together, and for secrets that are missing or no such.
    """
    _require_fit(given)
    try:
        if given.user is not None:
            return _basic(tools, given.user, given.password_file)
        if given.signer is not None:
            return _signed(tools, given.signer, given.signing_key_file, target, body)
        token = given_password(tools, given.token_file, TOKEN_VARIABLE)
    except KeystoreError as error:
        raise operator_error(error) from error
    return NOTHING if token is None else {"Authorization": f"Bearer {_printable(token.reveal(), 'token')}"}


def client_files(tools: Tools, given: Given) -> ClientFiles | None:
    """The client certificate; None where none was given."""
    if given.cert is None:
        return None
    certificate = tools.cwd / given.cert
    key = tools.cwd / given.key if given.key is not None else certificate
    for path in (certificate, key):
        if not path.is_file():
            raise OperatorError("no-input", f"there is no file {str(path)!r}", exit_status=ExitStatus.NO_INPUT)

    def passphrase() -> Secret:
        found = tools.environ.get(PASSPHRASE_VARIABLE) or tools.ask_secret(f"Passphrase of {key}: ")
        if found is None:
            raise _usage(f"{key} is encrypted; give its passphrase in ${PASSPHRASE_VARIABLE}")
        return Secret(found)

    return ClientFiles(certificate=certificate, key=key, passphrase=passphrase)


def _require_fit(given: Given) -> None:
    ways = [name for name in ("user", "token_file", "signer") if getattr(given, name) is not None]
    if len(ways) > 1:
        named = " and ".join("--" + way.replace("_", "-") for way in ways)
        raise _usage(f"{named} are two ways to say who sends; give one")
    for name, needed in (("password_file", "user"), ("signing_key_file", "signer"), ("key", "cert")):
        if getattr(given, name) is not None and getattr(given, needed) is None:
            raise _usage(f"--{name.replace('_', '-')} needs --{needed}")


def _basic(tools: Tools, user: str, password_file: Path | None) -> Mapping[str, str]:
    if ":" in user:
        raise _usage("a user's name has no colon")
    found = given_password(tools, password_file, PASSWORD_VARIABLE)
    password = found.reveal() if found is not None else tools.ask_secret(f"Password of {user}: ")
    if password is None:
        raise _usage(f"the password of {user} is needed; give it with --password-file FILE or ${PASSWORD_VARIABLE}")
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}


def _signed(tools: Tools, name: str, file: Path | None, target: str, body: bytes) -> Mapping[str, str]:
    found = given_password(tools, file, KEY_VARIABLE)
    if found is None:
        raise _usage(f"the key of {name} is needed; give it with --signing-key-file FILE or ${KEY_VARIABLE}")
    key = _key_in(found.reveal(), name)
    made_s, nonce = int(tools.now().timestamp()), secrets.token_hex(NONCE_BYTES)
    mac = make_mac(
        key=key, made_s=made_s, nonce=nonce.encode("ascii"), method="POST", target=target.encode("ascii"), body=body
    )
    shown = _printable(name, "name")
    return {"Authorization": f'{SCHEME} key="{shown}", ts={made_s}, nonce="{nonce}", mac={mac.hex()}'}


def _key_in(text: str, name: str) -> bytes:
    """The key as `iadmin secret key` prints it (hexadecimal), or as its line in the senders file has it."""
    line = text.strip()
    try:
        return parse_key(line.rpartition(":")[2]) if "$key$" in line else bytes.fromhex(line)
    except ValueError:
        raise _usage(
            f"the key of {name} is not one that iadmin secret key has printed: hexadecimal digits, or a line with $key$"
        ) from None


def _printable(text: str, what: str) -> str:
    if text.isascii() and text.isprintable() and text and not set(text) & set('" \\'):
        return text
    raise _usage(f"the {what} has characters that no header can carry")


def _usage(sentence: str) -> OperatorError:
    return OperatorError("usage", sentence, exit_status=ExitStatus.USAGE)
