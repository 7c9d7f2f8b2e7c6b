"""The configuration as frozen objects: what `iaconfig.xml` and the service descriptors mean, defaults filled in.

Nothing reads XML after this, and each edge is handed only its own part. All paths are absolute. Units stand in the
names. Defaults carry their reason; `docs/configuration.rst` repeats them for operators.
"""

from __future__ import annotations

import enum
from pathlib import PurePath
from typing import Final

import attrs

from agent.access import Access
from agent.config.admin import AdminGatewayConfig
from agent.config.outbound import AnswerRule, ClientTls, Credentials, Proxy, RedirectPolicy, TriesPolicy
from agent.config.platform import PlatformConfig
from agent.config.tls import TlsConfig
from agent.names import ServiceName
from agent.secret import Secret

KIB: Final = 1024
MIB: Final = 1024 * KIB


@attrs.frozen(kw_only=True)
class GatewayLimits:
    """What one sender may cost the service gateway.

    Precedents for the sizes: nginx 1 MiB body, 8 KiB per header line; Apache 8190 B lines; Jetty 8 KiB head;
    Node 16 KiB head. For the times: nginx 60 s head and body, 75 s idle; Apache 20 s head with a minimum rate.
    """

    max_connections: int = 4096
    max_connections_per_peer: int = 1024
    """A quarter of all: a proxy or a load balancer in front needs hundreds, and no single host can take every place."""
    max_request_line_bytes: int = 8 * KIB
    max_head_bytes: int = 32 * KIB
    max_header_count: int = 100
    max_body_bytes: int = 10 * MIB
    """Monitoring events are a few KiB; ticket systems attach whole histories. Counts after inflating gzip, too."""
    max_bodies_in_flight_bytes: int = 256 * MIB
    """All bodies of a gateway that are being read or stored; further large ones are refused with 503. 25 of the largest
    at a time; four thousand connections could hold 40 GiB without it."""
    max_inflate_ratio: int = 100
    """Real XML shrinks 10 to 30 times; 1000 times is a bomb."""
    max_pipelined: int = 64
    handshake_timeout_s: float = 10.0
    """From the accept to the end of the TLS handshake (nginx 60 s, HAProxy's advice 5 to 10 s): three round trips over
    a satellite take 2 s."""
    header_timeout_s: float = 20.0
    body_timeout_s: float = 20.0
    """`content_read_timeout` of the EMS, 20,000 ms: longest silence inside a body; see also the minimum rate."""
    min_body_rate_bytes_s: int = 240
    """A drip that resets the silence timer with each byte must end as well (Apache's MinRate is 500, ours lower)."""
    idle_timeout_s: float = 75.0
    answer_timeout_s: float = 30.0
    """How long a sender waits for a service that answers itself, and how long a peer may refuse to read an answer."""
    max_xml_depth: int = 64
    """Events nest 3 to 10 deep; SOAP about 15; libxml2 itself stops at 256."""


@attrs.frozen(kw_only=True)
class KeySource:
    """Where an event's idempotency key is found when the sender gives no `Idempotency-Key`: a header, else an XPath
    over its XML. Both empty: nowhere."""

    header: str = ""
    xpath: str = ""


@attrs.frozen(kw_only=True)
class GatewayConfig:
    """One `<service-gateway>`. `host` is the name or address to bind, empty for all; port 0: any.

    `alias` names the keystore entry that is presented to senders over TLS; empty: the only one there is. `tls` counts
    only while `ssl` is on.
    """

    host: str = ""
    port: int = 8081
    ssl: bool = False
    alias: str = ""
    tls: TlsConfig = attrs.field(factory=TlsConfig)
    limits: GatewayLimits = attrs.field(factory=GatewayLimits)
    idempotency: KeySource = KeySource()
    access: Access | None = None
    """Who may send; None where the configuration does not say: everybody."""


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """When to try again: full-jitter exponential backoff (first delay, factor, cap), and when to give up."""

    first_delay_s: float = 1.0
    factor: float = 2.0
    max_delay_s: float = 300.0
    max_attempts: int = 0
    """0: no limit on attempts; the age decides."""
    max_age_s: float = 3 * 24 * 3600.0
    """Three days: an outage over a weekend must not lose an alarm."""


SERVICE_RETRY: Final = RetryPolicy(max_attempts=10)
"""For hooks: a service that failed ten times, over a quarter of an hour or more, needs a person."""


@attrs.frozen(kw_only=True)
class OutboxDestination:
    """A file of JSON lines, synced: the default, so that a newcomer sees the result without any account."""

    name: str
    path: PurePath
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)


