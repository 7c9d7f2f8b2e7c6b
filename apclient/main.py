"""`apclient`: submits one event, and ends with 0 when it is safe.

1. What waits in the home for this service already comes first: the event goes behind it.
2. Otherwise it is sent to the agent; 202 with an id means that it is on disk there.
3. When the agent cannot be reached, says that it cannot take the event now, or somebody else answers in its place, the
   event is kept in `var/apclient` of the home, synced, and the agent fetches it from there. It has the same key as what
   was sent, so an answer that got lost makes no second event.
4. What the agent refuses for good is said in its own sentence, with an exit status.
"""

from __future__ import annotations

import os
import sys

from apclient.commandline import USAGE, Misused, Order, parse
from apclient.gateway import DEFAULT_URL, LOOPBACK, Answer, BadUrl, Trust, Unreachable, Url, authorization, post
from apclient.parcel import FOLDER
from apclient.spool import Full, Spool
from apclient.streams import hold_numbers
from apclient.submission import MAX_BODY_BYTES, Submission, Unfit, of_file, of_values, text

OK, USAGE_STATUS, DATA, NO_INPUT, UNAVAILABLE, CANNOT_CREATE, TEMPORARY, NO_PERMISSION, CONFIG = (
    0, 64, 65, 66, 69, 73, 75, 77, 78,
)  # fmt: skip
"""After sysexits.h, as `agent.errors.ExitStatus`, which is not imported."""

CREDENTIALS = ("conf", "apclient.credentials")
MAX_CREDENTIALS = 4096
MAX_LINKS = 8
"""From the name that was called to the program; more are a circle."""
LATER = (408, 429)
"""Statuses below 500 after which the same event may be taken later."""
REFUSALS = {401: NO_PERMISSION, 403: NO_PERMISSION, 404: CONFIG, 405: CONFIG}


class Failed(Exception):
    """An exit status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Home:
    """The agent home. `is_named`: by the user, and not found by chance; `path` is empty where there is none."""

    __slots__ = ("is_named", "path")

    def __init__(self, order: Order) -> None:
        named = order.home or os.environ.get("IA_HOME", "")
        self.is_named = bool(named)
        self.path = named or _found_home()
        if named:
            try:
                os.stat(os.path.join(named, "conf"))
            except PermissionError:
                pass  # another account's home: whether anything can be kept there shows when it must be
            except OSError:
                raise Failed(NO_INPUT, f"{named} is not an agent home: it has no folder conf") from None


def main(argv: list[str] | None = None) -> int:
    """Run; return the exit status."""
    hold_numbers()
    try:
        order = parse(sys.argv[1:] if argv is None else argv)
        if order.help:
            _write(USAGE, is_fault=False)
        elif order.version:
            from importlib.metadata import version

            _write(f"apclient {version('integration-agent')}\n", is_fault=False)
        else:
            _submit(order)
    except Misused as misused:
        _say(f"{misused}; see apclient --help")
        return USAGE_STATUS
    except Failed as failed:
        _say(str(failed))
        return failed.status
    except KeyboardInterrupt:
        return 130
    return OK


def _submit(order: Order) -> None:
    key = os.urandom(16).hex()
    home = Home(order)
    spool = Spool(home.path) if home.path else None
    submission = _submission(order, key)
    url, trust = _gateway(order, spool)
    # Another machine's agent does not fetch what lies in a home that happens to be here.
    is_own = home.is_named or not order.gateway or url.host in LOOPBACK
    may_keep = order.spool and is_own
    if may_keep and spool is not None and (waiting := _waiting(spool, submission)):
        earlier = "an earlier event" if waiting == 1 else f"{waiting} earlier events"
        _keep(spool, submission, f"{earlier} of this service must reach the agent first")
        return
    try:
        answer = post(
            url, submission, authorization=_authorization(order, home.path), trust=trust, timeout_s=order.timeout_s
        )
    except Unreachable as error:
        why = f"the agent at {url.text} cannot be reached: {error}"
    else:
        if answer.is_commit:
            return
        if not answer.is_the_agents:
            why = f"what answers at {url.text} ({answer.status}) is no integration agent"
        elif answer.status < 500 and answer.status not in LATER:
            raise _refused(answer, url)
        else:
            why = f"the agent at {url.text} says {answer.status}: {answer.detail or 'it cannot take the event now'}"
    if not may_keep:
        whose = "" if is_own else ", because that is not the agent of this home; name its home with --home"
        raise Failed(UNAVAILABLE, f"{why}. The event was not kept{whose}.")
    if spool is None:
        raise Failed(
            UNAVAILABLE, f"{why}. There is no agent home to keep the event in; name it with --home or IA_HOME."
        )
    _keep(spool, submission, why)


def _submission(order: Order, key: str) -> Submission:
    try:
        if order.values:
            for value in order.values[1:]:
                if value in ("--gateway", "--home", "--no-spool", "--credentials", "--timeout", "--submit-file"):
                    _say(f"note: {value!r} stands behind --map-data, so it is a value; options stand before it")
            # What the shell left: Python has read it in the encoding of the locale.
            return of_values(tuple(text(os.fsencode(value)) for value in order.values), key=key)
        name = "standard input" if order.file == "-" else order.file
        service = text(os.fsencode(order.service))
        return of_file(_content(order.file), service=service, name=name, key=key)
    except Unfit as unfit:
        raise Failed(DATA, str(unfit)) from None


def _content(file: str) -> bytes:
    if file == "-" and sys.stdin is None:
        raise Failed(NO_INPUT, "standard input is closed; it must hold an APXML message")
    try:
        if file == "-":
            return sys.stdin.buffer.read(MAX_BODY_BYTES + 1)
        with open(file, "rb") as opened:
            return opened.read(MAX_BODY_BYTES + 1)
    except OSError as error:
        raise Failed(NO_INPUT, f"{file} cannot be read: {_reason(error)}") from None


def _gateway(order: Order, spool: Spool | None) -> tuple[Url, Trust]:
    """Where to send to, and whom to believe there. The agent's own certificate counts for its own address only."""
    noted, certificate = spool.note() if spool is not None else ("", "")
    given = order.gateway or os.environ.get("APCLIENT_GATEWAY", "")
    try:
        url = Url(given or noted or DEFAULT_URL)
        own = Url(noted) if noted else None
    except BadUrl as error:
        raise Failed(USAGE_STATUS, str(error)) from None
    is_own = own is not None and own.port == url.port and (url.host == own.host or url.host in LOOPBACK)
    return url, Trust(pinned=certificate if is_own and not order.cacert else "", cacert=order.cacert)


