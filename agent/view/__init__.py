"""The running agent, as `iadmin` sees it.

`live` collects what the parts say of themselves and hands orders on; `parts` is what it needs of them. `letters` are
the dead letters, `machine` is what stands under the agent.
"""

from agent.view.live import LiveView, TlsState, iso_time

__all__ = ["LiveView", "TlsState", "iso_time"]
