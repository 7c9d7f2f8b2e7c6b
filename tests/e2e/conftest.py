"""A home for each test, and the agent that runs on it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live import LiveHome
from tests.support.outside import Programs, Receiver

CURL_MISSING = "curl is not installed: the end-to-end tests post with the real one"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is end-to-end, and needs curl."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if shutil.which("curl") is None:
                item.add_marker(pytest.mark.skip(reason=CURL_MISSING))


def pytest_configure() -> None:
    """A shell that starts us in the background has SIGINT ignored, and so would all that we start: Ctrl-C is tested."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[LiveHome]:
    """A fresh home; the agent is not started."""
    live = LiveHome(tmp_path / "home")
    yield live
    live.close()


@pytest.fixture
def agent(home: LiveHome) -> LiveHome:
    """A fresh home with the agent running on it."""
    home.start()
    return home


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An HTTP server of ours, that notes what it gets."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Starts real servers."""
    made = Programs(tmp_path)
    yield made
    made.close()
