"""The agent's voice: log lines and counters.

`line` turns a log event into one readable line, `scribe` carries lines to where they are written without making the
reactor wait, `logfile` is the rotated file, `newest` keeps the last lines for those who watch, `log` puts them
together, `counters` counts what the edges report.
"""

from agent.observe.counters import CounterStore
from agent.observe.log import running_log

__all__ = ["CounterStore", "running_log"]
