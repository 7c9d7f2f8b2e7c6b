"""The states of a service.

starting --ready--> active --worker gone--> failing --after a pause--> starting
    `---worker gone----------------------------^      (crash-loop: the third time in a row, and on)

any of them --suspend--> suspending --what was in hand has ended--> suspended --resume--> active, or starting where the
worker is gone
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
    SUSPENDING = "suspending"
    """The operator has suspended it; what was in hand is coming to its end."""
    SUSPENDED = "suspended"
    """Nothing is begun until the operator resumes it. Its events are stored and wait."""
    STOPPING = "stopping"