def _authorization(order: Order, home: str) -> str:
    if not order.credentials and (given := os.environ.get("APCLIENT_CREDENTIALS", "")):
        return authorization(given)
    path = order.credentials or (os.path.join(home, *CREDENTIALS) if home else "")
    try:
        with open(path, encoding="utf-8") as file:
            line = file.read(MAX_CREDENTIALS).split("\n", 1)[0].rstrip("\r")
    except OSError as error:
        if not order.credentials:
            return ""
        raise Failed(NO_INPUT, f"the credentials in {path} cannot be read: {_reason(error)}") from None
    except ValueError:
        raise Failed(DATA, f"the credentials in {path} are not UTF-8 text") from None
    if not line or not line.isprintable():
        raise Failed(DATA, f"{path} does not begin with USER:PASSWORD or a token")
    return authorization(line)


def _waiting(spool: Spool, submission: Submission) -> int:
    try:
        return spool.waiting(submission.service)
    except OSError:
        return 0  # what cannot be looked at is no reason not to send


def _keep(spool: Spool, submission: Submission, why: str) -> None:
    try:
        spool.keep(submission)
    except Full as full:
        raise Failed(TEMPORARY, f"{why}. The event is lost: {full}. Start the agent of this home.") from None
    except OSError as error:
        raise Failed(
            CANNOT_CREATE,
            f"{why}. The event is lost: it cannot be kept in {spool.folder}: {_reason(error)}. Let this account write "
            "there.",
        ) from None
    _say(f"{why}; the event waits in {os.path.join(*FOLDER)} and will be delivered when the agent is back")


def _refused(answer: Answer, url: Url) -> Failed:
    said = answer.detail or "no reason was given"
    return Failed(
        REFUSALS.get(answer.status, DATA), f"the agent at {url.text} refused the event ({answer.status}): {said}"
    )


def _found_home() -> str:
    # A link in the home's bin/ counts for the home, wherever the program itself is, and wherever a link to it is.
    try:
        beside = os.path.abspath(sys.argv[0]) if sys.argv and sys.argv[0] else ""
        candidates = []
        for _ in range(MAX_LINKS):
            folder = os.path.dirname(beside)
            candidates += [os.path.dirname(folder)] if os.path.basename(folder) == "bin" else []
            if not os.path.islink(beside):
                break
            beside = os.path.normpath(os.path.join(folder, os.readlink(beside)))
        for candidate in (*candidates, ".", "home"):
            if os.path.isdir(os.path.join(candidate, "conf")) and os.path.isdir(os.path.join(candidate, "var")):
                return os.path.abspath(candidate)
    except OSError:
        pass  # the folder that it was started in is gone
    return ""


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _say(line: str) -> None:
    _write(f"apclient: {line}\n", is_fault=True)


def _write(text: str, *, is_fault: bool) -> None:
    """Management systems start programs with closed streams, and full disks behind them: the exit status counts."""
    stream = sys.stderr if is_fault else sys.stdout
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        # Python would try again at its end, fail again, and end with 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
