"""What waits in a home."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apclient.parcel import file_name, is_for, read, time_of, write
from apclient.submission import Submission

WHOLE = write(Submission(service="a_b", content_type="application/json", body=b'{"x":1}\n\nmore', key="k"))


@given(st.binary())
def test_a_parcel_is_read_as_it_was_written(body: bytes) -> None:
    """Whatever its body holds."""
    left = read(write(Submission(service="a_b%7C", content_type="application/xml", body=body, key="0f")))
    assert ("a_b%7C", "application/xml", body, "0f") == (left.service, left.content_type, left.body, left.key)


@given(st.integers(0, len(WHOLE) - 1))
def test_a_parcel_that_is_cut_off_is_no_parcel(length: int) -> None:
    """Half an alarm is none."""
    with pytest.raises(ValueError, match=r"has|is|does"):
        read(WHOLE[:length])


@given(st.binary(max_size=200))
def test_rubbish_is_no_parcel(data: bytes) -> None:
    """Others may write into the folder."""
    with pytest.raises(ValueError, match=r"has|is|does"):
        read(data)


def test_names_sort_by_time_and_tell_the_service() -> None:
    """Whatever the numbers of the processes."""
    names = [file_name(9, 999, "a_b"), file_name(10, 1, "a_b"), file_name(1_700_000_000_000_000_000, 5, "c")]
    assert names == sorted(names)
    assert [9, 10, 1_700_000_000_000_000_000] == [time_of(name) for name in names]
    assert [True, True, False] == [is_for(name, "a_b") for name in names]
    assert 0 == time_of("something else.parcel")
