"""`docs/tutorial.rst` is true: what it tells people to type is typed, and says what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest

from keystoretools import Format, Keystore, PrivateKeyEntry, save_keystore, write_pem
from tests.keystoretools.authority import make
from tests.support.live import command, free_port
from tests.support.outside import TINYPROXY, Programs, Receiver

pytestmark = pytest.mark.e2e

PAGE = Path(__file__).parent.parent.parent / "docs" / "tutorial.rst"
PROXY_SECTION = "A ticket system behind a proxy"
FAILING = ("iadmin destination check", "iadmin doctor")
"""What does not end well on the page either: the beginning of the command."""
LOOKING = ("iadmin event list", "iadmin deadletter list", "iadmin tls strangers", "grep")
"""What may be said again, until what goes on in the agent has come to its end."""
PATIENCE_S = 20.0
SKIP = "..."

SAME = (
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}(-[0-9a-f]{4}-[0-9a-f]{12})?\b", "ID"),
    (r"\b\d{4}-\d\d-\d\d(T|\b)", "DATE "),
    (r"\b\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d)?", "TIME"),
    (r"\b([0-9A-F]{2}:){19,}[0-9A-F]{2}\b", "DIGEST"),
    (r"\b\d+ days\b", "N days"),
    (r"\b(pid|process) \d+", r"\1 N"),
    (r"\b\d+(\.\d+)? (ms|s)\b", "N s"),
)
"""What differs from one run to the next."""


@attrs.frozen
class Step:
    """One command of the page, and the lines that it shows."""

    line: str
    shown: tuple[str, ...]


@attrs.frozen
class Section:
    title: str
    steps: tuple[Step, ...]
    written: str
    """What is to be written into the configuration, before the first command."""


def sections() -> list[Section]:
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^([^\n]+)\n-{5,}\n(.*?)(?=^[^\n]+\n-{5,}\n|\Z)", text, re.MULTILINE | re.DOTALL)
    made = []
    for title, body in found:
        xml = "".join(re.findall(r"code-block:: xml\n\n((?:    .*\n)+)", body))
        rest = [line.strip() for line in body.replace(xml, "").splitlines() if line.startswith("    ")]
        steps: list[Step] = []
        for line in rest:
            if line.startswith("$ "):
                steps.append(Step(line[2:], ()))
            elif line:
                steps[-1] = Step(steps[-1].line, (*steps[-1].shown, line))
        made.append(Section(title, tuple(steps), xml))
    return made


def same(text: str) -> str:
    """A line without what differs from run to run, however wide its columns are."""
    for pattern, word in SAME:
        text = re.sub(pattern, word, text)
    return " ".join(text.split())


def fits(shown: Sequence[str], said: Sequence[str]) -> bool:
    """Whether `said` is what the page shows; `...` stands for any lines, also none."""
    if not shown:
        return not said
    if shown[0] == SKIP:
        return any(fits(shown[1:], said[start:]) for start in range(len(said) + 1))
    return bool(said) and shown[0] == said[0] and fits(shown[1:], said[1:])


class Desk:
    """A person with a shell in a folder. Ports and the folder are said as on the page, and are others."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self.folder = folder
        self._ports = ports

    def type(self, line: str) -> list[str]:
        """Run a line as it stands on the page; what it said, standard error as well, as the page would have it."""
        for named, real in self._ports.items():
            line = re.sub(rf"\b{named}\b", str(real), line)
        done = subprocess.run(
            ["bash", "-c", f"exec 2>&1; {line}"],
            cwd=self.folder,
            env={"PATH": f"{command('iadmin').parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        text = done.stdout.decode()
        assert done.returncode == 0 or line.startswith((*FAILING, *LOOKING)), f"{line}\n{text}"
        text = text.replace(str(self.folder), "/srv")
        for named, real in self._ports.items():
            text = re.sub(rf"\b{real}\b", named, text)
        return [each.rstrip() for each in text.splitlines() if each.strip()]

    def follow(self, step: Step) -> None:
        """Type a command of the page; fails when it says something else."""
        shown = [same(line) for line in step.shown]
        end_s = time.monotonic() + (PATIENCE_S if step.line.startswith(LOOKING) else 0)
        while True:
            said = self.type(step.line)
            if fits(shown, [same(line) for line in said]):
                return
            if time.monotonic() > end_s:
                break
            time.sleep(0.1)
        pytest.fail(
            f"docs/tutorial.rst: $ {step.line}\nshows\n" + "\n".join(step.shown) + "\nand says\n" + "\n".join(said)
        )

    def write(self, xml: str) -> None:
        """Put it into the configuration where the page says."""
        for named, real in self._ports.items():
            xml = re.sub(rf"\b{named}\b", str(real), xml)
        config = self.folder / "home" / "conf" / "iaconfig.xml"
        config.write_text(config.read_text().replace("  </destinations>", f"{xml}  </destinations>"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    receiver, programs = Receiver(), Programs(tmp_path)
    proxy = free_port()
    if TINYPROXY is not None:
        settings = tmp_path / "tinyproxy.conf"
        settings.write_text(f"Port {proxy}\nListen 127.0.0.1\nTimeout 60\n")
        programs.start(proxy, TINYPROXY, "-d", "-c", settings)
    folder = tmp_path / "srv"
    folder.mkdir()
    write_papers(folder)
    ports = {"8081": free_port(), "8082": free_port(), "9000": receiver.port, "3128": proxy, "3129": free_port()}
    made = Desk(folder, ports)
    yield made
    subprocess.run([command("iadmin"), "--home", folder / "home", "stop", "--now"], capture_output=True, check=False)
    programs.close()
    receiver.close()


def write_papers(folder: Path) -> None:
    """What a certificate department sends and offers: the .pfx has the key and its certificate, and no issuer."""
    start = datetime.now(UTC) - timedelta(days=1)
    root = make("Example Root CA", authority=True, start=start, days=3000)
    issuing = make("Example Issuing CA", root, authority=True, start=start, days=1000)
    server = make("localhost", issuing, names=("localhost",), start=start, days=300)
    entry = PrivateKeyEntry(alias="plant7", key=server.key, chain=(server.certificate,), created_ms=0)
    (folder / "plant7.pfx").write_bytes(save_keystore(Keystore(format=Format.PKCS12, entries=(entry,)), "geheim"))
    (folder / "pfx-password").write_text("geheim\n")
    (folder / "issuing-ca.crt").write_bytes(write_pem((issuing.certificate,)))
    (folder / "root-ca.crt").write_bytes(write_pem((root.certificate,)))


def test_the_page_is_true(desk: Desk) -> None:
    """From the first command to the last, in their order, in one folder."""
    walk(desk, desk.follow)
    if TINYPROXY is None:
        pytest.skip(f"tinyproxy is not installed: {PROXY_SECTION!r} was not walked through, all else was")


def walk(desk: Desk, follow: Callable[[Step], object]) -> None:
    for section in sections():
        if section.title == PROXY_SECTION and TINYPROXY is None:
            continue
        if section.written:
            desk.write(section.written)
        for step in section.steps:
            follow(step)
            if step.line == "iadmin init home":
                use_free_ports(desk)


def use_free_ports(desk: Desk) -> None:
    config = desk.folder / "home" / "conf" / "iaconfig.xml"
    text = config.read_text()
    for element in ("admin-gateway", "service-gateway"):
        named = "8082" if element == "admin-gateway" else "8081"
        text = re.sub(rf'(<{element} [^>]*port=)"{named}"', rf'\1"{desk._ports[named]}"', text)
    config.write_text(text)


def test_what_is_compared_can_differ() -> None:
    """Lines may be left out where the page says so, and nowhere else; a word that differs is seen."""
    assert fits(["a", SKIP, "c"], ["a", "b", "b", "c"])
    assert fits([SKIP], [])
    assert not fits(["a", "c"], ["a", "b", "c"])
    assert not fits([SKIP, "c"], ["a", "b"])
    assert not fits([], ["a"])
    assert same("took  2 ms at 12:18:30.105+01:00") == same("took 31 ms at 02:11:30.105Z".replace("Z", "+00:00"))
    assert same("17 dead letters") != same("1 dead letters")
