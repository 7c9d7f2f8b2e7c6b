"""The way to a destination, walked hop by hop: name, proxy, TCP, TLS, HTTP, credentials.

Blocking; the whole way has one deadline. Ends at the first hop that is broken. What is asked at last is `HEAD`, which
no receiver acts on (RFC 9110, 9.2.1). Whether the far end is trusted decides the same code that sends: it is passed in.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, Final, Protocol

import attrs
from OpenSSL import SSL

from agent.errors import AgentError
from agent.hosts import at_port, in_url
from agent.wire.challenge import answer_to, challenges_in, chosen_of, offered_by
from iadmin.hopline import TLS_SAYS, Broken, Deadline, Line, SocketLine, TlsLine
from iadmin.model import Hop, HopRoute

MAX_HEAD_BYTES: Final = 64 * 1024
"""nginx and Apache send heads of 8 KiB at most; more is no answer that could be read."""

MAX_LOGINS: Final = 3
"""To a proxy: without credentials, with them, and with a nonce that was renewed meanwhile; as the agent does."""

TRUST_CURE: Final = "have whoever runs it show a certificate that this agent trusts, or trust its issuer"
TRUST_CURES: Final = {
    "tls-wrong-name": "use one of these names in the URL, or have a certificate made for the name you use",
    "tls-expired": "have whoever runs it renew the certificate",
    "tls-not-yet-valid": "set the clock of this machine",
    "tls-pin": "compare it with the far end's administrator, then put it into SSL/fingerprint",
}

Fields = dict[str, list[str]]
"""Header fields of an answer, names in lower case."""


class Judge(Protocol):
    """What the TLS side tells when it does not trust the far end; the name is Twisted's."""

    def failVerification(self, reason: Any) -> None: ...


class TlsFor(Protocol):
    """Makes the client's side of TLS to the host of the route or to its proxy, over memory, as the sender does."""

    def __call__(self, route: HopRoute, judge: Judge, *, is_proxys: bool) -> SSL.Connection: ...


