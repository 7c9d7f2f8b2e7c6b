"""The name of an integration service in its three spellings."""

from __future__ import annotations

from functools import cached_property

import attrs


@attrs.frozen(kw_only=True, order=True, cache_hash=True)
class ServiceName:
    """`domain` and `name` together identify a service; both are case-sensitive and may hold `_` and `-`.

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
        """`applications_sample-plan`: the segment behind `/http/` in the service's URL."""
        return f"{self.domain}_{self.name}"

    def __str__(self) -> str:
        return self.client_id
