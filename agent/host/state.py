"""The states of a service.

starting --ready--> active --worker gone--> failing --after a pause--> starting
    `---worker gone----------------------------^      (crash-loop: the third time in a row, and on)
"""

from __future__ import annotations

import enum


class ServiceState(enum.StrEnum):
    """What `iadmin service list` says."""

    STARTING = "starting"
    ACTIVE = "active"
    FAILING = "failing"
    CRASH_LOOP = "crash-loop"
    """Failing, and starting again has not helped several times in a row."""
    STOPPING = "stopping"
