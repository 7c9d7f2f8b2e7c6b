"""What has happened lately, in memory of a fixed size: how fast things go, and what there was to tell.

`pace` measures the last minute, `daily` counts since midnight, `ring` keeps the newest of something, `tidings` are what
`iadmin tail` shows, and `bundles` hold those that came together. Pure: the clock is passed in.
"""

from agent.recent.bundles import Alike, Lines
from agent.recent.daily import Daily
from agent.recent.pace import IDLE, Pace
from agent.recent.ring import Ring
from agent.recent.tidings import PURGED, Happening, Tiding, Wanted

__all__ = ["IDLE", "PURGED", "Alike", "Daily", "Happening", "Lines", "Pace", "Ring", "Tiding", "Wanted"]
