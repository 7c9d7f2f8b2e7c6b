"""Senders with certificates are remembered."""

from __future__ import annotations

from datetime import UTC, datetime

from agent.gateway.acquaintances import MOST, Acquaintances
from agent.wire.clientcert import ClientCertificate

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def certificate(number: int, not_after: str = "2026-12-01T00:00:00+00:00") -> ClientCertificate:
    return ClientCertificate(
        subject=f"CN={number}", issuer="CN=CA", names=(), fingerprint=str(number), not_after=not_after
    )


def test_each_certificate_is_listed_once_with_its_days() -> None:
    """However often it comes; a date that cannot be read is not guessed."""
    known = Acquaintances()
    for _ in range(3):
        known.note(certificate(1))
    known.note(certificate(2, ""))
    assert [("CN=1", 10), ("CN=2", None)] == [(one["subject"], one["days_left"]) for one in known.describe(NOW)]


def test_the_number_is_bounded_and_who_comes_back_stays() -> None:
    """Clients are not asked for their certificates to be stored, so a flood of them must not fill the memory."""
    known = Acquaintances()
    for number in range(MOST):
        known.note(certificate(number))
    known.note(certificate(0))
    known.note(certificate(MOST))
    subjects = [one.subject for one in known]
    assert MOST == len(subjects)
    assert "CN=0" in subjects and "CN=1" not in subjects
