"""How long opening keystores takes, beside the real keytool where there is one.

    python bench/keystore_bench.py [--rounds 7]

Each number is the median of several rounds, the files are in the cache. Two kinds of rows:

* in the process: octets to entries with the integrity check made, as a running agent does it;
* whole programs: from the command line to its end, interpreter or virtual machine and imports included.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "tests" / "keystoretools" / "samples"
sys.path[:0] = [str(ROOT / "jre-free-keystore-tools"), str(ROOT)]

from keystoretools import Format, Keystore, TrustedCertificateEntry, open_keystore, save_keystore  # noqa: E402
from keystoretools.make import generate_key, self_signed  # noqa: E402

PASSWORD = "changeit"
AUTHORITIES = 150
"""As many as Java's own trust store has."""
STORES = (
    ("JKS, 2 keys", "jks/ia-apia-and-newcert.keystore", "alarmpoint"),
    ("JCEKS, all kinds", "jceks/all-kinds.jceks", PASSWORD),
    ("PKCS#12 of keytool 17", "p12/keytool-jdk17.p12", "alarmpoint"),
    ("PKCS#12 of keytool 8", "p12/keytool-jdk8u504.p12", "alarmpoint"),
)


def median_s(call: Callable[[], object], rounds: int) -> float:
    """Median seconds of a call; the first one, which warms up, does not count."""
    call()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def program(*command: str) -> Callable[[], object]:
    """A whole program; fails when it does."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[:2]), "LC_ALL": "C.UTF-8"}
    return lambda: subprocess.run(command, check=True, capture_output=True, env=environment)


def trust_store() -> bytes:
    """A store of many authorities, made once."""
    from datetime import UTC, datetime, timedelta

    from keystoretools.dname import build_name

    key, start = generate_key("EC"), datetime(2026, 1, 1, tzinfo=UTC)
    entries = tuple(
        TrustedCertificateEntry(
            alias=f"ca-{number}",
            certificate=self_signed(
                key, build_name([("CN", f"Authority {number}")]), start=start, end=start + timedelta(days=3650)
            ),
            created_ms=0,
        )
        for number in range(AUTHORITIES)
    )
    return save_keystore(Keystore(format=Format.JKS, entries=entries), PASSWORD)


def main() -> int:
    parser = argparse.ArgumentParser(description="Time of opening keystores, beside keytool.")
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    keytool = shutil.which("keytool")
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "cacerts"
        many.write_bytes(trust_store())
        stores = [(name, SAMPLES / file, password) for name, file, password in STORES]
        stores.append((f"JKS, {AUTHORITIES} authorities", many, PASSWORD))
        bare = median_s(program(sys.executable, "-c", "pass"), rounds)
        package = median_s(program(sys.executable, "-c", "import keystoretools"), rounds)
        print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, median of {rounds}")
        print(f"python -c pass: {bare * 1000:.0f} ms; import keystoretools adds {(package - bare) * 1000:.0f} ms\n")
        print(f"{'':28}{'in the process':>16}{'iakeytool':>12}{'iadmin':>10}{'keytool':>10}{'ratio':>20}")
        for name, path, password in stores:
            data = path.read_bytes()
            inside = median_s(lambda data=data, password=password: open_keystore(data, password), rounds)
            list_ = ("-list", "-keystore", str(path), "-storepass", password)
            ours = median_s(program(sys.executable, "-c", IAKEYTOOL, *list_), rounds)
            secret = Path(folder) / "password"
            secret.write_text(password)
            iadmin = (sys.executable, "-m", "iadmin.main", "keystore", "list", "--keystore", str(path))
            admin = median_s(program(*iadmin, "--password-file", str(secret)), rounds)
            row = f"{name:28}{inside * 1000:13.2f} ms{ours * 1000:9.0f} ms{admin * 1000:7.0f} ms"
            if keytool is None:
                print(f"{row}{'-':>10}")
                continue
            theirs = median_s(program(keytool, *list_), rounds)
            print(f"{row}{theirs * 1000:7.0f} ms{f'{theirs / inside:.0f} x, {theirs / ours:.1f} x':>20}")
    print("\nratio: keytool's time over ours, in the process and as a whole program (iakeytool).")
    if keytool is None:
        print("There is no keytool here; install a JDK to see the ratio.")
    return 0


IAKEYTOOL = "from keystoretools.keytool.main import run; run()"
"""As the installed script starts it."""


if __name__ == "__main__":
    sys.exit(main())
