"""agent.wire.signature: signed requests, in time and once."""

from __future__ import annotations

import hashlib
import hmac

from agent.wire.authorization import Signature
from agent.wire.signature import Nonces, is_signed, make_mac

KEY = b"k" * 32


def signature(nonce: bytes = b"n", made_s: int = 1000, mac: bytes = bytes(32)) -> Signature:
    return Signature("plant7", made_s, nonce, mac)


def test_the_documented_text_is_signed():
    """docs/security.rst tells senders these six lines."""
    text = b"HMAC-SHA256\n1000\nn\nPOST\n/http/a_b?x=1\n" + hashlib.sha256(b"<e/>").hexdigest().encode()
    mac = hmac.new(KEY, text, hashlib.sha256).digest()
    assert mac == make_mac(key=KEY, made_s=1000, nonce=b"n", method="POST", target=b"/http/a_b?x=1", body=b"<e/>")
    shown = signature(mac=mac)
    assert is_signed(shown, KEY, method="POST", target=b"/http/a_b?x=1", body=b"<e/>")
    assert not is_signed(shown, KEY, method="POST", target=b"/http/a_b?x=1", body=b"<f/>")
    assert not is_signed(shown, KEY, method="POST", target=b"/http/a_c?x=1", body=b"<e/>")
    assert not is_signed(shown, b"x" * 32, method="POST", target=b"/http/a_b?x=1", body=b"<e/>")


def test_the_window():
    """Both sides of it, since clocks are off in both directions."""
    nonces = Nonces(began_s=0)
    times = [699, 700, 1300, 1301]
    assert [False, True, True, False] == [
        nonces.is_timely(signature(made_s=made_s), now_s=1000, window_s=300) for made_s in times
    ]


def test_a_nonce_counts_once_for_its_key():
    """The same word under another key is another request."""
    nonces = Nonces(began_s=0)
    other = Signature("plant8", 1000, b"n", bytes(32))
    assert nonces.use(signature(), now_s=1000, window_s=300)
    assert not nonces.use(signature(), now_s=1600, window_s=300)
    assert nonces.use(other, now_s=1000, window_s=300)


def test_what_was_signed_before_the_start_is_not_taken():
    """Its nonce may have been used with the agent before; a sender signs anew."""
    nonces = Nonces(began_s=1000)
    assert not nonces.is_timely(signature(made_s=999), now_s=1001, window_s=300)
    assert nonces.is_timely(signature(made_s=1000), now_s=1001, window_s=300)


def test_what_is_forgotten_is_too_old_to_come_again():
    """Full memory narrows the window instead of letting replays in; what is over is dropped without that."""
    nonces = Nonces(began_s=0, max_nonces=2)
    for number in range(3):
        assert nonces.use(signature(b"%d" % number, made_s=1000 + number), now_s=1000 + number, window_s=300)
    assert not nonces.is_timely(signature(b"0", made_s=1000), now_s=1003, window_s=300)
    assert nonces.is_timely(signature(b"9", made_s=1301), now_s=1003, window_s=300)
    calm = Nonces(began_s=0)
    calm.use(signature(), now_s=1000, window_s=300)
    calm.use(signature(b"2", made_s=5000), now_s=5000, window_s=300)
    assert 0 > calm.floor_s
