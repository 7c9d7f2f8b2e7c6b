"""The password of keystores for which no password file is named: where the agent and `iadmin` look for it.

1. systemd's credential `keystore-password`: a file in `$CREDENTIALS_DIRECTORY` that only the service's account can
   read; `LoadCredentialEncrypted=` keeps it sealed to the machine until then (systemd.exec(5), "Credentials").
2. The environment's `IA_KEYSTORE_PASSWORD`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from agent.config.passwords import MAX_PASSWORD_FILE_BYTES, password_in
from agent.errors import OperatorError
from agent.secret import Secret

DIRECTORY_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
CREDENTIAL: Final = "keystore-password"
PASSWORD_VARIABLE: Final = "IA_KEYSTORE_PASSWORD"


@attrs.frozen(kw_only=True)
class StorePassword:
    """A password with where it came from, as sentences name it: `the password in ...`."""

    secret: Secret
    origin: str


def find_store_password(environ: Mapping[str, str]) -> StorePassword | None:
    """Return the password, None where nobody gives one; blocks for a small file.

    Raises `OperatorError` for a credential that is there and cannot be used: going on with the next would only end in a
    sentence about the wrong password.
    """
    folder = environ.get(DIRECTORY_VARIABLE)
    if folder and (found := _in_credential(Path(folder, CREDENTIAL))) is not None:
        return found
    text = environ.get(PASSWORD_VARIABLE)
    return None if text is None else StorePassword(secret=Secret(text), origin=f"${PASSWORD_VARIABLE}")


def _in_credential(path: Path) -> StorePassword | None:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PASSWORD_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, f"cannot be read: {(error.strerror or '').lower()}") from error
    if len(data) > MAX_PASSWORD_FILE_BYTES:
        raise _unusable(path, f"is larger than {MAX_PASSWORD_FILE_BYTES} bytes, which is no password")
    try:
        return StorePassword(secret=Secret(password_in(data)), origin=f"the credential {path}")
    except ValueError as error:
        raise _unusable(path, str(error)) from None


def _unusable(path: Path, trouble: str) -> OperatorError:
    return OperatorError(
        "credential-unusable",
        f"{path} {trouble}; mend LoadCredential={CREDENTIAL}:... in the unit, or name a file in keystore-password-file",
    )
