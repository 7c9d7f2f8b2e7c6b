"""What does that look like? Names the protocol of a sender by the first bytes it sent.

Only for the log and the answer: whatever is recognised here is not HTTP and is never processed.
"""

from __future__ import annotations

from typing import Final

_BEGINNINGS: Final = (
    (b"\x16", "a TLS handshake: the sender uses https:// on the http:// port"),
    (b"SSH-", "an SSH client"),
    (b"PROXY ", "the PROXY protocol of a load balancer, which is not switched on here"),
    (b"\r\n\r\n\0\r\nQUIT\n", "the PROXY protocol (version 2) of a load balancer, which is not switched on here"),
    (b"PRI * HTTP/2", "HTTP/2 without negotiation; use HTTP/1.1"),
    (b"EHLO", "a mail client (SMTP)"),
    (b"HELO", "a mail client (SMTP)"),
    (b"\x03\0\0", "a remote desktop client (RDP)"),
    (b"\x05\x01\0", "a SOCKS proxy client"),
    (b"\x04\x01", "a SOCKS proxy client"),
    (b"GIOP", "a CORBA client"),
    (b"JRMI", "a Java RMI client"),
    (b"\xff\xfd", "a telnet client"),
    (b"\xff\xfb", "a telnet client"),
    (b"<", "an XML document without an HTTP request around it"),
    (b"{", "a JSON document without an HTTP request around it"),
)


def recognise(first: bytes) -> str:
    """Say in a few words what `first`, the first bytes of a connection, looks like; empty when that is not known."""
    for beginning, what in _BEGINNINGS:
        if first.startswith(beginning):
            return what
    if len(first) > 2 and first[0] & 0x80 and first[2] == 1:
        return "an SSL 2 handshake: the sender uses https:// on the http:// port, and a very old version of it"
    if first and sum(byte < 9 or 13 < byte < 32 or byte > 126 for byte in first[:64]) * 4 > len(first[:64]):
        return "binary data"
    return ""
