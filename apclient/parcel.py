"""What waits in `var/apclient`: one file for each event. Written by `apclient`, read by the agent. Pure.

    APCLIENT 1
    service: applications_pump-alarms
    key: 0f3c...
    content-type: application/json
    length: 57

    {"map-data": [...]}

`service` is the name in the URL, percent-encoded. The names of the files sort by time: nanoseconds since 1970 in 20
digits, the number of the process, and a checksum of the service, by which a later event of the same service is
recognised without opening files.
"""

from __future__ import annotations

from binascii import crc32

from apclient.submission import MAX_BODY_BYTES, Submission

FOLDER = ("var", "apclient")
SUFFIX = ".parcel"
REFUSED = "refused"
"""The folder for those that the agent has refused for good."""
NOTE = "gateway"
"""Where the agent listens: a URL in the first line, and below it the certificate (PEM) that is presented there."""
MAX_NOTE_BYTES = 64 * 1024
MAX_HEAD_BYTES = 4096
MAX_BYTES = MAX_BODY_BYTES + MAX_HEAD_BYTES

_MAGIC = "APCLIENT 1"
_FIELDS = ("service", "key", "content-type", "length")


def write(submission: Submission) -> bytes:
    """Return the content of a parcel."""
    values = (submission.service, submission.key, submission.content_type, str(len(submission.body)))
    head = "".join(f"{name}: {value}\n" for name, value in zip(_FIELDS, values, strict=True))
    return f"{_MAGIC}\n{head}\n".encode("ascii") + submission.body


def read(data: bytes) -> Submission:
    """Read a parcel; raise `ValueError` with the end of a sentence that begins with its name."""
    head, blank, body = data.partition(b"\n\n")
    if not blank or len(head) > MAX_HEAD_BYTES:
        raise ValueError("has no head")
    try:
        magic, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise ValueError("has a head that is not ASCII") from None
    fields = dict(line.partition(": ")[::2] for line in lines)
    if magic != _MAGIC or tuple(fields) != _FIELDS:
        raise ValueError("is not a parcel of this version of apclient")
    if not fields["service"] or not fields["key"]:
        raise ValueError("does not say what it is")
    if fields["length"] != str(len(body)):
        raise ValueError(f"has {len(body)} bytes of {fields['length'][:20]}: it is cut off")
    return Submission(service=fields["service"], content_type=fields["content-type"], body=body, key=fields["key"])


def file_name(now_ns: int, pid: int, service: str) -> str:
    """Return the name of a parcel's file."""
    return f"{now_ns:020d}-{pid}-{checksum(service)}{SUFFIX}"


def checksum(service: str) -> str:
    """The part of a name that stands for the service."""
    return f"{crc32(service.encode('ascii')):08x}"


def is_for(name: str, service: str) -> bool:
    """Whether a file of this name may be for the service."""
    return name.endswith(f"-{checksum(service)}{SUFFIX}")


def time_of(name: str) -> int:
    """Nanoseconds in the name of a file; 0 for a name that has none."""
    digits = name[:20]
    return int(digits) if len(digits) == 20 and digits.isascii() and digits.isdigit() else 0
