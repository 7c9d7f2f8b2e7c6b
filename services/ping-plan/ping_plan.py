"""Looks whether a device can be reached, and tells the platform in the properties `reachable` and `answer_ms`."""

import re
import socket
import subprocess
import time

from agent.sdk import Callback, Form, RejectEvent, RetryableError, context

CALLBACKS = ["status"]

DEVICE = re.compile(r"(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?")
"""A name or an address. Nothing that begins with a hyphen: the program would take it for an option."""

PATIENCE_S = 3
"""Well under the hook's own time: who does not answer within three seconds is not there."""


def on_event(form: Form) -> Form:
    """Runs for each event: what it returns is posted to the platform."""
    device = str(form.properties.get("device", ""))
    match = DEVICE.fullmatch(device)
    if match is None:
        raise RejectEvent(f"device is {device!r}, expected a host name or an address, with :port where it has one")
    begun_s = time.monotonic()
    host = match["host"].strip("[]")
    is_reachable = connects(host, int(match["port"])) if match["port"] else answers_ping(host)
    form.properties["reachable"] = is_reachable
    form.properties["answer_ms"] = round((time.monotonic() - begun_s) * 1000) if is_reachable else None
    context.log.info("%s can%s be reached", device, "" if is_reachable else "not")
    return form


def on_callback(message: Callback) -> None:
    """Runs for the news that the platform sends about these events, because of CALLBACKS."""
    context.log.info("event %s is %s", message.eventidentifier, message.status)


def connects(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection((host, port), timeout=PATIENCE_S):
            return True
    except (OSError, OverflowError, UnicodeError):
        return False


def answers_ping(host: str) -> bool:
    """Whether the program ping hears an answer."""
    try:
        done = subprocess.run(
            ["ping", "-c", "1", "-W", str(PATIENCE_S), host], capture_output=True, timeout=PATIENCE_S + 2, check=False
        )
    except FileNotFoundError as error:
        raise RetryableError("there is no program ping: install it, or give the device a port", after_s=60) from error
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
