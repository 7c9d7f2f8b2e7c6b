"""An `Order` -> the bytes that go to the agent. Pure."""

from __future__ import annotations

from apclient.commandline import client_id

MAX_BODY_BYTES = 10 * 1024 * 1024
"""What the service gateway takes unless it is configured otherwise."""

_TOKEN = "agent_client_id"
_PLACE = ["data", _TOKEN]
"""Where the token stands, below the root."""
_SIGN = ["transaction", "header", "method"]
"""What the agent knows a message by."""
_ENCODINGS = (18, 19)
"""XML_ERROR_UNKNOWN_ENCODING and XML_ERROR_INCORRECT_ENCODING of expat."""
_ESCAPES = {number: f"\\u{number:04x}" for number in range(32)} | {34: '\\"', 92: "\\\\", 127: "\\u007f"}
_UNQUOTED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")


class Unfit(Exception):
    """It cannot be submitted; the text is a sentence."""


class Submission:
    """A body for the service of that URL name. `key` makes it the same event when it is sent again."""

    __slots__ = ("body", "content_type", "key", "service")

    def __init__(self, *, service: str, content_type: str, body: bytes, key: str) -> None:
        self.service = service
        self.content_type = content_type
        self.body = body
        self.key = key


def of_values(values: tuple[str, ...], *, key: str) -> Submission:
    """Values as JSON, which keeps every character."""
    texts = ",".join(f'"{value.translate(_ESCAPES)}"' for value in values)
    body = f'{{"map-data":[{texts}]}}'.encode()
    return _submission(client_id(values[0]), "application/json", body, key)


def of_file(content: bytes, *, service: str, name: str, key: str) -> Submission:
    """A ready-made message as it is; `service` counts where it has no `agent_client_id`.

    Raises `Unfit` also for what the agent would refuse, because the agent may be away: nobody would hear of it.
    """
    if not content.strip():
        raise Unfit(f"{name} is empty; it must hold an APXML message")
    named = _client_id_in(content, name, default=service)
    if not named:
        raise Unfit(f'{name} has no token {_TOKEN}, so it is for no service; name it with --service "DOMAIN|NAME"')
    return _submission(client_id(named), "application/xml", content, key)


def text(octets: bytes) -> str:
    """An argument as text: UTF-8, else windows-1252, which is what Windows' tools leave behind.

    Not the encoding of the locale: it says nothing about who wrote the alarm. A management system runs in `POSIX`, or
    in a locale of old, and its plug-ins write UTF-8.
    """
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def url_name(service: str) -> str:
    """`applications|sample-plan` -> `applications_sample-plan`, percent-encoded."""
    name = service.replace("|", "_", 1).encode("utf-8", "replace")
    return "".join(chr(byte) if byte in _UNQUOTED else f"%{byte:02X}" for byte in name)


def _submission(service: str, content_type: str, body: bytes, key: str) -> Submission:
    if len(body) > MAX_BODY_BYTES:
        raise Unfit(f"the event has more than {MAX_BODY_BYTES} bytes, which is all that the agent takes")
    return Submission(service=url_name(service), content_type=content_type, body=body, key=key)


def _client_id_in(content: bytes, name: str, *, default: str) -> str:
    """The service that a message names, `default` where it names none. Raises `Unfit` for what is no message."""
    from pyexpat import ExpatError, ParserCreate

    path: list[str] = []
    pieces: list[str] = []
    root = ""
    is_message = False
    parser = ParserCreate()

    def begin(element: str, _: object) -> None:
        nonlocal root, is_message
        path.append(element.rpartition(":")[2].lower())
        root = root or element
        is_message = is_message or path == _SIGN
        if path[1:] == _PLACE:
            pieces.clear()  # of two, the later one counts
            parser.CharacterDataHandler = pieces.append

    def end(_: str) -> None:
        path.pop()
        if len(path) <= len(_PLACE):
            parser.CharacterDataHandler = None

    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    try:
        parser.Parse(content, True)
    except (ExpatError, LookupError, ValueError) as error:
        # The agent reads encodings that expat does not know.
        if isinstance(error, ExpatError) and error.code not in _ENCODINGS:
            raise Unfit(f"{name} is not well-formed XML: {error}") from None
        if not pieces and not default:
            raise Unfit(f'{name} cannot be read ({error}); name its service with --service "DOMAIN|NAME"') from None
    else:
        if not is_message:
            raise Unfit(
                f"{name} is no APXML message: it begins with <{root[:80]}> and needs <transaction> with a <header> "
                "and a <method> in it"
            )
    return "".join(pieces).strip() or default
