"""The certificate of first use: made where nobody has configured one, kept so that senders can trust it.

Its names are those by which this machine may be called: host names, addresses, `localhost` and the loopback addresses.
It lies in one PEM file with its key, mode 0600, and is made anew only once it has expired or cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from agent.gateway.supply import is_address
from agent.wholefile import write_whole
from keystoretools import KeystoreError, read_anything, write_pem
from keystoretools.dname import build_name
from keystoretools.extend import alternative_names, basic_constraints, extended_key_usage, key_usage
from keystoretools.make import generate_key, self_signed

LIFE: Final = timedelta(days=825)
"""The longest that all clients take (Apple's limit for certificates of one's own, since 2019)."""

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
MOST_NAMES: Final = 30


def keep_self_signed(path: Path, *, names: Callable[[], Sequence[str]], now: datetime) -> tuple[bytes, bool]:
    """The PEM at `path`, made now where there is none that serves; the second value says whether it was.

    Blocking. Raises OSError where it cannot be written.
    """
    with suppress(OSError, KeystoreError):
        data = path.read_bytes()
        if _serves(data, now):
            return data, False
    data = make_pem(names(), now=now)
    write_whole(path, data)
    return data, True


def make_pem(names: Iterable[str], *, now: datetime) -> bytes:
    """A new key (EC P-256: every client since Java 7 knows it) and its certificate. The first name becomes the CN."""
    own = [name for name in dict.fromkeys(names) if name not in LOOPBACK and not name.startswith("127.")]
    wanted = [*own[: MOST_NAMES - len(LOOPBACK)], *LOOPBACK]
    extensions = [
        alternative_names([("ip" if is_address(name) else "dns", name) for name in wanted]),
        basic_constraints(is_authority=False, critical=True),
        key_usage(["digitalSignature"], critical=True),
        extended_key_usage(["serverAuth"]),
    ]
    key = generate_key("EC")
    certificate = self_signed(
        key,
        build_name([("CN", wanted[0][:64]), ("O", "Integration agent (self-signed)")]),
        # Senders whose clock is a little behind take it at once.
        start=now - timedelta(hours=1),
        end=now + LIFE,
        extensions=extensions,
    )
    return write_pem([key, certificate])


def _serves(data: bytes, now: datetime) -> bool:
    contents = read_anything(data)
    ends = [one.not_after for one in contents.certificates]
    return bool(contents.keys) and len(ends) == 1 and ends[0] is not None and ends[0] > now
