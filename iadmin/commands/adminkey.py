"""The entry `apia`: the key by which iadmin on other machines and the agent know each other."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from agent.errors import AgentError, ExitStatus, OperatorError
from agent.mutual import SharedKey, read_shared_key
from iadmin.commands.keystores import operator_error
from iadmin.commands.passwords import given_password
from iadmin.commands.tools import Tools
from keystoretools import KeystoreError, Password, PrivateKeyEntry, extend, make
from keystoretools.dname import build_name
from keystoretools.identity import ADMIN_ALIAS

PASSWORD_VARIABLE: Final = "IA_KEYSTORE_PASSWORD"
TRIES: Final = 3

LIFE: Final = timedelta(days=36500)
"""Nobody looks at its dates: what counts is the key itself."""


def new_admin_entry(now: datetime) -> PrivateKeyEntry:
    """A new key (EC P-256) with the certificate that carries its public half."""
    key = make.generate_key("EC")
    start = now.replace(microsecond=0)
    certificate = make.self_signed(
        key,
        build_name([("CN", ADMIN_ALIAS), ("O", "Integration agent (iadmin)")]),
        start=start - timedelta(hours=1),
        end=start + LIFE,
        extensions=[
            extend.basic_constraints(is_authority=False, critical=True),
            extend.key_usage(["digitalSignature"], critical=True),
        ],
    )
    return PrivateKeyEntry(alias=ADMIN_ALIAS, key=key, chain=(certificate,), created_ms=int(now.timestamp() * 1000))


def admin_key(tools: Tools) -> SharedKey:
    """The key for `--connect`: of `--keystore`, else of the home on this machine. Raises `OperatorError`."""
    path = _keystore(tools)
    file = tools.switches.keystore_password_file
    try:
        given = given_password(tools, None if file is None else Path(file), PASSWORD_VARIABLE)
        data = tools.safe_files().load(path)
    except KeystoreError as error:
        raise operator_error(error) from error
    for _ in range(TRIES + 1):
        try:
            return read_shared_key(data, path=path, password=given, words=_words(file, given))
        except OperatorError as error:
            is_locked = error.code == "admin-wrong-password"
            if not is_locked or file is not None or PASSWORD_VARIABLE in tools.environ:
                raise _as_data(error, is_locked=is_locked) from error
            answer = tools.ask_secret(f"Password of {path}: ")
            if answer is None:
                raise OperatorError(
                    "password-needed",
                    f"the default password does not open {str(path)!r}; give its password with "
                    f"--keystore-password-file or in {PASSWORD_VARIABLE}",
                    exit_status=ExitStatus.NO_PERMISSION,
                ) from error
            given = Password(answer)
    raise OperatorError(
        "wrong-password", f"none of {TRIES} passwords opened {str(path)!r}", exit_status=ExitStatus.NO_PERMISSION
    )


def _words(file: str | None, given: Password | None) -> str:
    """What a sentence calls the password."""
    if file is not None:
        return f"the password in {file}"
    return "the default password" if given is None else f"the password in ${PASSWORD_VARIABLE}"


def _as_data(error: OperatorError, *, is_locked: bool) -> OperatorError:
    """It is a file that is wrong here, and not the configuration."""
    status = ExitStatus.NO_PERMISSION if is_locked else ExitStatus.DATA
    return OperatorError(error.code, error.sentence, exit_status=status)


def _keystore(tools: Tools) -> Path:
    if tools.switches.keystore is not None:
        return tools.cwd / tools.switches.keystore
    try:
        return tools.local_home / "conf" / ".keystore"
    except AgentError:
        raise OperatorError(
            "no-keystore",
            "--connect needs the key of the agent: name a copy of its conf/.keystore with --keystore FILE",
            exit_status=ExitStatus.USAGE,
        ) from None
