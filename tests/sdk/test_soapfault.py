"""Faults of both versions."""

import pytest

from agent.sdk.soapfault import CODES, VERSIONS, Fault, fault_element, fault_in


@pytest.mark.parametrize("version", VERSIONS.values())
@pytest.mark.parametrize("code", CODES)
def test_a_fault_is_read_as_it_was_written(code: str, version: str) -> None:
    """Who is to blame has other names in each version."""
    written = fault_element(Fault("no <ticket>\x01", code=code, detail="<at>line 7</at>"), version)
    read = fault_in(written, version)
    assert (code, "no <ticket>\ufffd: line 7", version) == (read.code, read.reason, read.version)


def test_a_detail_that_is_no_xml_is_told_in_the_line_of_the_fault() -> None:
    """And not when the answer is written."""
    with pytest.raises(ValueError, match="is no XML element"):
        Fault("x", detail="line 7")
    with pytest.raises(ValueError, match="expected sender, receiver"):
        Fault("x", code="client")
