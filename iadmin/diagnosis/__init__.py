"""What is wrong with an agent, told from facts: the rules behind `iadmin doctor`.

Each rule takes facts that somebody else has gathered and gives a `Finding` for what it sees in them: what is wrong, how
that is known, and what mends it. Nothing here looks at a file, a socket or a clock.
"""

from iadmin.diagnosis.finding import Finding, Severity, worst_first

__all__ = ["Finding", "Severity", "worst_first"]
