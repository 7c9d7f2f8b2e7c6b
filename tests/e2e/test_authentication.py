"""Who may send, with the real agent and real curl."""

from __future__ import annotations

import json
import secrets
import time

from agent.wire.signature import make_mac
from tests.support.live import LiveHome, until

EVENT = "<event><properties><city>Victoria</city></properties></event>"
TARGET = "/http/applications_sample-plan"


def test_the_seed_and_a_file_of_senders(home: LiveHome) -> None:
    """EMSAdmin from the configuration, a token and a key made by iadmin; the log and the answers hold no secret."""
    senders = home.folder / "conf" / ".senders"
    token = home.iadmin_json("secret", "token", "crm", "--add", senders)["token"]
    key = bytes.fromhex(home.iadmin_json("secret", "key", "plant7", "--add", senders)["key"])
    home.edit(
        r'<service-gateway ssl="false"',
        '<service-gateway authenticate="true" user="EMSAdmin" password="canary-EMSAdmin" ssl="false"',
    )
    home.edit(r"</service-gateway>", '<authentication><senders file=".senders"/></authentication></service-gateway>')
    home.start()
    status, head, body = home.post(EVENT)
    assert (401, "urn:integration-agent:problem:not-authenticated") == (status, json.loads(body)["type"])
    assert 'Basic realm="integration-agent", charset="UTF-8"' in head
    service = "applications_sample-plan"
    assert 401 == home.post(EVENT, service, "-u", "EMSAdmin:wrong")[0]
    assert [202, 202] == [home.post(EVENT, service, "-u", "EMSAdmin:canary-EMSAdmin")[0] for _ in range(2)]
    assert 202 == home.post(EVENT, service, "--oauth2-bearer", token)[0]
    made_s, nonce = int(time.time()), secrets.token_hex(8)
    mac = make_mac(
        key=key, made_s=made_s, nonce=nonce.encode(), method="POST", target=TARGET.encode(), body=EVENT.encode()
    )
    signature = f'Authorization: HMAC-SHA256 key="plant7", ts={made_s}, nonce={nonce}, mac={mac.hex()}'
    assert [202, 401] == [home.post(EVENT, service, "-H", signature)[0] for _ in range(2)]
    until("the failures in the log", lambda: "shows wrong credentials as 'EMSAdmin'" in home.log)
    assert "canary" not in home.log + home.console.read_text() + home.iadmin("config", "show").stdout.decode()
    assert token not in home.log


def test_a_protection_without_credentials_does_not_start(home: LiveHome) -> None:
    """Exit status 78, with the line and what is missing."""
    home.edit(r'<service-gateway ssl="false"', '<service-gateway authenticate="true" ssl="false"')
    done = home.iadmin("config", "check")
    assert 78 == done.returncode
    assert b"service-gateway/@authenticate: true, but there are no credentials" in done.stdout


def test_a_keystore_that_others_can_read(home: LiveHome) -> None:
    """A fresh home is closed; one that was opened is warned of at the start, and fails the check."""
    assert 0 == home.iadmin("config", "check").returncode
    home.folder.chmod(0o755)
    (home.folder / "conf").chmod(0o755)
    (home.folder / "conf" / ".keystore").touch(0o644)
    (home.folder / "conf" / ".keystore").chmod(0o644)
    done = home.iadmin("config", "check")
    assert 78 == done.returncode
    assert b"other accounts of this machine can read conf/.keystore; mend it with: chmod -R go-rwx" in done.stdout
    home.start()
    assert "other accounts of this machine can read conf/.keystore" in home.log
