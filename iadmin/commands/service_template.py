"""What `iadmin service new` writes: a descriptor, a script, a test of it, and an event to try it with."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping
from string import Template
from typing import Final
from xml.sax.saxutils import escape

import attrs

from agent.names import ServiceName

EVENT: Final = "example-event.xml"

DESCRIPTOR: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- docs/configuration.rst explains all there is; services/sample-plan/sample-plan.xml shows it. -->
<integration-service version="1.0" xmlns="http://www.alarmpoint.com/schema">
  <domain>$domain</domain>
  <name>$name</name>
  <initial-state>active</initial-state>

  <script lang="python">
    <file>$script</file>
  </script>

  <!-- Which destination of iaconfig.xml context.send means; outbox is a file, var/outbox/outbox.jsonl. -->
  <destination>outbox</destination>

  <!-- Seconds that one call of a hook may take. -->
  <hook-timeout>10</hook-timeout>
</integration-service>
"""

SCRIPT: Final = '''\
"""Says what an event tells, as JSON.

    <event><summary>pump 7 is hot</summary><severity>high</severity></event>

becomes

    {"summary": "pump 7 is hot", "severity": "high"}

Change it to what is wanted here; docs/services.rst tells what there is.
"""

from agent.sdk import Event, RejectEvent, context


def on_event(event: Event) -> None:
    """Runs for each event, after its sender has been answered. When it returns, the event is done."""
    summary = event.find("summary")
    if not summary:
        # No attempt can mend that: it becomes a dead letter at once, and the operator reads this sentence.
        raise RejectEvent("the event has no <summary>")
    context.log.info("%s", summary)
    context.send(json={"summary": summary, "severity": event.find("severity") or "medium"})
'''

TEST: Final = '''\
"""What the service promises. Needs no agent; docs/iadmin.rst (service new) says how it is run."""

import json
import unittest
from datetime import UTC, datetime

import $module

from agent.sdk import Event, RejectEvent
from agent.sdk.context import calling


def sent_for(body: str) -> list[object]:
    """What the service sends for an event."""
    event = Event(id="1", service="$client_id", received=datetime.now(UTC), body=body.encode())
    with calling() as call:
        $module.on_event(event)
    return [json.loads(request.body) for request in call.requests]


class TestOnEvent(unittest.TestCase):
    def test_an_event_is_sent_on(self) -> None:
        sent = sent_for("<event><summary>pump 7 is hot</summary><severity>high</severity></event>")
        self.assertEqual([{"summary": "pump 7 is hot", "severity": "high"}], sent)

    def test_an_event_without_a_summary_is_rejected(self) -> None:
        with self.assertRaises(RejectEvent):
            sent_for("<event><severity>high</severity></event>")
'''

EXAMPLE: Final = """\
<event>
  <summary>pump 7 is hot</summary>
  <severity>high</severity>
</event>
"""


@attrs.frozen(kw_only=True)
class NewService:
    """The files of a new service, by name."""

    descriptor: str
    files: Mapping[str, str]


def new_service(name: ServiceName) -> NewService:
    """The template for a service of this name; works, and passes its own test, as it is."""
    module = module_name(name.name)
    script, descriptor = f"{module}.py", f"{name.name}.xml"
    said = {"module": module, "script": script}
    return NewService(
        descriptor=descriptor,
        files={
            descriptor: Template(DESCRIPTOR).substitute(said, domain=escape(name.domain), name=escape(name.name)),
            script: SCRIPT,
            f"test_{script}": Template(TEST).substitute(said, client_id=name.client_id.replace('"', '\\"')),
            EVENT: EXAMPLE,
        },
    )


def module_name(name: str) -> str:
    """`pump-alarms` -> `pump_alarms`: a name that can be imported, and that no module of Python's own has."""
    found = re.sub(r"\W", "_", name)
    if found[0].isdigit() or found.startswith("test_"):
        found = f"service_{found}"
    taken = keyword.iskeyword(found) or found in sys.stdlib_module_names or found in ("agent", "iadmin")
    return f"{found}_service" if taken else found
