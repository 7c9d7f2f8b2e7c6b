"""Posting an event to the service gateway, as a management system would: over its real HTTP URL."""

from __future__ import annotations

import contextlib
import json
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final
from urllib.parse import urlsplit

from agent.config.model import AgentConfig
from agent.errors import AgentError, ExitStatus, MachineError, OperatorError
from agent.names import ServiceName
from iadmin.commands.tools import PostAnswer, Tools
from iadmin.model import Outcome
from iadmin.render import Body, Line

TIMEOUT_S: Final = 60.0
"""A service that answers its sender itself has 30 s; the disk may be slow on top of it."""
MAX_ANSWER_BYTES: Final = 1024 * 1024
EVERYWHERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
EXITS: Final = {
    401: ExitStatus.NO_PERMISSION,
    403: ExitStatus.NO_PERMISSION,
    404: ExitStatus.CONFIG,
    405: ExitStatus.CONFIG,
    408: ExitStatus.TEMPORARY,
    429: ExitStatus.TEMPORARY,
    503: ExitStatus.TEMPORARY,
}
"""404 and 405 say that the running agent has another configuration than the files: the service was found in those."""


def gateway_url(tools: Tools, settings: AgentConfig) -> str:
    """The URL of the first service gateway: where the running agent really listens, else what the files say."""
    listening: list[dict[str, Any]] = []
    with contextlib.suppress(AgentError):
        if tools.agent_pid() is not None:
            listening = tools.open_link(tools.home).status().get("gateways", [])
    if listening:
        host, port, ssl = str(listening[0]["host"]), int(listening[0]["port"]), bool(listening[0].get("ssl"))
    elif settings.gateways:
        host, port, ssl = settings.gateways[0].host, settings.gateways[0].port, settings.gateways[0].ssl
    else:
        raise OperatorError("no-gateway", "the configuration has no <service-gateway>, so nothing can be sent to it")
    if ssl:
        raise OperatorError(
            "gateway-speaks-tls",
            f"the service gateway on port {port} speaks TLS, which event send cannot yet; post with curl --cacert",
        )
    host = EVERYWHERE.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def read_file(tools: Tools, file: str) -> bytes:
    """A file, `-` for standard input; raises `OperatorError` (66)."""
    if file == "-":
        return tools.stdin.read()
    try:
        return (tools.cwd / file).read_bytes()
    except OSError as error:
        raise OperatorError(
            "no-input", f"cannot read {file!r}: {error.strerror}", exit_status=ExitStatus.NO_INPUT
        ) from error


def content_type_of(body: bytes) -> str:
    """JSON when the first character opens a JSON value, else XML (whatever its encoding); the gateway looks itself."""
    return "application/json" if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") else "application/xml"


def post(url: str, content_type: str, body: bytes) -> PostAnswer:
    """POST a body; raises `MachineError` when nothing listens there or no answer comes."""
    parts = urlsplit(url)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT_S)
    try:
        answer = _exchange(connection, parts.path, {"Content-Type": content_type, "Accept": "application/json"}, body)
        return PostAnswer(
            status=answer.status,
            content_type=answer.headers.get_content_type(),
            body=answer.read(MAX_ANSWER_BYTES),
        )
    except ConnectionRefusedError as error:
        raise MachineError(
            "nothing-listens",
            f"nothing listens on {parts.netloc}; start the agent (integration-agent --home DIR), or see with "
            '"iadmin status" where it listens',
        ) from error
    except (OSError, HTTPException) as error:
        raise MachineError(
            "no-answer",
            f"{parts.netloc} gave no answer ({str(error) or type(error).__name__}); whether the event was accepted is "
            'not known: look at "iadmin event list"',
        ) from error
    finally:
        connection.close()


def _exchange(connection: HTTPConnection, path: str, headers: dict[str, str], body: bytes) -> HTTPResponse:
    # A gateway that refuses by the head alone closes while the body is still being sent; its answer is there to read.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.request("POST", path, body, headers)
    return connection.getresponse()


def answer_outcome(answer: PostAnswer, *, url: str, service: ServiceName) -> Outcome:
    """What the sender is told, by the gateway's answer."""
    text = answer.body.decode("utf-8", "replace")
    document: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        parsed = json.loads(text)
        document = parsed if isinstance(parsed, dict) else {}
    request_id = document.get("requestId")
    data = {"url": url, "service": service.client_id, "status": answer.status, "request_id": request_id}
    if 200 <= answer.status < 300:
        if request_id:
            # The id alone on standard output, for `id=$(iadmin event send ...)`.
            note = f'accepted for {service}; "iadmin event show {request_id}" tells what became of it'
            return Outcome(data=data, blocks=(Line(str(request_id)),), notes=(note,))
        data["body"] = text
        return Outcome(
            data=data, blocks=(Body(text=text.rstrip()),), notes=(f"{service} answered with status {answer.status}",)
        )
    detail = str(document.get("detail") or document.get("title") or text.strip())
    data["detail"] = detail
    default = ExitStatus.DATA if 400 <= answer.status < 500 else ExitStatus.UNAVAILABLE
    return Outcome(
        data=data,
        notes=(f"the service gateway refused the event with status {answer.status}: {detail}",),
        exit_status=EXITS.get(answer.status, default),
    )
