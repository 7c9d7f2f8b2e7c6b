"""Posting an event to the service gateway, as a management system would: over its real HTTP URL."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from agent.config.model import AgentConfig, GatewayConfig
from agent.errors import AgentError, ExitStatus, MachineError, OperatorError
from agent.hosts import ON_THIS_MACHINE, at_port
from agent.names import ServiceName
from iadmin.commands.edges import ClientFiles, PostAnswer
from iadmin.commands.identifying import NOTHING
from iadmin.commands.tls_gateways import material_of
from iadmin.commands.tools import Tools
from iadmin.model import Outcome
from iadmin.render import Body, Line

TIMEOUT_S: Final = 60.0
"""A service that answers its sender itself has 30 s; the disk may be slow on top of it."""
MAX_ANSWER_BYTES: Final = 1024 * 1024
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


@attrs.frozen(kw_only=True)
class Entrance:
    """Where events are sent to: the beginning of the URL, and which certificates (DER) may be presented there."""

    url: str
    trusted: tuple[bytes, ...] = ()


def entrance(tools: Tools, settings: AgentConfig, port: int | None = None) -> Entrance:
    """The service gateway on `port`, else the first: where the running agent really listens, else what the files say.

    Over TLS its own certificate is trusted, read where the agent reads it, whatever name it is for: the connection
    stays on this machine. Raises `AgentError` where there is no such gateway, or its certificate cannot be read.
    """
    doors = _listening(tools) or [(one.host, one.port, one.ssl) for one in settings.gateways]
    if not doors:
        raise OperatorError("no-gateway", "the configuration has no <service-gateway>, so nothing can be sent to it")
    found = [door for door in doors if port is None or door[1] == port]
    if not found:
        listed = ", ".join(f"{number} ({'https' if is_tls else 'http'})" for _, number, is_tls in doors)
        raise OperatorError(
            "which-gateway", f"no service-gateway is on port {port}; there are: {listed}", exit_status=ExitStatus.USAGE
        )
    host, number, is_tls = found[0]
    host = ON_THIS_MACHINE.get(host, host)
    url = f"{'https' if is_tls else 'http'}://{at_port(host, number)}"
    if not is_tls:
        return Entrance(url=url)
    configured = next((one for one in settings.gateways if one.port == number), GatewayConfig(host=host, port=number))
    identities = material_of(tools, configured).identities
    return Entrance(url=url, trusted=tuple(one.chain[0].der for one in identities))


def _listening(tools: Tools) -> list[tuple[str, int, bool]]:
    """Host, port and whether TLS is spoken, of the running agent's gateways; none where it cannot be asked."""
    found: list[dict[str, Any]] = []
    with contextlib.suppress(AgentError):
        if tools.agent_pid() is not None:
            found = tools.link().status().get("gateways", [])
    return [(str(one["host"]), int(one["port"]), bool(one.get("ssl"))) for one in found]


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


def post(
    url: str,
    content_type: str,
    body: bytes,
    *,
    headers: Mapping[str, str] = NOTHING,
    trusted: Sequence[bytes] = (),
    client: ClientFiles | None = None,
) -> PostAnswer:
    """POST a body; raises `MachineError` when nothing listens there, it cannot be trusted, or no answer comes."""
    parts = urlsplit(url)
    fields = {"Content-Type": content_type, "Accept": "application/json", **headers}
    connection = (
        HTTPSConnection(str(parts.hostname), parts.port, timeout=TIMEOUT_S, context=_trusting(trusted, client))
        if parts.scheme == "https"
        else HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT_S)
    )
    try:
        answer = _exchange(connection, parts.path, fields, body)
        return PostAnswer(
            status=answer.status,
            content_type=answer.headers.get_content_type(),
            body=answer.read(MAX_ANSWER_BYTES),
        )
    except ssl.SSLCertVerificationError as error:
        raise MachineError(
            "gateway-not-trusted",
            f"{parts.netloc} presents a certificate that is not the one of the configuration, or is not good "
            f"({error.verify_message}); nothing was sent; look at: iadmin tls check",
        ) from error
    except ssl.SSLError as error:
        raise _refused(parts.netloc, str(error.reason or error), client) from error
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


def _refused(where: str, reason: str, client: ClientFiles | None) -> MachineError:
    said = reason.upper()
    if "CERTIFICATE_REQUIRED" in said and client is None:
        return MachineError(
            "client-certificate-needed",
            f"{where} takes nobody without a client certificate; give one with --cert FILE and --key FILE",
        )
    if "ALERT" in said and client is not None:
        return MachineError(
            "client-certificate-refused",
            f"{where} refuses the client certificate in {client.certificate} ({reason}); why, it has told its own "
            "operator: iadmin tls strangers",
        )
    return MachineError("tls-fails", f"{where}: the TLS connection fails ({reason}); look at: iadmin tls check")


def _trusting(certificates: Sequence[bytes], client: ClientFiles | None) -> ssl.SSLContext:
    """Accepts these certificates and no others, whatever names are in them; shows `client` where it is asked for one.

    Raises `OperatorError` for a client certificate that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # The certificate itself is the anchor, not its authority: that may have issued thousands.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    for certificate in certificates:
        context.load_verify_locations(cadata=certificate)
    if client is not None:
        try:
            context.load_cert_chain(client.certificate, client.key, password=lambda: client.passphrase().reveal())
        except (ssl.SSLError, ValueError) as error:
            raise OperatorError(
                "client-certificate-unusable",
                f"{client.certificate} and {client.key} are no PEM certificate with its private key, or the passphrase "
                f"is wrong ({getattr(error, 'reason', None) or error})",
                exit_status=ExitStatus.DATA,
            ) from error
    return context


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
    said = detail.rstrip(".") if answer.status == 401 else detail
    hint = "; give --user NAME, --token-file FILE or --signer NAME" if answer.status == 401 else ""
    default = ExitStatus.DATA if 400 <= answer.status < 500 else ExitStatus.UNAVAILABLE
    return Outcome(
        data=data,
        notes=(f"the service gateway refused the event with status {answer.status}: {said}{hint}",),
        exit_status=EXITS.get(answer.status, default),
    )
