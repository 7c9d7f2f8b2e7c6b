"""`iadmin tls on` and `off` while senders send: no connection that is open notices."""

from __future__ import annotations

import socket

from tests.e2e.tls_lab.lab import BODY, Lab, read_all, request
from tests.e2e.tls_lab.load import Load, connect, either, kept

GATEWAYS = {"main": 'ssl="true" certificate="{folder}/server.pem"'}


def switch(lab: Lab, to: str) -> None:
    done = lab.home.iadmin("tls", to)
    assert 0 == done.returncode, done.stderr.decode()


def begin(sender: socket.socket) -> socket.socket:
    """The first half of a request."""
    sender.sendall(request()[: -len(BODY) // 2])
    return sender


def end(sender: socket.socket) -> bytes:
    with sender:
        sender.sendall(request()[-len(BODY) // 2 :])
        return read_all(sender)


def test_switching_under_load(lab: Lab) -> None:
    """There and back: those who are connected go on as they began, those who come are served or told properly."""
    port, context = lab.ports["main"], lab.context()
    with Load(kept(port, context), either(port, context), either(port, context)) as load:
        load.wait_for(20)
        tls = begin(context.wrap_socket(connect(port), server_hostname="agent.example"))
        switch(lab, "off")
        plain = begin(connect(port))
        load.wait_for(30)
        with Load(kept(port, None)) as others:
            others.wait_for(5)
            switch(lab, "on")
            others.wait_for(20)
        assert [] == others.failures
        load.wait_for(30)
        assert end(tls).startswith(b"HTTP/1.1 202 ")
        assert end(plain).startswith(b"HTTP/1.1 202 ")
    assert [] == load.failures
    assert load.outcomes["needs-tls"], "the senders have noticed that it was switched on"
    assert load.outcomes["alert"], "and off"
