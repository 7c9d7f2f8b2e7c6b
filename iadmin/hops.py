"""The way to a destination, walked hop by hop: name, proxy, TCP, TLS, HTTP, credentials.

Blocking; the whole way has one deadline. Ends at the first hop that is broken. What is asked at last is `HEAD`, which
no receiver acts on (RFC 9110, 9.2.1). Whether the far end is trusted decides the same code that sends: it is passed in.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, Final, Protocol

import attrs
from OpenSSL import SSL

from agent.errors import AgentError
from iadmin.model import Hop, HopRoute

MAX_HEAD_BYTES: Final = 64 * 1024
"""nginx and Apache send heads of 8 KiB at most; more is no answer that could be read."""
READ_BYTES: Final = 16 * 1024


class Judge(Protocol):
    """What the TLS side tells when it does not trust the far end; the name is Twisted's."""

    def failVerification(self, reason: Any) -> None: ...


TlsFor = Callable[[HopRoute, Judge], SSL.Connection]
"""The client's side of TLS to the host of the route, over memory, as the sender itself makes it."""


class Broken(Exception):
    """The way ends here."""

    def __init__(self, sentence: str, cure: str) -> None:
        super().__init__(sentence)
        self.sentence: Final = sentence
        self.cure: Final = cure


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
        self._clock_s = clock_s
        self._end_s = clock_s() + route.timeout_s
        self._socket: socket.socket | None = None
        self._tls: SSL.Connection | None = None

    def steps(self) -> Iterator[tuple[str, str]]:
        route = self._route
        near_host, near_port = (route.proxy_host, route.proxy_port) if route.proxy_host else (route.host, route.port)
        addresses = self._look_up(near_host, near_port)
        yield "name", f"{near_host} is {', '.join(dict.fromkeys(str(one[4][0]) for one in addresses))}"
        self.hop = "proxy" if route.proxy_host else "TCP"
        self._connect(addresses, near_host, near_port)
        yield self.hop, f"connected to {near_host} port {near_port}"
        if route.is_proxy_tls:
            raise Broken(
                "this proxy is spoken to over TLS, which this walk does not do",
                f'let the agent go the way itself: "iadmin destination send {route.destination} FILE"',
            )
        if route.proxy_host and route.scheme == "https":
            self.hop = "tunnel"
            yield "tunnel", self._tunnel()
        if route.scheme == "https":
            self.hop = "TLS"
            yield "TLS", self._handshake()
        self.hop = "HTTP"
        status, fields = self._ask()
        yield "HTTP", f"HEAD {route.path} is answered {_named(status)}"
        self.hop = "credentials"
        yield "credentials", self._judged(status, fields.get("location", ""))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _look_up(self, host: str, port: int) -> list[Any]:
        try:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError):
            raise Broken(
                f"the name {host!r} has no address here",
                "correct the host name, or have this machine's name service know it; "
                "where only a proxy knows it, configure the proxy",
            ) from None

    def _connect(self, addresses: list[Any], host: str, port: int) -> None:
        trouble: OSError | None = None
        for family, kind, number, _, address in addresses:
            found = socket.socket(family, kind, number)
            found.settimeout(self._left_s())
            try:
                found.connect(address)
            except OSError as error:
                found.close()
                trouble = trouble or error
                continue
            self._socket = found
            return
        if isinstance(trouble, ConnectionRefusedError):
            raise Broken(
                f"{host} is there, and nothing listens on port {port} (connection refused)",
                "correct the port, or start what should listen there",
            )
        if isinstance(trouble, TimeoutError):
            raise Broken(
                f"{host} port {port} does not answer within {self._route.timeout_s:g} s",
                "have the firewall between let this machine through, or configure the proxy that must be used",
            )
        said = (trouble.strerror or str(trouble)).lower() if trouble else "it has no address"
        raise Broken(f"{host} port {port}: {said}", "mend the network or the route of this machine")

    def _tunnel(self) -> str:
        route = self._route
        there = f"{_bracketed(route.host)}:{route.port}"
        head = f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n"
        if route.proxy_authorization:
            head += f"Proxy-Authorization: {route.proxy_authorization.reveal()}\r\n"
        status, fields = self._exchange(head + "\r\n")
        challenge = fields.get("proxy-authenticate", "basic").lower()
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and "basic" not in challenge:
            raise Broken(
                f"the proxy {route.proxy_host} wants another proof than Basic, which this walk does not give (407)",
                f'let the agent go the way itself: "iadmin destination send {route.destination} FILE"',
            )
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            given = "refuses the user and password it was given" if route.proxy_authorization else "wants a user"
            raise Broken(f"the proxy {route.proxy_host} {given} (407)", "correct user and password of the proxy")
        if status == HTTPStatus.FORBIDDEN:
            raise Broken(
                f"the proxy {route.proxy_host} does not allow {there} (403)",
                f"have whoever runs the proxy allow CONNECT to {there}",
            )
        if not 200 <= status < 300:
            raise Broken(
                f"the proxy {route.proxy_host} answers {_named(status)} to CONNECT {there}",
                "the proxy cannot reach it: check host and port, and ask whoever runs the proxy",
            )
        return f"the proxy has opened the way to {there}"

    def _handshake(self) -> str:
        route = self._route
        judge = _Judge()
        try:
            connection = self._tls_for(route, judge)
        except AgentError as error:
            raise Broken(error.sentence, "mend the file of the truststore or of the keystore") from None
        connection.set_connect_state()
        self._tls = connection
        try:
            self._drive(connection.do_handshake)
        except Broken as error:
            if judge.sentence:
                raise Broken(judge.sentence, _TRUST_CURES.get(judge.code, _TRUST_CURE)) from None
            raise Broken(f"TLS with {route.host}: {error.sentence}", error.cure) from None
        if judge.sentence:
            raise Broken(judge.sentence, _TRUST_CURES.get(judge.code, _TRUST_CURE))
        shown = connection.get_peer_certificate()
        until = shown.to_cryptography().not_valid_after_utc.date().isoformat() if shown else "?"
        return f"{connection.get_protocol_version_name()}, the certificate of {route.host} is good until {until}"

    def _ask(self) -> tuple[int, dict[str, str]]:
        route = self._route
        is_absolute = bool(route.proxy_host) and route.scheme == "http"
        port = "" if route.port == {"http": 80, "https": 443}[route.scheme] else f":{route.port}"
        there = f"{_bracketed(route.host)}{port}"
        target = f"http://{there}{route.path}" if is_absolute else route.path
        lines = [f"HEAD {target} HTTP/1.1", f"Host: {there}", "Connection: close", "User-Agent: integration-agent"]
        if is_absolute and route.proxy_authorization:
            lines.append(f"Proxy-Authorization: {route.proxy_authorization.reveal()}")
        lines += [f"{name}: {value.reveal()}" for name, value in route.headers]
        return self._exchange("\r\n".join(lines) + "\r\n\r\n")

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
        if 500 <= status < 600:
            raise Broken(f"{route.host} is in trouble itself ({_named(status)})", "look at the log of the far end")
        if 300 <= status < 400:
            return f"it redirects to {location or 'nowhere'}; the final URL in the destination saves a round trip"
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            return f"not refused, asked {has}; HEAD itself is not taken there (405), which says nothing of what is sent"
        return f"not refused, asked {has}"

    def _exchange(self, head: str) -> tuple[int, dict[str, str]]:
        """Status and header fields of the answer to a head, names in lower case."""
        self._write(head.encode("latin-1", "replace"))
        data = b""
        while b"\r\n\r\n" not in data and len(data) < MAX_HEAD_BYTES:
            piece = self._read()
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
        fields = (line.partition(":") for line in lines[1:])
        return int(words[1]), {name.lower(): value.strip() for name, _, value in fields}

    def _write(self, data: bytes) -> None:
        tls = self._tls
        if tls is not None:
            self._drive(lambda: tls.sendall(data))
            return
        try:
            self._plain().sendall(data)
        except OSError as error:
            raise self._cut(error) from None

    def _read(self) -> bytes:
        tls = self._tls
        if tls is None:
            return self._take()
        try:
            return bytes(self._drive(lambda: tls.recv(READ_BYTES)))
        except Broken as error:
            if error.cure == _ENDED:
                return b""
            raise

    def _drive(self, step: Callable[[], Any]) -> Any:
        """Repeat a step of OpenSSL until it is through, carrying octets between it and the socket."""
        assert self._tls is not None
        while True:
            try:
                result = step()
            except SSL.WantReadError:
                self._flush()
                data = self._take()
                if not data:
                    raise Broken("it closes the connection", _ENDED) from None
                self._tls.bio_write(data)
                continue
            except SSL.ZeroReturnError:
                return b""
            except SSL.Error as error:
                self._flush()  # the alert
                records = error.args[0] if error.args and isinstance(error.args[0], list) else []
                reason = str(records[-1][-1]) if records else "closed"
                raise Broken(f"the handshake fails ({reason})", _TLS_CURES.get(reason, _TLS_CURE)) from None
            self._flush()
            return result

    def _flush(self) -> None:
        assert self._tls is not None
        while True:
            try:
                data = self._tls.bio_read(READ_BYTES)
            except SSL.WantReadError:
                return
            try:
                self._plain().sendall(data)
            except OSError:
                return  # reading says why

    def _take(self) -> bytes:
        try:
            return self._plain().recv(READ_BYTES)
        except OSError as error:
            raise self._cut(error) from None

    def _plain(self) -> socket.socket:
        assert self._socket is not None
        self._socket.settimeout(self._left_s())
        return self._socket

    def _left_s(self) -> float:
        return max(0.001, self._end_s - self._clock_s())

    def _cut(self, error: OSError) -> Broken:
        if isinstance(error, TimeoutError):
            return Broken(
                f"nothing comes back within {self._route.timeout_s:g} s",
                "look at the far end, or at what stands between: it takes the connection and does not answer",
            )
        return Broken(
            f"the connection is cut ({(error.strerror or str(error)).lower()})",
            "look at the log of the far end, or of the firewall between",
        )


class _Judge:
    """Takes what the sender's own trust says of the far end."""

    def __init__(self) -> None:
        self.code = ""
        self.sentence = ""

    def failVerification(self, reason: Any) -> None:
        self.code = str(getattr(reason.value, "code", ""))
        self.sentence = str(getattr(reason.value, "sentence", reason.value))


_ENDED: Final = "look at the log of the far end: it hangs up"
_TRUST_CURE: Final = "have whoever runs it show a certificate that this agent trusts, or trust its issuer"
_TRUST_CURES: Final = {
    "tls-wrong-name": "use one of these names in the URL, or have a certificate made for the name you use",
    "tls-expired": "have whoever runs it renew the certificate",
    "tls-not-yet-valid": "set the clock of this machine",
}
_TLS_CURE: Final = "compare with what the far end accepts: versions of TLS, and whether it wants a client certificate"
_TLS_CURES: Final = {
    "wrong version number": "it does not speak TLS on this port: take its TLS port, or an http URL",
    "packet length too long": "it does not speak TLS on this port: take its TLS port, or an http URL",
}


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
