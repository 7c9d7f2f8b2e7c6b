"""Recorded runs of the real keytool, replayed."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from keystoretools import Keystore, PrivateKeyEntry, SecretKeyEntry, open_keystore
from keystoretools.contents import read_anything
from keystoretools.privatekey import PrivateKey
from tests.keystoretools.conftest import SAMPLES
from tests.keystoretools.keytoolrun import Said, masked, run

CASES = sorted(path for path in (SAMPLES / "golden").iterdir() if path.is_dir())
STORE_PASSWORDS = ("alarmpoint", "changeit", "newpass1", "storepass1")

# Where iakeytool says something else on purpose (docs/iakeytool.rst): what differs, and what it is here.
STATUS = {"064-importks-secret-to-jks": 1}
OTHER_JAVA = {
    # Java 8 prints the type in lower case; iakeytool speaks as 17 does.
    "173-jdk8-list-jks-two": "stdout",
    # Java 11.0.9 cannot read OpenSSL 3's PFX and blames the password; iakeytool reads it.
    "192-jdk11.0.9-list-openssl3-pfx": "all",
}
DATES_OF_READING = {"024-list-p12-mixed"}


def replay(case: Path, folder: Path, argv: list[str] | None = None) -> Said:
    """The case's command in `folder`, filled with its input files."""
    if (case / "in").is_dir():
        shutil.copytree(case / "in", folder, dirs_exist_ok=True)
    told = json.loads((case / "case.json").read_text("utf-8"))
    stdin = told.get("stdin") or ""
    if "dialog" in told:
        stdin = "".join(f"{answer}\n" for _, answer in told["dialog"])
    return run(folder, *(argv or told["argv"]), stdin=stdin)


def recorded(case: Path, name: str) -> str:
    path = case / name
    return path.read_bytes().decode() if path.exists() else ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_status_and_texts_are_keytools(case: Path, tmp_path: Path) -> None:
    """Status, stdout and stderr equal those of the real keytool, our own lines aside."""
    told = json.loads((case / "case.json").read_text("utf-8"))
    argv: list[str] = told["argv"]
    if OTHER_JAVA.get(case.name) == "all":
        said = replay(case, tmp_path)
        assert 0 == said.status
        return
    with presented(case, argv) as argv:
        said = replay(case, tmp_path, argv)
    words = ["dates"] if case.name in DATES_OF_READING else []
    stdout, stderr = recorded(case, "stdout"), recorded(case, "stderr")
    if told.get("tty"):
        stdout, stderr = "", _without_answers(recorded(case, "tty"), told["dialog"])
    if case.name in OTHER_JAVA:
        stdout = stdout.replace("Keystore type: jks", "Keystore type: JKS")
    assert masked(stdout, words) == masked(said.stdout, words)
    assert stderr == said.stderr
    assert STATUS.get(case.name, int(recorded(case, "rc") or told["rc"])) == said.status


def _without_answers(terminal: str, dialog: list[list[str]]) -> str:
    """What the program wrote on a terminal: without the echo of the answers, which a pipe does not have."""
    text = terminal.replace("\r\n", "\n")
    for question, answer in dialog:
        end = text.index(question) + len(question)
        blanks = len(text[end:]) - len(text[end:].lstrip(" "))
        text = text[: end + blanks] + text[end + blanks :].replace(f"{answer}\n", "", 1)
    return text


@pytest.mark.parametrize("case", [case for case in CASES if (case / "truth.json").exists()], ids=lambda case: case.name)
def test_files_hold_what_keytools_hold(case: Path, tmp_path: Path) -> None:
    """Entries, chains and keys of the stores written equal those that the real keytool wrote (new keys aside)."""
    replay(case, tmp_path)
    truth: dict[str, Any] = json.loads((case / "truth.json").read_text("utf-8"))
    for name, expected in truth.items():
        assert expected["type"] == _opened(tmp_path / name).format.value
        is_new = "genkeypair" in case.name
        assert _expected(expected, is_new) == _contents(_opened(tmp_path / name), is_new)


