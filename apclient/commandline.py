"""The command line of APClient -> `Order`. Pure.

Everything behind `--map-data` is a value, also what looks like an option: the texts of alarms come from outside, and
whoever writes them must not choose the gateway.
"""

from __future__ import annotations

USAGE = """\
usage: apclient [OPTIONS] --map-data "DOMAIN|NAME" [VALUE ...]
       apclient [OPTIONS] --submit-file FILE [--service "DOMAIN|NAME"]

Submits an event to the integration agent. Ends with 0 when the agent has it on disk, or when the agent could not be
reached and the event waits in the home's var/apclient for it.

  --map-data "DOMAIN|NAME" [VALUE ...]
                           values for the service, by the position of its parameters; all that follows is values
  --submit-file FILE       a ready-made APXML message; - reads standard input
  --service "DOMAIN|NAME"  the service of a message that has no agent_client_id
  --gateway URL            the service gateway (else $APCLIENT_GATEWAY, else what the home's agent listens at)
  --cacert FILE            trust these certificates (PEM) instead of the system's, for https
  --credentials FILE       USER:PASSWORD or a bearer token (else $APCLIENT_CREDENTIALS, else conf/apclient.credentials)
  --timeout SECONDS        for the whole exchange (default 10)
  --no-spool               fail instead of keeping the event for later
  --home DIR               the agent home (else $IA_HOME, else the folder above bin/, this folder or ./home)
  --version, --help
"""

DEFAULT_TIMEOUT_S = 10.0
MAX_TIMEOUT_S = 3600.0
FLAGS = ("--no-spool", "--help", "-h", "--version")
WITH_VALUE = ("--submit-file", "--service", "--gateway", "--cacert", "--credentials", "--timeout", "--home")


class Misused(Exception):
    """The command line is not understood; the text says why."""


class Order:
    """What is to be done. `values` is empty where `file` is submitted. Empty texts were not given."""

    __slots__ = (
        "cacert",
        "credentials",
        "file",
        "gateway",
        "help",
        "home",
        "service",
        "spool",
        "timeout_s",
        "values",
        "version",
    )

    def __init__(self) -> None:
        self.values: tuple[str, ...] = ()
        self.file = ""
        self.service = ""
        self.gateway = ""
        self.cacert = ""
        self.credentials = ""
        self.timeout_s = DEFAULT_TIMEOUT_S
        self.spool = True
        self.home = ""
        self.help = False
        self.version = False


def parse(argv: list[str]) -> Order:
    """Read the arguments; raise `Misused`."""
    order = Order()
    words = list(argv)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name == "--map-data":
            order.values = ((value,) if equals else ()) + tuple(words)
            break
        if word in FLAGS:
            order.spool = order.spool and word != "--no-spool"
            order.help = order.help or word in ("--help", "-h")
            order.version = order.version or word == "--version"
            continue
        if name not in WITH_VALUE:
            raise Misused(f"{word!r} is not an option")
        if not equals and not words:
            raise Misused(f"{name} needs a value")
        _set(order, name, value if equals else words.pop(0))
    if not (order.help or order.version):
        _check(order)
    return order


def client_id(text: str) -> str:
    """Return the service that is named as `domain|name`; `agent.mapping.client_id` has the same rules."""
    domain, bar, name = text.replace("^|", "|").replace("\\|", "|").strip().partition("|")
    return f"{domain}|{name}" if bar else f"{domain}|{domain}"


def _set(order: Order, name: str, value: str) -> None:
    if name == "--timeout":
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= MAX_TIMEOUT_S:
            raise Misused(f"--timeout is {value!r}; give more than 0 and at most {MAX_TIMEOUT_S:g} seconds")
        order.timeout_s = seconds
    elif not value:
        raise Misused(f"{name} is empty")
    else:
        setattr(order, "file" if name == "--submit-file" else name[2:], value)


def _check(order: Order) -> None:
    if order.values and order.file:
        raise Misused("--map-data and --submit-file exclude one another")
    if not order.values and not order.file:
        raise Misused('there is nothing to submit; give --map-data "DOMAIN|NAME" and values, or --submit-file FILE')
    if order.values:
        domain, _, name = client_id(order.values[0]).partition("|")
        if not domain or not name:
            raise Misused(f'the first value is {order.values[0]!r}; it names the service, "DOMAIN|NAME"')
