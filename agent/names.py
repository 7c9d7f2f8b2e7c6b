"""Names that many parts know: an integration service's in its spellings, and that of the configuration."""

from __future__ import annotations

from functools import cached_property
from typing import Final
from urllib.parse import quote

import attrs

CONFIGURATION_FILES: Final = ("iaconfig.xml", "IAConfig.xml")
"""What the configuration in `conf/` may be called, ours first; one of them makes a folder a home."""
PREFIX: Final = "/http/"
"""What the path of every service begins with, at the service gateway."""


@attrs.frozen(kw_only=True, order=True, cache_hash=True)
class ServiceName:
    """`domain` and `name` together identify a service; both are case-sensitive and may hold `_`, `-` and blanks.

    Because both halves may hold `_`, the URL spelling cannot be split: it is only ever looked up.
    """

    domain: str
    name: str

    @cached_property
    def client_id(self) -> str:
        """`applications|sample-plan`: the agent client id of APClient command lines, logs and the spool."""
        return f"{self.domain}|{self.name}"

    @property
    def url_name(self) -> str:
        """`applications_sample-plan`: the segment behind `/http/` in the service's URL, once that is decoded."""
        return f"{self.domain}_{self.name}"

    @property
    def path(self) -> str:
        """`/http/applications_sample-plan`: the path of the service's URL, percent-encoded."""
        return PREFIX + quote(self.url_name)

    def __str__(self) -> str:
        return self.client_id