@attrs.frozen(kw_only=True)
class HttpDestination:
    """An `http:` or `https:` endpoint."""

    name: str
    url: str
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = None
    timeout_s: float = 30.0
    """`OutboundTimeout` of the Integration Runtime, 30 s: the whole exchange."""
    concurrency: int = 4
    max_answer_bytes: int = 64 * KIB
    tries: TriesPolicy = attrs.field(factory=TriesPolicy)
    answers: tuple[AnswerRule, ...] = ()
    """Exceptions from the meaning of statuses (`agent.upstream.verdict`); the first that fits counts."""
    tls: ClientTls = attrs.field(factory=ClientTls)
    proxy: Proxy | None = None
    redirects: RedirectPolicy = attrs.field(factory=RedirectPolicy)
    further_urls: tuple[str, ...] = ()
    """Asked in this order when `url` is not there: the other primary ones, then the secondary ones."""
    body_template: str = ""
    """See `agent.config.template`; empty: the body as the service sent it."""
    body_type: str = ""
    exchange_size: int = 0
    """`<apxml-exchange>`: at most so many requests in `exchange_interval_s`; 0: no limit."""
    exchange_interval_s: float = 5.0
    circuit_failures: int = 5
    """Failures in a row after which the destination is left alone for a while; 0: never."""
    failback_s: float = 300.0
    """How often a request asks `url` again meanwhile: soon enough for a person who waits for it, and a connection that
    hangs for the whole time-out costs one request in five minutes."""
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)


Destination = OutboxDestination | HttpDestination


class InitialState(enum.StrEnum):
    """`<initial-state>`: every service is read and checked; only active ones take events."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class ValueType(enum.StrEnum):
    """Types of mapped parameters and constants."""

    AUTO = "auto"
    STRING = "string"
    NUMERIC = "numeric"


@attrs.frozen(kw_only=True)
class MappedParameter:
    """One `<parameter>` of `<mapped-input>`: its position gives the command-line value its token name."""

    name: str
    type: ValueType = ValueType.AUTO


@attrs.frozen(kw_only=True)
class MappedInput:
    """How the values of an APClient command line become tokens."""

    method: str
    subclass: str = ""
    parameters: tuple[MappedParameter, ...] = ()


NO_CONSTANTS: Final = frozenset({"agent_client_id", "apia_password"})
"""Tokens that a constant has no effect on: the service's own name, and a password, which is never stored."""


@attrs.frozen(kw_only=True)
class Constant:
    """A token added to what is submitted: only when absent, or replacing what is there with `overwrite`."""

    name: str
    value: str
    type: ValueType = ValueType.AUTO
    overwrite: bool = False


@attrs.frozen(kw_only=True)
class EncryptedConstant:
    """A constant whose text stands in an encrypted password file."""

    name: str
    path: PurePath
    secret: Secret
    type: ValueType = ValueType.AUTO
    overwrite: bool = False

    @property
    def value(self) -> str:
        """The text in clear, as a message gets it."""
        return self.secret.reveal()


@attrs.frozen(kw_only=True)
class WorkerLimits:
    """What the worker process of one service may take of the machine; the kernel holds it to that.

    The kernel has no limit for a process with all that it starts: each program it starts may take as much again.
    """

    max_memory_bytes: int = 1024 * MIB
    """Memory that it can write to, and not the address space (RLIMIT_DATA, not RLIMIT_AS): libraries reserve gigabytes
    of addresses that they never use. A plain service takes 30 MiB, one with pandas 200; each thread counts 8 for its
    stack."""
    max_open_files: int = 1024
    """The usual limit of a login; a leak meets it in hours and not in weeks."""
    max_processes: int = 256
    """Processes and threads on top of what the account has when the worker starts; root is not held to it."""


@attrs.frozen(kw_only=True)
class DedupFilter:
    """One `<filter>` of `deduplicator-filter.xml`: an event is a duplicate when the values of all `predicates` equal
    those of one of the last `window_size` different ones, counted less than `suppression_period_s` ago."""

    name: str
    predicates: tuple[str, ...]
    suppression_period_s: int
    window_size: int


