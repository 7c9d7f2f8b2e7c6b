"""The digests that old key derivations run millions of times: whichever constructor of CPython is quickest.

None of them protects anything by its strength here; the formats prescribe them, also on machines in FIPS mode.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import _hashlib

Constructor = Callable[[bytes], "_hashlib.HASH"]


@functools.cache
def constructor(digest: str) -> Constructor:
    """The constructor of hashlib's digest of that name, for octets only.

    CPython's own MD5 takes half the time of OpenSSL's for short octets; a keyword costs a tenth.
    """
    if digest == "md5":
        try:
            return import_module("_md5").md5  # type: ignore[no-any-return]
        except ImportError:  # built without it
            pass
    found = getattr(hashlib, digest, None) or functools.partial(hashlib.new, digest)
    try:
        found(b"")
    except ValueError:  # FIPS
        return functools.partial(found, usedforsecurity=False)
    return found
