"""The certificate of first use."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

from agent.gateway.selfsigned import LIFE, keep_self_signed, make_pem
from agent.gateway.supply import names_of_this_machine
from keystoretools import read_anything
from keystoretools.hostnames import covers
from tests.support.tls import NOW

NAMES = ("plant7.example", "192.0.2.10", "2001:db8::7")


def test_it_covers_all_names_of_the_machine() -> None:
    """Host names, addresses, localhost and the loopback addresses; the first real name is the CN."""
    contents = read_anything(make_pem(["localhost", "127.0.1.1", *NAMES], now=NOW))
    (certificate,) = contents.certificates
    assert "plant7.example" == certificate.subject.common_name
    assert all(covers(certificate, name) for name in (*NAMES, "localhost", "127.0.0.1", "::1"))
    assert contents.keys[0].fits(certificate)
    assert certificate.not_after == NOW + LIFE
    assert not certificate.is_authority


def test_it_is_made_once_and_kept_private(tmp_path: Path) -> None:
    """Senders that trust it must not have to trust another after a restart."""
    path = tmp_path / "tls" / "self-signed.pem"
    first, is_new = keep_self_signed(path, names=lambda: NAMES, now=NOW)
    again, is_new_again = keep_self_signed(path, names=lambda: ("other.example",), now=NOW)
    assert (True, False) == (is_new, is_new_again)
    assert first == again == path.read_bytes()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)
    assert [path] == list(path.parent.iterdir())


def test_one_that_does_not_serve_is_replaced(tmp_path: Path) -> None:
    """Expired, or not readable."""
    path = tmp_path / "self-signed.pem"
    keep_self_signed(path, names=lambda: NAMES, now=NOW - LIFE - timedelta(days=1))
    assert keep_self_signed(path, names=lambda: NAMES, now=NOW)[1]
    path.write_bytes(b"rubbish")
    assert keep_self_signed(path, names=lambda: NAMES, now=NOW)[1]


def test_this_machine_has_names() -> None:
    """Whatever they are, they fit into a certificate."""
    assert make_pem(names_of_this_machine(), now=NOW)
