"""iadmin.commands.exporting: the commands that are shown for the sender's machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from iadmin.commands.exporting import commands
from keystoretools import Password


@pytest.mark.parametrize("form", ["pkcs12", "jks"])
def test_java_is_given_the_password_of_its_trust_store(form: str) -> None:
    """Without it Java takes a PKCS#12 store for an empty one. One of the operator's own is not repeated."""
    for password, shown in (("changeit", "changeit"), ("canary", "PASSWORD")):
        lines = [line for _, line in commands(Path("x/agent.store"), form, "agent", Password(password))]
        assert f"-Djavax.net.ssl.trustStorePassword={shown} " in lines[0]
        assert f"-srcstorepass {shown} " in lines[1]


def test_curl_is_given_pem() -> None:
    """It reads nothing else."""
    shown = {form: dict(commands(Path("a"), form, "agent", Password("x")))["  curl"] for form in ("pem", "der")}
    assert "curl --cacert a https://..." == shown["pem"]
    assert "openssl x509 -inform DER -in a -out a.pem && curl --cacert a.pem https://..." == shown["der"]
