"""Requests from one service to another, of this agent or of another one.

They go through the service gateway like everybody's, so that they are stored, ordered and shown like every event. The
agent is a destination of `iaconfig.xml`; `self` is this one's usual name:

    <destination name="self" url="http://127.0.0.1:8081"/>
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import attrs

from agent.event.apxml import CLIENT_ID, Apxml, Token, TokenType, token_key, token_text
from agent.event.apxmltext import write_apxml
from agent.sdk.asking import Asked
from agent.sdk.context import context

SELF: Final = "self"
CONTENT_TYPE: Final = "application/xml"


def _is_part(_: object, field: attrs.Attribute[str], value: str) -> None:
    if not value or "|" in value or "/" in value:
        raise ValueError(f"{field.name} is {value!r}, expected the {field.name} of a service")


@attrs.frozen(kw_only=True)
class ServiceRequest:
    """A request to the service `name` of `domain`; `action` is the message's method, `tokens` what it says.

    `agent` is the destination whose URL is that agent's service gateway. Example:

        ServiceRequest(name="sample-terminate", action="terminate", tokens={"propertyname": "pump"}).send()
    """

    name: str = attrs.field(validator=_is_part)
    domain: str = attrs.field(default="applications", validator=_is_part)
    action: str = "REQUEST"
    tokens: Mapping[str, Any] = attrs.field(factory=dict)
    agent: str = SELF

    def send(self) -> None:
        """Send it, stored and retried: it is an event of that service, whose `on_input` or `on_event` gets it."""
        path = f"/apxml/{quote(f'{self.domain}_{self.name}')}"
        context.send(self.agent, path=path, body=self._body(), content_type=CONTENT_TYPE)

    def ask(self, *, timeout_s: float | None = None) -> Asked:
        """Ask now and get the answer, which is that of the service's `on_http`; without one it is the 202 of an event.

        Waited for as with `context.request`. A service that asks itself needs a second thread for it.
        """
        path = f"/http/{quote(f'{self.domain}_{self.name}')}"
        return context.request(
            self.agent, path=path, body=self._body(), content_type=CONTENT_TYPE, method="POST", timeout_s=timeout_s
        )

    def _body(self) -> bytes:
        tokens = [Token(CLIENT_ID, f"{self.domain}|{self.name}", TokenType.STRING)]
        tokens += [Token(token_key(key), token_text(value)) for key, value in self.tokens.items()]
        return write_apxml(Apxml(method=self.action, tokens=tuple(tokens)))
