"""The notification platform, as far as services of the agent use it, on the loopback."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs

USER = "initiator"
PASSWORD = "not-a-real-one"


@attrs.frozen
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes
    key: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Platform:
    """Takes triggers, tells and ends events. `answers` come before its own: status and headers, each once.

    Everything but APXML wants the account `USER`.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.active: dict[str, dict[str, str]] = {}
        """Running events: their properties by id."""
        ours = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                target = urlsplit(self.path)
                asked = Asked(
                    self.command,
                    target.path,
                    parse_qs(target.query),
                    body,
                    self.headers.get("Idempotency-Key", ""),
                )
                ours.asked.append(asked)
                said = self.headers.get("Authorization", "")
                status, headers, answer = ours.answer(asked, said)
                data = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_PATCH = do_DELETE = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, asked: Asked, authorization: str) -> tuple[int, dict[str, str], object]:
        if self.answers:
            status, headers = self.answers.pop(0)
            return status, headers, {"code": status}
        if asked.path.startswith("/apxml"):
            return 200, {}, {}
        if authorization != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            return 401, {"WWW-Authenticate": 'Basic realm="platform"'}, {"code": 401}
        match asked.method, asked.path.split("/")[1:]:
            case "POST", ["api", "integration", "1", "functions", _, "triggers"]:
                return 202, {}, {"requestId": "r-1"}
            case "POST", ["reapi", "2015-04-01", "forms", _, "triggers"]:
                return 200, {}, {"id": "17"}
            case "GET", ["api", "xm", "1", "events"]:
                return 200, {}, {"total": 1, "data": self._found(asked.query)}
            case "POST", ["api", "xm", "1", "events"]:
                return self._ended(asked.json)
        return 404, {}, {"code": 404}

    def _found(self, query: dict[str, list[str]]) -> list[dict[str, str]]:
        (name,), (value,) = query["propertyName"], query["propertyValue"]
        assert ["ACTIVE"] == query["status"]
        assert name.endswith("#en")
        return [
            {"id": event, "status": "ACTIVE"} for event, said in self.active.items() if said.get(name[:-3]) == value
        ]

    def _ended(self, wish: dict[str, str]) -> tuple[int, dict[str, str], object]:
        if wish["id"] not in self.active:
            return 409, {}, {"code": 409}
        assert "TERMINATED" == wish["status"]
        del self.active[wish["id"]]
        return 200, {}, wish

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
