"""The client of the running agent's control API (`docs/control-api.rst`): the only module that speaks it.

Blocking, standard library only, one connection per question. `Link` knows the API; how a connection is made is a
function that is passed in, so that another transport can take the place of the Unix socket.

Every wait ends, every answer has a size limit, and each failure is a typed error with the sentence for the operator.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from agent.errors import ExitStatus, MachineError

TIMEOUT_S: Final = 30.0
"""Longer than the agent's own limit for an answer (20 s), so that its explanation arrives here."""
LONG_TIMEOUT_S: Final = 130.0
"""For orders that wait for workers (120 s in the agent)."""
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Above the largest answer (the body of a dead letter), far below the memory of a machine."""
MAX_SOCKET_PATH_BYTES: Final = 107
"""`sun_path` has 108 bytes with the closing NUL (unix(7))."""


class LinkError(MachineError):
    """The running agent could not be asked."""


class NotRunning(LinkError):
    """No agent listens on the control socket."""


class NotAllowed(LinkError):
    """The socket is not ours to open."""

    exit_status = ExitStatus.NO_PERMISSION


class NoAnswer(LinkError):
    """An agent listens and did not answer in time, or answered something else than its API promises."""


class FarSilent(LinkError):
    """The agent has asked a destination, and got no answer from there."""

    exit_status = ExitStatus.UNAVAILABLE


class Refused(LinkError):
    """The agent answered with a problem document; `status` is its HTTP status."""

    exit_status = ExitStatus.FAILED

    def __init__(self, code: str, sentence: str, *, status: int) -> None:
        super().__init__(code, sentence)
        self.status: Final = status


class Link:
    """Asks one agent. `connect` makes an unconnected `HTTPConnection`; `where` names the agent in sentences."""

    def __init__(
        self, connect: Callable[[], HTTPConnection], *, where: str, is_held: Callable[[], bool] = lambda: False
    ) -> None:
        """`is_held` tells, where nobody listens, whether an agent has the home all the same."""
        self._connect = connect
        self._where = where
        self._is_held = is_held

    def status(self) -> dict[str, Any]:
        """The agent's state on one page."""
        return self._ask("GET", "/v1/status")

    def services(self) -> list[dict[str, Any]]:
        """The services and their workers."""
        return self._list("/v1/services", "services")

    def events(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Summaries of events, newest first; the filters are those of `/v1/events`."""
        query = urlencode({name: value for name, value in filters.items() if value})
        return self._list("/v1/events" + ("?" + query if query else ""), "events")

    def event(self, event_id: str) -> dict[str, Any] | None:
        """One event by its id or the unique beginning of it; None when there is no such one."""
        try:
            return self._ask("GET", "/v1/events/" + quote(event_id, safe=""))
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def dead_letters(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Dead letters, the last to die first; the filters are those of `/v1/dead-letters`."""
        query = urlencode({name: value for name, value in filters.items() if value})
        return self._list("/v1/dead-letters" + ("?" + query if query else ""), "dead_letters")

    def letter_body(self, letter_id: str) -> bytes | None:
        """The whole body of a dead letter; None when there is no such one."""
        try:
            return self._exchanged("GET", _body_path(letter_id))
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def replay(self, ids: Sequence[str]) -> int:
        """Offer dead letters again; returns how many, which are those that were dead. At most 500."""
        return self._count(self._ask("POST", "/v1/dead-letters/replay", {"ids": list(ids)}).get("replayed"))

    def purge(self, ids: Sequence[str]) -> int:
        """Delete dead letters; else as `replay`."""
        return self._count(self._ask("POST", "/v1/dead-letters/purge", {"ids": list(ids)}).get("purged"))

    def edit(self, letter_id: str, body: bytes) -> bool:
        """Give a dead letter another body; False when there is no such one."""
        try:
            self._ask("PUT", _body_path(letter_id), body)
        except Refused as error:
            if error.status == 404:
                return False
            raise
        return True

    def destinations(self) -> list[dict[str, Any]]:
        """Where services send to, as `/v1/destinations` has them."""
        return self._list("/v1/destinations", "destinations")

    def pause(self, destination: str, *, is_paused: bool) -> None:
        """Hold back what is for a destination, or let it go."""
        self._ask("POST", f"/v1/destinations/{quote(destination, safe='')}/{'pause' if is_paused else 'resume'}")

    def ask_destination(self, destination: str, question: Mapping[str, object]) -> dict[str, Any]:
        """Have the agent send something at once; fields as in `/v1/destinations/NAME/ask`."""
        return self._ask("POST", f"/v1/destinations/{quote(destination, safe='')}/ask", question)

    def tail(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The next log lines and happenings, as `/v1/tail` has them; waits for them as long as the query says."""
        found = self._ask("GET", "/v1/tail?" + urlencode({name: value for name, value in query.items() if value}))
        if not isinstance(found.get("entries"), list) or not isinstance(found.get("next"), str):
            raise self._nonsense("no list of entries")
        return found

    def strangers(self) -> dict[str, Any]:
        """Connections that failed or were misused, as `/v1/strangers` has them."""
        return self._ask("GET", "/v1/strangers")

    def certificates(self) -> list[dict[str, Any]]:
        """What the gateways present and trust at this moment."""
        return self._list("/v1/certificates", "certificates")

    def suspend(self, service: str, *, now: bool, refuse: bool) -> dict[str, Any]:
        """Begin no more events of a service; answers as `/v1/services/ID/suspend`."""
        return self._order(service, "suspend", {"now": now, "refuse": refuse})

    def resume(self, service: str) -> dict[str, Any]:
        """Let a suspended service go on."""
        return self._order(service, "resume")

    def restart(self, service: str) -> dict[str, Any]:
        """Start another worker in the place of a service's own."""
        return self._order(service, "restart")

    def purge_service(self, service: str) -> int:
        """Delete what waits for a suspended service; how many events."""
        return self._count(self._order(service, "purge").get("purged"))

    def put_in(self, service: str, body: bytes, content_type: str) -> str:
        """Have the agent take in an event for a service; its id."""
        path = f"/v1/services/{quote(service, safe='')}/event?{urlencode({'content_type': content_type})}"
        return self._id(self._document(self._exchanged("PUT", path, body, timeout_s=LONG_TIMEOUT_S)))

    def repeat(self, event_id: str) -> str:
        """Have the agent take in once more, as a new event, what was done; the new id."""
        return self._id(self._ask("POST", f"/v1/events/{quote(event_id, safe='')}/repeat"))

    def queues(self) -> dict[str, Any]:
        """How much waits by service, direction and priority."""
        found = self._ask("GET", "/v1/queues").get("queues")
        if not isinstance(found, dict):
            raise self._nonsense("no queues")
        return found

    def settings(self) -> dict[str, Any]:
        """What is in force."""
        return self._ask("GET", "/v1/settings")

    def log_level(self) -> str:
        """The least important lines that the agent logs."""
        return str(self._ask("GET", "/v1/log-level").get("level", ""))

    def set_log_level(self, level: str) -> None:
        """Log more or less from now on."""
        self._ask("POST", "/v1/log-level", {"level": level})

    def reload(self, service: str = "") -> dict[str, Any]:
        """Let the agent take over what has changed, or one service; raises `Refused` when nothing of it was."""
        return self._ask("POST", "/v1/reload", {"service": service}, timeout_s=LONG_TIMEOUT_S)

    def stop(self, *, now: bool) -> None:
        """Ask the agent to stop; it does so after it has answered."""
        self._ask("POST", "/v1/stop", {"now": now})

    def _list(self, path: str, key: str) -> list[dict[str, Any]]:
        found = self._ask("GET", path).get(key)
        if not isinstance(found, list):
            raise self._nonsense(f"no list of {key}")
        return found

    def _count(self, found: object) -> int:
        if not isinstance(found, int):
            raise self._nonsense("no number")
        return found

    def _id(self, document: Mapping[str, Any]) -> str:
        if not isinstance(document.get("id"), str):
            raise self._nonsense("no id")
        return str(document["id"])

    def _order(self, service: str, verb: str, body: object = None) -> dict[str, Any]:
        return self._ask("POST", f"/v1/services/{quote(service, safe='')}/{verb}", body, timeout_s=LONG_TIMEOUT_S)

    def _ask(self, method: str, path: str, body: object = None, *, timeout_s: float | None = None) -> dict[str, Any]:
        return self._document(self._exchanged(method, path, body, timeout_s=timeout_s))

    def _exchanged(self, method: str, path: str, body: object = None, *, timeout_s: float | None = None) -> bytes:
        """The body of a good answer; `body` is sent as it is when it is bytes, else as JSON."""
        connection = self._connect()
        connection.timeout = timeout_s or connection.timeout
        try:
            status, raw = self._exchange(connection, method, path, body)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise self._not_running() from error
        except PermissionError as error:
            raise NotAllowed("not-allowed", f"{_whose(error)} may administer the agent on {self._where}") from error
        except (TimeoutError, OSError, HTTPException) as error:
            raise NoAnswer(
                "no-answer",
                f"the agent on {self._where} does not answer ({str(error) or type(error).__name__}); "
                "the end of its log (var/log/agent.log) may say why",
            ) from error
        finally:
            connection.close()
        if status >= 300:
            document = self._document(raw)
            if status == HTTPStatus.BAD_GATEWAY:
                raise FarSilent(str(document.get("code", "no-answer")), f"no answer: {document.get('detail', '')}")
            raise Refused(str(document.get("code", "refused")), self._detail(status, document), status=status)
        return raw

    def _not_running(self) -> NotRunning:
        if not self._is_held():
            return NotRunning("not-running", f"no agent runs on {self._where}")
        sentence = f"the agent on {self._where} is just starting or stopping; try again in a moment"
        return NotRunning("not-running", sentence, exit_status=ExitStatus.TEMPORARY)

    def _document(self, raw: bytes) -> dict[str, Any]:
        try:
            document = json.loads(raw)
        except ValueError as error:
            raise self._nonsense("something else than JSON") from error
        if not isinstance(document, dict):
            raise self._nonsense("JSON that is not an object")
        return document

    def _exchange(self, connection: HTTPConnection, method: str, path: str, body: object) -> tuple[int, bytes]:
        headers = {"Accept": "application/json"}
        data = body if isinstance(body, bytes) else None
        if body is not None and data is None:
            data = json.dumps(body).encode("ascii")
            headers["Content-Type"] = "application/json"
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        raw = answer.read(MAX_ANSWER_BYTES + 1)
        if len(raw) > MAX_ANSWER_BYTES:
            raise HTTPException(f"its answer is larger than {MAX_ANSWER_BYTES} bytes")
        if answer.length:
            raise HTTPException(f"its answer ended {answer.length} bytes too early")
        return answer.status, raw

    def _detail(self, status: int, document: Mapping[str, Any]) -> str:
        detail = document.get("detail") or document.get("title") or f"status {status}"
        return f"the agent on {self._where} refused: {detail}"

    def _nonsense(self, found: str) -> NoAnswer:
        return NoAnswer(
            "not-our-api",
            f"the agent on {self._where} answered {found}; are agent and iadmin of the same version?",
        )


class UnixConnection(HTTPConnection):
    """HTTP/1.1 over a Unix socket, however long the path of the socket is."""

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self._connect_by_name_or_folder()
        except PermissionError as error:
            error.filename = str(self._path)
            raise

    def _connect_by_name_or_folder(self) -> None:
        if len(os.fsencode(self._path)) <= MAX_SOCKET_PATH_BYTES:
            self.sock.connect(str(self._path))
            return
        folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)


def _body_path(letter_id: str) -> str:
    return "/v1/dead-letters/" + quote(letter_id) + "/body"


def unix_link(home: Path, *, timeout_s: float = TIMEOUT_S, is_held: Callable[[], bool] = lambda: False) -> Link:
    """The link to the agent that runs on `home` on this machine; `is_held` as for `Link`."""
    path = home / "var" / "run" / "control.sock"
    return Link(lambda: UnixConnection(path, timeout_s=timeout_s), where=str(home), is_held=is_held)


def _whose(error: PermissionError) -> str:
    """`only the user "ia" and root`, from the owner of the nearest folder that we may look at."""
    path = Path(str(error.filename or "."))
    for folder in (path, *path.parents):
        try:
            owner = folder.stat().st_uid
            return f'only the user "{pwd.getpwuid(owner).pw_name}" and root'
        except KeyError:
            return f"only the user with uid {owner} and root"
        except OSError:
            continue
    return "only the agent's own user and root"
