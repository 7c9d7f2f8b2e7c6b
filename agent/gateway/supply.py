"""How key material is had. For all gateways, also for those that present none, and so without OpenSSL and keystores."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path, PurePath

import attrs

from agent.config.passwords import password_in
from agent.secret import Secret
from agent.storepassword import StorePassword

ReadFile = Callable[[PurePath], bytes]
"""The octets of a file; raises `KeystoreError` with the sentence (code `no-such-file` where there is none)."""

OpenSecret = Callable[[PurePath, bytes], Secret]
"""The secret in the password file of that path and content; raises `ValueError` with the end of a sentence that begins
with the file's name."""


def open_plain(path: PurePath, data: bytes) -> Secret:
    """An `OpenSecret` that knows files in clear text only."""
    return Secret(password_in(data))


def names_of_this_machine() -> tuple[str, ...]:
    """Host name, full name and addresses, as far as they can be had; may wait for a name server."""
    short = socket.gethostname()
    found = [name for name in (socket.getfqdn(), short) if _is_name(name)]
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Connecting a UDP socket sends nothing; it shows the address that would be used towards the outside.
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            found.append(probe.getsockname()[0])
    with suppress(OSError):
        found += [str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(short, None)]
    return tuple(dict.fromkeys(found))


def is_address(name: str) -> bool:
    """Whether `name` is an IP address and not a host name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_name(name: str) -> bool:
    # Names with underscores are in use, but may not stand in a certificate.
    labels = name.split(".")
    return all(label.isascii() and label.replace("-", "").isalnum() and len(label) <= 63 for label in labels)


@attrs.frozen(kw_only=True)
class KeySupply:
    """How key material is had: the same for all gateways, made by assembly.

    `read` reads a file (`keystoretools.files.load`); `password` is for keystores whose password stands in no file,
    `opened` opens password files (`agent.config.homekey.open_secret`, which knows sealed ones, too).
    `folder` is where our own self-signed certificate is kept; `names` gives what it is to be called.
    """

    read: ReadFile
    folder: Path
    now: Callable[[], datetime]
    password: StorePassword | None = None
    opened: OpenSecret = open_plain
    names: Callable[[], Sequence[str]] = names_of_this_machine