def _opened(path: Path) -> Keystore:
    data = path.read_bytes()
    for password in STORE_PASSWORDS:
        try:
            return open_keystore(data, password)
        except Exception:
            continue
    raise AssertionError(f"no password opens {path.name}")


def _expected(truth: dict[str, Any], is_new: bool) -> dict[str, object]:
    found: dict[str, object] = {}
    for entry in truth["entries"]:
        chain = entry.get("chain") or ([entry["cert"]] if "cert" in entry else [])
        subjects = [one["subject"] for one in chain]
        found[entry["alias"]] = (
            entry["kind"],
            subjects if is_new else [one["sha256"] for one in chain],
            None if is_new else entry.get("key_spki_sha256", chain[0]["spki_sha256"] if chain else None),
            entry.get("secret_hex"),
        )
    return found


def _contents(store: Keystore, is_new: bool) -> dict[str, object]:
    found: dict[str, object] = {}
    for entry in store:
        secret = key = None
        if isinstance(entry, PrivateKeyEntry):
            kind, chain = "PrivateKeyEntry", entry.chain
            opened = _unlocked(store, entry.alias)
            assert isinstance(opened, PrivateKey)
            key = opened.public_key.sha256.hex()
            assert opened.fits(chain[0])
        elif isinstance(entry, SecretKeyEntry):
            kind, chain = "SecretKeyEntry", ()
            secret = _unlocked(store, entry.alias).raw.reveal().hex()
        else:
            kind, chain = "TrustedCertificateEntry", (entry.certificate,)
            key = chain[0].public_key.sha256.hex() if chain[0].public_key else None
        shown = [one.subject.text() if is_new else one.sha256.hex() for one in chain]
        found[entry.alias] = (kind, shown, None if is_new else key, secret)
    return found


def _unlocked(store: Keystore, alias: str) -> Any:
    """By the store's password, or by the one the case leaves on the key (keytool's -storepasswd keeps it)."""
    for password in (None, *STORE_PASSWORDS):
        try:
            return store.unlock(alias, password)
        except Exception:
            continue
    raise AssertionError(f"no password opens the key {alias}")


def test_certificates_written_are_the_recorded_ones(tmp_path: Path) -> None:
    """`-exportcert -file` writes the octets that keytool wrote."""
    case = SAMPLES / "golden/088-exportcert-file"
    replay(case, tmp_path)
    assert (case / "out/o.cer").read_bytes() == (tmp_path / "o.cer").read_bytes()


def test_a_certificate_made_from_a_request_is_like_the_recorded_one(tmp_path: Path) -> None:
    """`-gencert` gives names, key, extensions and the issuer's chain as keytool does; serial and dates are new."""
    case = SAMPLES / "golden/108-gencert"
    replay(case, tmp_path)
    theirs = read_anything((case / "out/c.crt").read_bytes()).certificates
    ours = read_anything((tmp_path / "c.crt").read_bytes()).certificates
    assert [(one.subject, one.issuer, one.public_key, one.extensions) for one in theirs] == [
        (one.subject, one.issuer, one.public_key, one.extensions) for one in ours
    ]


@contextmanager
def presented(case: Path, argv: list[str]) -> Iterator[list[str]]:
    """For -sslserver: a TLS server with the recorded identity, and the arguments with its port."""
    if "-sslserver" not in argv:
        yield argv
        return
    from OpenSSL import SSL

    store = open_keystore((SAMPLES / "openssl/legacy.pfx").read_bytes(), "changeit")
    entry = store.private_keys[0]
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    key = store.unlock(entry.alias)
    assert isinstance(key, PrivateKey)
    context.use_privatekey(key.to_cryptography())  # type: ignore[arg-type]
    leaf, *issuers = [one.to_cryptography() for one in entry.chain]
    context.use_certificate(leaf)
    for one in issuers:
        context.add_extra_chain_cert(one)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            accepted, _ = listening.accept()
            with accepted:
                connection = SSL.Connection(context, accepted)
                connection.set_accept_state()
                connection.do_handshake()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield [f"127.0.0.1:{listening.getsockname()[1]}" if word.startswith("127.0.0.1:") else word for word in argv]
        thread.join(5)
