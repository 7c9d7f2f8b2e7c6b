"""What starting `apclient` costs."""

import subprocess
import sys

ALLOWED = {
    "apclient", "apclient.commandline", "apclient.gateway", "apclient.main", "apclient.parcel", "apclient.spool",
    "apclient.streams", "apclient.submission",
    # what the interpreter starts with, and what it always has:
    "os", "os.path", "posixpath", "genericpath", "stat", "_stat",
    "__future__", "binascii", "time", "math", "array", "errno", "select", "selectors", "socket", "_socket",
    # what socket and selectors import:
    "enum", "types", "operator", "_operator", "functools", "_functools", "collections", "collections.abc",
    "_collections", "_collections_abc", "itertools", "keyword", "reprlib", "_thread",
}  # fmt: skip

CODE = """
import sys
before = set(sys.modules)
import apclient.main
print(*sorted(set(sys.modules) - before))
"""


def test_nothing_heavy_is_imported() -> None:
    """It is started for each alarm; a module more is some milliseconds for each of them."""
    done = subprocess.run([sys.executable, "-S", "-c", CODE], capture_output=True, check=True, cwd=".", text=True)
    assert set() == set(done.stdout.split()) - ALLOWED
