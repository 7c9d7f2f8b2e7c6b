"""One lab for each module, made of what the module says about its ports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.tls_lab.lab import Lab
from tests.e2e.tls_lab.papers import Papers


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """`GATEWAYS` and `LIMITS` of the module are its ports; `write_papers(papers)` writes further certificates first."""
    folder = tmp_path_factory.mktemp("lab")
    papers = Papers(folder / "papers")
    getattr(request.module, "write_papers", lambda papers: None)(papers)
    made = Lab(folder, request.module.GATEWAYS, limits=getattr(request.module, "LIMITS", ""), papers=papers)
    yield made
    made.home.close()


@pytest.fixture(autouse=True)
def good_sender(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does, a good sender is served after it."""
    lab = request.getfixturevalue("lab")
    yield
    lab.assert_good_sender_is_served()
