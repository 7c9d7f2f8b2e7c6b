"""Every reader of `keystoretools`, and the files to begin with."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from keystoretools import (
    Certificate,
    CertificateRequest,
    Keystore,
    der,
    open_keystore,
    read_anything,
    read_private_key,
    save_keystore,
    sniff,
)
from keystoretools.assemble import assemble
from keystoretools.errors import KeystoreError
from keystoretools.explain import explain
from keystoretools.findings import findings
from keystoretools.identity import choose_identity
from keystoretools.javapick import java_would_pick
from keystoretools.keytool.main import main
from keystoretools.limits import Budget, Limits

SAMPLES: Final = Path(__file__).parents[1] / "keystoretools" / "samples"
NOW: Final = datetime(2026, 11, 20, tzinfo=UTC)
PASSWORDS: Final = ("changeit", "alarmpoint", "storepass1", "changeme")
# The limits of the library, but for what a calculation may cost: thousands of inputs must run in seconds.
LIMITS: Final = Limits(iterations=20_000, steps_in_all=60_000, scrypt_memory_bytes=1 << 20, scrypt_work_bytes=1 << 22)
MOST_SEED_BYTES: Final = 64 * 1024

Target = Callable[[bytes], object]


def budget() -> Budget:
    return Budget(limits=LIMITS)


def open_and_use(data: bytes) -> None:
    """Open with every password and with none, unlock everything, look at everything, save what can be saved."""
    for password in (*PASSWORDS, None):
        try:
            store = open_keystore(data, password, budget=budget())
        except KeystoreError:
            continue
        use(store)
    open_keystore(data, PASSWORDS[0], budget=budget())


def use(store: Keystore) -> None:
    for entry in store:
        repr(entry)
        quietly(lambda entry=entry: store.unlock(entry.alias, budget=budget()))
    findings(store, now=NOW, host_names=("a.example.com",), budget=budget())
    for call in (
        lambda: choose_identity(store, now=NOW),
        lambda: java_would_pick(store, check_passwords=False),
        lambda: save_keystore(store, "changeit", budget=budget()),
    ):
        quietly(call)


def quietly(call: Callable[[], object]) -> None:
    """The documented error is an answer; everything else goes on to the harness."""
    with contextlib.suppress(KeystoreError):
        call()


def anything(data: bytes) -> None:
    """What `iadmin keystore explain` does with a file."""
    contents = read_anything(data, PASSWORDS, name="file", budget=budget())
    told = explain(contents, now=NOW, passwords=PASSWORDS, budget=budget())
    assert told.text
    assemble(contents, passwords=PASSWORDS, budget=budget())


def certificate(data: bytes) -> None:
    """`Certificate(octets)` never raises, and neither do its properties."""
    look(Certificate(data))


def request(data: bytes) -> None:
    look(CertificateRequest(data))


def look(view: object) -> None:
    for name in dir(type(view)):
        if not name.startswith("_") and isinstance(getattr(type(view), name), property | functools.cached_property):
            repr(getattr(view, name))


def private_key(data: bytes) -> None:
    key = read_private_key(data)
    repr((key, key.public_key))


def command(data: bytes) -> None:
    """`iakeytool` on a bad file: a status and text, whatever the file is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "file").write_bytes(data)
        for words in (
            ["-list", "-v", "-keystore", "file", "-storepass", "changeit"],
            ["-printcert", "-file", "file"],
            ["-printcertreq", "-file", "file"],
            ["-importcert", "-noprompt", "-alias", "a", "-file", "file", "-keystore", "new", "-storepass", "changeit"],
        ):
            out, err = io.BytesIO(), io.BytesIO()
            status = main(words, io.BytesIO(), out, err, now=NOW, cwd=path, environ={}, home=lambda: path)
            assert status in (0, 1), status
            assert b"\x1b" not in out.getvalue() + err.getvalue(), "an escape sequence reaches the terminal"


TARGETS: Final[dict[str, Target]] = {
    "open_keystore": open_and_use,
    "read_anything": anything,
    "sniff": sniff,
    "iakeytool": command,
    "certificate": certificate,
    "request": request,
    "private_key": private_key,
    "der": lambda data: der.parse(data, limits=LIMITS, allow_trailing=True),
}


@functools.cache
def seeds(target: str) -> tuple[bytes, ...]:
    """The files to begin with: all samples, and for the readers of single structures what is inside of them."""
    items: list[dict[str, Any]] = json.loads((SAMPLES / "manifest.json").read_text("utf-8"))["items"]
    files = [(SAMPLES / item["file"]).read_bytes() for item in items]
    files += [path.read_bytes() for path in sorted(SAMPLES.glob("golden/*/in/*")) if path.is_file()]
    if target in ("open_keystore", "read_anything", "sniff", "iakeytool"):
        return _distinct(files)
    inside: list[bytes] = []
    for item, data in zip(items, files, strict=False):
        try:
            contents = read_anything(data, [item["storepass"] or "changeit"])
        except KeystoreError:
            continue
        inside += _inside(contents, target)
    return _distinct(inside)


def _inside(contents: Any, target: str) -> list[bytes]:
    entries = [entry for store in contents.stores for entry in store.private_keys]
    if target in ("certificate", "der"):
        return [one.der for one in contents.certificates] + [one.der for entry in entries for one in entry.chain]
    if target == "request":
        return [one.der for one in contents.requests]
    found = [one.pkcs8.reveal() for one in contents.keys]
    for store in contents.stores:
        for entry in store.private_keys:
            try:
                found.append(store.unlock(entry.alias).pkcs8.reveal())
            except KeystoreError:
                continue
    return found


def _distinct(files: Sequence[bytes]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(data for data in files if 0 < len(data) <= MOST_SEED_BYTES))
