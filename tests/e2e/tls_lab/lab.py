"""One agent with several ports, senders of all kinds, and a look at what the operator is told of them."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iadmin.link import unix_link
from tests.e2e.tls_lab.papers import Papers
from tests.support.live import LiveHome, free_port, run, until

PATH = "/http/applications_sample-plan"
BODY = b"<event><properties><city>Victoria</city></properties></event>"
PATIENCE_S = 20.0
"""Of each sender; far more than anything here takes on an idle machine."""

GOOD = "127.0.0.1"
"""The address that good senders come from."""


class Lab:
    """`gateways`: name of a port -> attributes of its `service-gateway`; {folder} stands for that of the papers.

    The port "main" is the one that good senders use: TLS with a certificate of the lab's authority. `limits` are
    elements for the limits of all ports.
    """

    def __init__(
        self, folder: Path, gateways: Mapping[str, str], *, limits: str = "", papers: Papers | None = None
    ) -> None:
        self.papers = papers or Papers(folder / "papers")
        self.home = LiveHome(folder / "home")
        self.ports = {name: free_port() for name in gateways}
        self._peers = (f"127.0.{third}.{fourth}" for third, fourth in itertools.product(range(1, 250), range(1, 250)))
        elements = "".join(
            f'<service-gateway host="127.0.0.1" port="{self.ports[name]}" '
            f"{attributes.format(folder=self.papers.folder)}><limits>{limits}</limits></service-gateway>"
            for name, attributes in gateways.items()
        )
        self.home.edit(r"(?s)<service-gateway .*?</service-gateway>", elements)
        self.home.config_file.chmod(0o600)
        self.home.start()
        self._link = unix_link(self.home.folder)

    # ---- senders -----------------------------------------------------------------------------------------------

    def peer(self) -> str:
        """An address that nobody has sent from yet."""
        return next(self._peers)

    def url(self, port: str = "main", *, scheme: str = "https", name: str = "agent.example") -> str:
        return f"{scheme}://{name}:{self.ports[port]}{PATH}"

    def curl(
        self, peer: str, *words: object, port: str = "main", scheme: str = "https", name: str = "agent.example"
    ) -> subprocess.CompletedProcess[bytes]:
        """curl posts an event; it finds `name` at the loopback address. Its output begins with the status."""
        return run(
            "curl", "-sS", "--noproxy", "*", "--max-time", PATIENCE_S, "--interface", peer,
            "--resolve", f"{name}:{self.ports[port]}:127.0.0.1", "-w", "\n%{http_code}", "--data-binary", "@-", *words,
            self.url(port, scheme=scheme, name=name), stdin=BODY,
        )  # fmt: skip

    def openssl(
        self, peer: str, *words: object, port: str = "main", name: str = "agent.example", stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """`openssl s_client`, its own limits lifted, so that ours are met."""
        return run(
            "openssl", "s_client", "-bind", f"{peer}:0", "-connect", f"127.0.0.1:{self.ports[port]}",
            "-servername", name, "-CAfile", self.papers.ca, *words, stdin=stdin, patience_s=PATIENCE_S,
        )  # fmt: skip

    def connect(self, peer: str, port: str = "main") -> socket.socket:
        """A raw connection."""
        return socket.create_connection(("127.0.0.1", self.ports[port]), timeout=PATIENCE_S, source_address=(peer, 0))

    def talk(self, peer: str, data: bytes, port: str = "main") -> bytes:
        """Send `data` and return all that is answered until the agent closes."""
        with self.connect(peer, port) as sender:
            sender.sendall(data)
            return read_all(sender)

    def context(self, *, own: Path | None = None, trusts: Path | None = None) -> ssl.SSLContext:
        """Python's client, which trusts the lab's authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(trusts or self.papers.ca)
        if own is not None:
            context.load_cert_chain(own)
        return context

    def post(self, peer: str, context: ssl.SSLContext, port: str = "main", name: str | None = "agent.example") -> bytes:
        """Post an event by Python's ssl; returns the answer."""
        with self.connect(peer, port) as raw, context.wrap_socket(raw, server_hostname=name) as sender:
            sender.sendall(request())
            return read_all(sender)

    # ---- what became of them -----------------------------------------------------------------------------------

    def strangers(self) -> list[dict[str, Any]]:
        """All that the desk knows."""
        found: list[dict[str, Any]] = self._link.strangers()["strangers"]
        return found

    def stranger(self, peer: str, port: str = "") -> dict[str, Any]:
        """What the desk knows of `peer`, by the way that `iadmin` takes; `port`: at this port only."""

        def look() -> dict[str, Any] | None:
            at = {self.ports[port]} if port else {*self.ports.values()}
            return next((one for one in self.strangers() if one["peer"] == peer and one["port"] in at), None)

        return until(f"word of {peer}", look)

    def events_of(self, peer: str) -> list[dict[str, Any]]:
        """What was taken from `peer`."""
        return [one for one in self._link.events({}) if one["peer"].startswith(peer)]

    def told(self, peer: str, port: str = "") -> tuple[str, str]:
        """(cause, sentence) as the operator reads them; the peer's address becomes PEER and the port PORT.

        The log has the sentence, too, unless the sender has been there within the same minute: that is one line.
        """
        one = self.stranger(peer, port)
        if peer != GOOD:
            until(f"the sentence in the log: {one['sentence']}", lambda: one["sentence"] in self.home.log)
        return one["cause"], one["sentence"].replace(peer, "PEER").replace(str(one["port"]), "PORT")

    def assert_good_sender_is_served(self, *words: object) -> None:
        done = self.curl(GOOD, "--cacert", self.papers.ca, *words)
        assert b"202" == done.stdout[-3:], done

    def assert_iadmin_shows_the_same(self) -> None:
        """The command's list is the desk's, and each sentence stands in the log once."""
        shown = self.home.iadmin_json("tls", "strangers", "--all")["strangers"]
        assert self.strangers() == shown
        assert shown
        for one in shown:
            if one["peer"] != GOOD:
                assert 1 == self.home.log.count(one["sentence"]), one["sentence"]


def request(body: bytes = BODY, method: str = "POST", more: str = "Connection: close\r\n") -> bytes:
    return (
        f"{method} {PATH} HTTP/1.1\r\nHost: agent.example\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body
    )


def read_all(sender: socket.socket) -> bytes:
    """Everything until the agent closes; a reset ends it, too."""
    received = b""
    with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
        while fresh := sender.recv(65536):
            received += fresh
    return received


def problem(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Status and problem document of a refusal."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


def alert(received: bytes) -> tuple[int, int]:
    """(level, description) of the TLS alert that `received` ends with, in the clear (RFC 8446 section 6)."""
    assert b"\x15\x03" == received[-7:-5], received
    return received[-2], received[-1]
