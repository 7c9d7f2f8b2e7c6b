"""The client that wrk cannot be: a TLS connection of its own for each request, and never a session taken up again.

    python -m bench.anew PORT PATH SECONDS CONNECTIONS BODY [AUTHORIZATION]

BODY is a file. Prints what `accept.lua` prints.
"""

from __future__ import annotations

import json
import socket
import ssl
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TIMEOUT_S = 10.0


def main() -> None:
    """Connect anew for some seconds, so many at a time."""
    port, path, seconds, connections, body, *authorization = sys.argv[1:]
    asked = _request(path, Path(body).read_bytes(), *authorization)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # what is measured is the other end
    begun_s = time.monotonic()
    end_s = begun_s + float(seconds)
    with ThreadPoolExecutor(int(connections)) as pool:
        each = pool.map(lambda _: _work(context, int(port), asked, end_s), range(int(connections)))
        tries = [one for ones in each for one in ones]
    took_s = time.monotonic() - begun_s
    good_ms = [took * 1000 for took, is_good in tries if is_good]
    found = {"good": len(good_ms), "bad": len(tries) - len(good_ms), "failed": 0, "time_s": took_s}
    if len(good_ms) > 1:
        found |= {"p50_ms": statistics.median(good_ms), "p99_ms": statistics.quantiles(good_ms, n=100)[-1]}
        found["max_ms"] = max(good_ms)
    print(f"RESULT {json.dumps(found)}")


def _work(context: ssl.SSLContext, port: int, asked: bytes, end_s: float) -> list[tuple[float, bool]]:
    tries = []
    while (begun_s := time.monotonic()) < end_s:
        try:
            is_good = _ask(context, port, asked)
        except OSError:
            is_good = False
        tries.append((time.monotonic() - begun_s, is_good))
    return tries


def _ask(context: ssl.SSLContext, port: int, asked: bytes) -> bool:
    """Whether the answer is a 202 with an id, after a full handshake of TLS 1.3."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=True) as secure,
    ):
        secure.sendall(asked)
        answer = b""
        while piece := secure.recv(4096):
            answer += piece
        is_full = secure.version() == "TLSv1.3" and not secure.session_reused
    return is_full and answer.startswith(b"HTTP/1.1 202 ") and b"requestId" in answer


def _request(path: str, body: bytes, authorization: str = "") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/xml", "Connection: close"]
    lines.append(f"Content-Length: {len(body)}")
    if authorization:
        lines.append(f"Authorization: {authorization}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


if __name__ == "__main__":
    main()
