"""Requests to the platform's REST interface: `xmio.post(...)` and the like, as scripts of the original know them.

    xmio.post({"properties": {...}})                    stored with the event's end, delivered, retried; gives nothing
    xmio.post(data, "/api/xm/1/events")                 the same, to another path of the destination
    answer = xmio.get("/api/xm/1/events?status=ACTIVE").wait()      asks now and waits for the answer
    answer = await xmio.asking.post(data)               the same for the other methods

Where a URL is left out it is `WEB_SERVICE_URL`: a global of the script, or a constant of the descriptor. Credentials,
proxy and trust are those of the destination: a script has none of them in its hands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from agent.sdk.asking import Asked
from agent.sdk.context import Context, context
from agent.sdk.form import Form

JSON: Final = "application/json"
WEB_SERVICE_URL: Final = "WEB_SERVICE_URL"


@attrs.frozen
class Asking:
    """`xmio.asking`: each method asks at once and gives an `Asked`, which is awaited, or waited for with `.wait()`.

    Not stored: what is lost on the way is lost, unless the hook fails with it and the event is tried again. Its answer
    has `status` and `body`; see `agent.sdk.asking.Answer`.
    """

    _context: Context

    def get(self, url: str | None = None, *, headers: Mapping[str, str] | None = None) -> Asked:
        """Ask for what is at `url`."""
        return self._ask("GET", None, url, headers)

    def post(self, data: Any, url: str | None = None, *, headers: Mapping[str, str] | None = None) -> Asked:
        """POST `data` and get the answer."""
        return self._ask("POST", data, url, headers)

    def put(self, data: Any, url: str | None = None, *, headers: Mapping[str, str] | None = None) -> Asked:
        """PUT `data` and get the answer."""
        return self._ask("PUT", data, url, headers)

    def patch(self, data: Any, url: str | None = None, *, headers: Mapping[str, str] | None = None) -> Asked:
        """PATCH with `data` and get the answer."""
        return self._ask("PATCH", data, url, headers)

    def delete(self, url: str | None = None, *, headers: Mapping[str, str] | None = None) -> Asked:
        """DELETE what is at `url` and get the answer."""
        return self._ask("DELETE", None, url, headers)

    def _ask(self, method: str, data: Any, url: str | None, headers: Mapping[str, str] | None) -> Asked:
        destination, path = place_of(self._context, url)
        return self._context.request(destination, path=path, method=method, headers=headers, **_said(data))


@attrs.frozen
class Xmio:
    """`xmio`: see the module. `data` is a form, what JSON can hold, or a text or bytes that are JSON already."""

    _context: Context

    @property
    def asking(self) -> Asking:
        """The same methods, asked at once and waited for."""
        return Asking(self._context)

    def get(self, url: str | None = None, *, headers: Mapping[str, str] | None = None) -> Asked:
        """Ask for what is at `url`; a GET is never stored. See `Asking`."""
        return self.asking.get(url, headers=headers)

    def post(self, data: Any, url: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        """POST `data`, stored and retried."""
        self._send("POST", data, url, headers)

    def put(self, data: Any, url: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        """PUT `data`, stored and retried."""
        self._send("PUT", data, url, headers)

    def patch(self, data: Any, url: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        """PATCH with `data`, stored and retried."""
        self._send("PATCH", data, url, headers)

    def delete(self, url: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        """DELETE what is at `url`, stored and retried."""
        self._send("DELETE", b"", url, headers)

    def _send(self, method: str, data: Any, url: str | None, headers: Mapping[str, str] | None) -> None:
        destination, path = place_of(self._context, url)
        self._context.send(destination, path=path, method=method, headers=headers, **_said(data))


def place_of(context: Context, url: str | None) -> tuple[str | None, str]:
    """Return destination (None: the service's own) and path of a URL: absolute, or the part behind the destination's.

    A text without a scheme and a leading slash is a destination's name. Raises `ValueError` for a URL that no
    destination of `iaconfig.xml` leads to.
    """
    wanted = (context.setting(WEB_SERVICE_URL) if url is None else url).strip()
    if not wanted or wanted[0] in "/?":
        return None, wanted
    if "://" not in wanted:
        return wanted, ""
    fitting = [(base, name) for name, base in context.urls.items() if _leads_to(base, wanted)]
    if fitting:
        base, name = max(fitting, key=lambda each: len(each[0]))
        return name, wanted[len(base.rstrip("/")) :] if wanted != base else ""
    known = ", ".join(f"{name} ({base})" for name, base in context.urls.items()) or "none"
    raise ValueError(
        f"no destination leads to {wanted.partition('?')[0]}: give iaconfig.xml a <destination> with the beginning of "
        f"this URL, where its credentials, proxy and trust stand as well; those with a URL are {known}"
    )


def _leads_to(base: str, wanted: str) -> bool:
    """Whether a URL begins with that of a destination, and ends or goes on with another part behind it."""
    if wanted == base:
        return True
    base = base.rstrip("/")
    return wanted.startswith(base) and wanted[len(base) : len(base) + 1] in ("/", "?")


def _said(data: Any) -> dict[str, Any]:
    if isinstance(data, Form):
        return {"json": data.to_dict()}
    if data is None or data == b"":
        return {} if data is None else {"body": b"", "content_type": ""}
    if isinstance(data, str | bytes | bytearray):
        return {"body": data, "content_type": JSON}
    return {"json": data}


xmio: Final = Xmio(context)
"""The one of this process; `from agent.sdk import xmio`."""
