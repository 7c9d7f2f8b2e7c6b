"""Guided by coverage, where atheris is installed: `python -m tests.fuzz.atheris_fuzz open_keystore`.

Further arguments are libFuzzer's.
Atheris is no dependency: it needs a matching compiler and lags behind new Pythons.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def main() -> int:
    try:
        import atheris
    except ImportError:
        sys.stderr.write("atheris is not installed; python -m tests.fuzz needs nothing but Python\n")
        return 1
    with atheris.instrument_imports(include=["keystoretools"]):
        from tests.fuzz.harness import broken_promise
        from tests.fuzz.targets import TARGETS, seeds

    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        sys.stderr.write(f"name one of {', '.join(sorted(TARGETS))}\n")
        return 2

    def one(data: bytes) -> None:
        what = broken_promise(TARGETS[name], data)
        if what is not None:
            raise AssertionError(what)

    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(seeds(name)):
            (Path(folder) / f"{number}.bin").write_bytes(data)
        atheris.Setup([*sys.argv, folder], one)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