@attrs.frozen(kw_only=True)
class ServiceConfig:
    """One integration service, as its descriptor gives it. `descriptor` and `script` are absolute paths.

    Thread counts are hook calls at a time per priority; the samples of the original have 3 and 3, and so have we when
    `<concurrency>` is absent. `destination` is where `context.send` goes when the service names none.
    """

    name: ServiceName
    descriptor: PurePath
    script: PurePath
    obstacle: str = ""
    """Why this agent can run no worker for it, as a sentence; it takes events all the same. `script` is then the
    descriptor. Empty: it can."""
    initial_state: InitialState = InitialState.ACTIVE
    normal_threads: int = 3
    high_threads: int = 3
    mapped_input: MappedInput | None = None
    constants: tuple[Constant, ...] = ()
    encrypted_constants: tuple[EncryptedConstant, ...] = ()
    destination: str = "outbox"
    hook_timeout_s: float = 10.0
    """`maxThreadLife` of the Integration Runtime, 10,000 ms."""
    kept_threads: int = 4
    """`minPoolSize` of the Integration Runtime: hook threads that wait for work and do not end."""
    max_waiting_events: int = 0
    """`maxQueueSize`: events on disk, not yet done, at which further ones are refused with 503. 0: only the limits of
    the spool hold. Not the Runtime's 1000, because its queue is in memory and this one is not."""
    later_pass: bool = False
    """Whether events of a process group pass one that waits to be tried again."""
    limits: WorkerLimits = attrs.field(factory=WorkerLimits)
    dedup_filter: str = ""
    """The filter that suppresses duplicates before `on_event`; empty: none."""
    retry: RetryPolicy = SERVICE_RETRY
    idempotency: KeySource = KeySource()
    """Replaces the gateway's where it is given."""
    access: Access | None = None
    """Who may send to this service; replaces the gateway's where it is given."""

    @property
    def is_active(self) -> bool:
        return self.initial_state is InitialState.ACTIVE


class LogLevel(enum.StrEnum):
    """Least important lines that are still written."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@attrs.frozen(kw_only=True)
class LogConfig:
    """The agent's log: `var/log/agent.log`, rotated. Sizes as in the Integration Runtime (5 MB, 9 files)."""

    level: LogLevel = LogLevel.INFO
    max_file_bytes: int = 5 * 1000 * 1000
    max_files: int = 9


MIN_RESERVE_BYTES: Final = 24 * MIB
"""As much as the log may grow (16 MiB and one batch of 8): its space is free again only when it has been copied into
the database, in the space of the reserve. With less a spool on a full disk stands still (docs/decisions/0013)."""


@attrs.frozen(kw_only=True)
class SpoolLimits:
    """What the spool may hold, and how long it keeps what is over. A bound of 0 is no bound.

    The bounds count what is still to be done (events and the bytes of their bodies); beyond them senders are told to
    come back (503). They are there so that one service that stands still cannot take the disk from the others.
    """

    max_events: int = 1_000_000
    """Twice what 100 events a second leave behind in an hour's outage is 720,000."""
    max_bytes: int = 4 * 1024 * MIB
    max_service_events: int = 250_000
    """A quarter of the whole: four services must stand still before the others feel it."""
    max_service_bytes: int = 1024 * MIB
    max_age_s: float = 0.0
    """How long the oldest open event of a service may have waited before new ones are refused. Off by default: a
    service that is down over a weekend is what the spool is for."""
    min_free_bytes: int = 256 * MIB
    """Space on the disk below which nothing is taken in, so that there is room to work off what is there."""
    reserve_bytes: int = 32 * MIB
    """A file of this size is given up when the disk is full all the same. 0: there is none. Else it is at least
    `MIN_RESERVE_BYTES`."""
    keep_done_s: float = 7 * 24 * 3600.0
    """Done and suppressed events are kept this long to be looked at. Dead letters are kept for ever."""
    keep_done_bytes: int = 1024 * MIB
    """The oldest go earlier when all that is done takes more than this."""
    idempotency_window_s: float = 24 * 3600.0
    """How long a key is remembered; payment interfaces keep theirs 24 h as well. 0: keys are not looked at."""
    check_time_s: float = 10.0
    """The longest that the check of a large spool may hold up the start."""
    own_max_events: tuple[tuple[str, int], ...] = ()
    """`maxQueueSize` of the services that have one, by agent client id: takes the place of `max_service_events`."""


@attrs.frozen(kw_only=True)
class AgentConfig:
    """Everything the agent is told. `home` is the agent home, `source` the configuration file it came from."""

    home: PurePath
    source: PurePath
    agent_id: str
    gateways: tuple[GatewayConfig, ...]
    services: tuple[ServiceConfig, ...]
    destinations: tuple[Destination, ...]
    log: LogConfig = attrs.field(factory=LogConfig)
    platform: PlatformConfig = attrs.field(factory=PlatformConfig)
    filters: tuple[DedupFilter, ...] = ()
    spool: SpoolLimits = attrs.field(factory=SpoolLimits)
    admin: AdminGatewayConfig | None = None
    """Where iadmin reaches the agent from other machines; None: nowhere."""