class Walker:
    """Implements `iadmin.commands.tools.Walker`. `clock_s` is monotonic."""

    def __init__(self, *, tls_for: TlsFor, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._tls_for = tls_for
        self._clock_s = clock_s

    def walk(self, route: HopRoute) -> list[Hop]:
        """All hops up to the first that is broken. Never raises for what it meets."""
        walk = _Walk(route, self._tls_for, self._clock_s)
        try:
            return list(self._hops(walk))
        finally:
            walk.close()

    def _hops(self, walk: _Walk) -> Iterator[Hop]:
        steps = walk.steps()
        while True:
            began_s = self._clock_s()
            try:
                name, sentence = next(steps)
            except StopIteration:
                return
            except Broken as error:
                broken = Hop(name=walk.hop, is_good=False, sentence=error.sentence, ms=self._ms(began_s))
                yield attrs.evolve(broken, cure=error.cure)
                return
            yield Hop(name=name, is_good=True, sentence=sentence, ms=self._ms(began_s))

    def _ms(self, began_s: float) -> int:
        return round((self._clock_s() - began_s) * 1000)


class _Walk:
    """One walk; `hop` is the name of the one that is being tried."""

    def __init__(self, route: HopRoute, tls_for: TlsFor, clock_s: Callable[[], float]) -> None:
        self.hop = "name"
        self._route = route
        self._tls_for = tls_for
        self._deadline = Deadline(route.timeout_s, clock_s=clock_s)
        self._sockets: list[socket.socket] = []

    def steps(self) -> Iterator[tuple[str, str]]:
        route = self._route
        near = (route.proxy_host, route.proxy_port) if route.proxy_host else (route.host, route.port)
        addresses = self._look_up(*near)
        yield "name", f"{near[0]} is {', '.join(dict.fromkeys(str(one[4][0]) for one in addresses))}"
        self.hop = "proxy" if route.proxy_host else "TCP"
        line: Line = self._connect(addresses, *near)
        yield self.hop, f"connected to {near[0]} port {near[1]}"
        if route.is_proxy_tls:
            self.hop = "proxy TLS"
            line, sentence = self._shake_hands(line, is_proxys=True)
            yield self.hop, sentence

        def again() -> Line:
            fresh = self._connect(addresses, *near)
            return self._shake_hands(fresh, is_proxys=True)[0] if route.is_proxy_tls else fresh

        if route.proxy_host and route.scheme == "https":
            self.hop = "tunnel"
            there = at_port(route.host, route.port)
            line = self._tunnel(line, again, there)
            yield "tunnel", f"the proxy has opened the way to {there}"
        if route.scheme == "https":
            self.hop = "TLS"
            line, sentence = self._shake_hands(line, is_proxys=False)
            yield "TLS", sentence
        self.hop = "HTTP"
        status, fields = self._ask(line, again)
        yield "HTTP", f"HEAD {route.path} is answered {_named(status)}"
        self.hop = "credentials"
        if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN):
            self._look_behind(line, again, status)
        yield "credentials", self._judged(status, fields.get("location", [""])[0])

    def close(self) -> None:
        for one in self._sockets:
            one.close()

    def _look_up(self, host: str, port: int) -> list[Any]:
        try:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError):
            raise Broken(
                f"the name {host!r} has no address here",
                "correct the host name, or have this machine's name service know it; "
                "where only a proxy knows it, configure the proxy",
            ) from None

    def _connect(self, addresses: list[Any], host: str, port: int) -> Line:
        trouble: OSError | None = None
        for family, kind, number, _, address in addresses:
            found = socket.socket(family, kind, number)
            found.settimeout(self._deadline.left_s())
            try:
                found.connect(address)
            except OSError as error:
                found.close()
                trouble = trouble or error
                continue
            self._sockets.append(found)
            return SocketLine(found, self._deadline)
        proxy = "the proxy " if self._route.proxy_host else ""
        if isinstance(trouble, ConnectionRefusedError):
            raise Broken(
                f"{proxy}{host} is there, and nothing listens on port {port} (connection refused)",
                "correct the port, or start what should listen there",
            )
        if isinstance(trouble, TimeoutError):
            raise Broken(
                f"{proxy}{host} port {port} does not answer within {self._route.timeout_s:g} s",
                "have the firewall between let this machine through, or configure the proxy that must be used",
            )
        said = (trouble.strerror or str(trouble)).lower() if trouble else "it has no address"
        raise Broken(f"{proxy}{host} port {port}: {said}", "mend the network or the route of this machine")

    def _shake_hands(self, below: Line, *, is_proxys: bool) -> tuple[Line, str]:
        route, judge = self._route, _Judge()
        host = route.proxy_host if is_proxys else route.host
        try:
            connection = self._tls_for(route, judge, is_proxys=is_proxys)
        except AgentError as error:
            raise Broken(error.sentence, "mend the file of the truststore or of the keystore") from None
        line = TlsLine(connection, below)
        try:
            line.shake_hands()
        except Broken as error:
            if not judge.sentence:
                raise Broken(f"TLS with {host}: {error.sentence}", error.cure) from None
        if judge.sentence:
            # Of an unknown authority the sender's sentence ends with its remedy, which fits better than any of ours.
            said, _, remedy = (
                judge.sentence.partition("; ") if judge.code == "tls-unknown-ca" else (judge.sentence, "", "")
            )
            raise Broken(said, remedy or TRUST_CURES.get(judge.code, TRUST_CURE))
        own = connection.get_certificate()
        if own is not None and line.wants_a_certificate and own.has_expired():
            ended = own.to_cryptography().not_valid_after_utc.date().isoformat()
            raise Broken(
                f"{host} wants a certificate of this agent, and the one of the destination expired on {ended}",
                "renew the entry that SSL/Keystore names: iadmin keystore request, then import what comes back",
            )
        shown = connection.get_peer_certificate()
        until = shown.to_cryptography().not_valid_after_utc.date().isoformat() if shown else "?"
        return line, f"{connection.get_protocol_version_name()}, the certificate of {host} is good until {until}"

    def _tunnel(self, line: Line, again: Callable[[], Line], there: str) -> Line:
        head = f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n"
        line, status, _ = self._log_in(line, again, head, "CONNECT", there)
        proxy = f"the proxy {self._route.proxy_host}"
        if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED):
            raise Broken(
                f"{proxy} answers {_named(status)} to CONNECT {there}: what listens there makes no tunnels",
                "take the host and port of the proxy for https",
            )
        if status == HTTPStatus.FORBIDDEN:
            raise Broken(
                f"{proxy} does not allow {there} (403)", f"have whoever runs the proxy allow CONNECT to {there}"
            )
        if not 200 <= status < 300:
            raise Broken(
                f"{proxy} answers {_named(status)} to CONNECT {there}",
                "the proxy cannot reach it: check host and port, and ask whoever runs the proxy",
            )
        return line

    def _ask(self, line: Line, again: Callable[[], Line]) -> tuple[int, Fields]:
        route = self._route
        is_absolute = bool(route.proxy_host) and route.scheme == "http"
        port = "" if route.port == {"http": 80, "https": 443}[route.scheme] else f":{route.port}"
        there = f"{in_url(route.host)}{port}"
        target = f"http://{there}{route.path}" if is_absolute else route.path
        lines = [f"HEAD {target} HTTP/1.1", f"Host: {there}", "Connection: close", "User-Agent: integration-agent"]
        lines += [f"{name}: {value.reveal()}" for name, value in route.headers]
        head = "\r\n".join(lines) + "\r\n"
        if not is_absolute:
            return self._exchange(line, head)
        _, status, fields = self._log_in(line, again, head, "HEAD", target)
        return status, fields

    def _log_in(
        self, line: Line, again: Callable[[], Line], head: str, method: str, uri: str
    ) -> tuple[Line, int, Fields]:
        """Ask the proxy, and prove who asks where it wants that; each time over a connection of its own."""
        proxy, user, password = (
            f"the proxy {self._route.proxy_host}",
            self._route.proxy_user,
            self._route.proxy_password,
        )
        field, scheme = "", ""
        for turn in range(1, MAX_LOGINS + 1):
            status, fields = self._exchange(line, head + (f"Proxy-Authorization: {field}\r\n" if field else ""))
            if status != HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
                return line, status, fields
            found = challenges_in(fields.get("proxy-authenticate", []))
            chosen = chosen_of(found)
            if chosen is None:
                raise Broken(
                    f"{proxy} offers {offered_by(found)} only, which the agent does not speak (407)",
                    "have Basic or Digest allowed for the agent's account, or put a proxy of this machine before it "
                    "that speaks NTLM (cntlm, px)",
                )
            if not user or password is None:
                raise Broken(
                    f"{proxy} wants a user and a password (407)", "put them into Proxy/user and Proxy/password-file"
                )
            if scheme == chosen.scheme and chosen.parameters.get("stale", "").lower() != "true":
                break
            scheme, word, dice = chosen.scheme, password.reveal(), os.urandom(16).hex()
            field = answer_to(chosen, user=user, password=word, method=method, uri=uri, cnonce=dice, count=1)
            if turn < MAX_LOGINS:
                line = again()
        raise Broken(
            f"{proxy} refuses the user and password it was given (407)",
            f"put the right password of {user!r} into the file that Proxy/password-file names; the agent reads it "
            "again by itself",
        )

    def _look_behind(self, line: Line, again: Callable[[], Line], status: int) -> None:
        """Servers answer 400 to HTTP on their TLS port, and 400 or 403 where they miss a client's certificate."""
        route = self._route
        if isinstance(line, TlsLine) and line.wants_a_certificate and not route.has_key:
            raise Broken(
                f"{route.host} wants to see a certificate of this agent ({status}), and the destination has none",
                "name the entry of the keystore that is made for it in SSL/Keystore/alias",
            )
        if status != HTTPStatus.BAD_REQUEST or route.scheme == "https" or route.proxy_host:
            return
        try:
            TlsLine(self._tls_for(route, _Judge(), is_proxys=False), again()).shake_hands()
        except (AgentError, Broken) as error:
            if not isinstance(error, Broken) or error.sentence in TLS_SAYS.values():
                return
        raise Broken(f"port {route.port} of {route.host} speaks TLS (400)", "write https in place of http in the URL")

    def _judged(self, status: int, location: str) -> str:
        route = self._route
        has = "with the credentials of the destination" if route.has_credentials else "without credentials"
        if status == HTTPStatus.UNAUTHORIZED:
            raise Broken(
                f"{route.host} does not let the destination in (401, asked {has})",
                "correct the destination's credentials"
                if route.has_credentials
                else "give the destination credentials",
            )
        if status == HTTPStatus.FORBIDDEN:
            raise Broken(
                f"{route.host} knows the account and does not allow this (403, asked {has})",
                "have the account given the right to post there",
            )
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            raise Broken("the proxy wants other credentials (407)", "correct user and password of the proxy")
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            raise Broken(f"{route.host} has nothing at {route.path} ({status})", "correct the path of the URL")
        if status == HTTPStatus.BAD_REQUEST:
            if route.has_key:
                return (
                    "HEAD is answered 400: either it is not taken there, which says nothing of what is sent, or the "
                    "destination's certificate is not accepted (nginx answers so); --send tells which"
                )
            return f"HEAD itself is not taken there (400), which says nothing of what is sent, asked {has}"
        if 500 <= status < 600:
            raise Broken(f"{route.host} is in trouble itself ({_named(status)})", "look at the log of the far end")
        if 300 <= status < 400:
            return f"it redirects to {location or 'nowhere'}; the final URL in the destination saves a round trip"
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            return f"not refused, asked {has}; HEAD itself is not taken there (405), which says nothing of what is sent"
        return f"not refused, asked {has}"

    def _exchange(self, line: Line, head: str) -> tuple[int, Fields]:
        """Status and header fields of the answer to a head."""
        line.write((head + "\r\n").encode("latin-1", "replace"))
        data = b""
        while b"\r\n\r\n" not in data and len(data) < MAX_HEAD_BYTES:
            piece = line.read()
            if not piece:
                break
            data += piece
        lines = data.split(b"\r\n\r\n", 1)[0].decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        if not words[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdigit() or len(words[1]) != 3:
            said = f"answers {lines[0][:80]!r}" if data else "closes the connection without an answer"
            raise Broken(
                f"what listens there {said}, which is not HTTP",
                "take the https port with an https URL and the http port with an http URL",
            )
        fields: Fields = {}
        for name, _, value in (one.partition(":") for one in lines[1:]):
            fields.setdefault(name.lower(), []).append(value.strip())
        return int(words[1]), fields


class _Judge:
    """Takes what the sender's own trust says of the far end."""

    def __init__(self) -> None:
        self.code = ""
        self.sentence = ""

    def failVerification(self, reason: Any) -> None:
        self.code = str(getattr(reason.value, "code", ""))
        self.sentence = str(getattr(reason.value, "sentence", reason.value))


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
