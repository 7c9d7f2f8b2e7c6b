from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.document import MAX_DEPTH, MAX_FILE_BYTES, NAMESPACE, parse_document
from agent.config.problem import Problem

BROKEN = [
    (b"", "a.xml:1: column 1: not well-formed XML: the file is empty"),
    (b"<a>\n<b></a>", "a.xml:2: column 8: not well-formed XML: <b> of line 2 is closed by </a>"),
    (b"<a>\n", "a.xml:2: column 1: not well-formed XML: the file ends before <a> of line 1 is closed"),
    (b"<a>\n  R&D</a>", 'a.xml:2: column 6: not well-formed XML: "&" must be written as &amp;'),
    (
        b"<a>&x;</a>",
        'a.xml:1: column 6: not well-formed XML: the entity "x" is not known; "&" itself is written as &amp;',
    ),
    (b"<a x=1/>", "a.xml:1: column 5: not well-formed XML: the value of an attribute must stand in quotes"),
    (b'<a x="1" x="2"/>', 'a.xml:1: column 14: not well-formed XML: the attribute "x" stands twice'),
    (b"<a/><b/>", "a.xml:1: column 4: not well-formed XML: something follows after the end of the root element"),
    (b"text", "a.xml:1: column 1: not well-formed XML: the file does not begin with an XML element"),
    (
        b"<a>\xff</a>",
        "a.xml:1: column 3: not well-formed XML: the bytes do not fit the encoding of the file; save it as UTF-8",
    ),
]


@pytest.mark.parametrize(("data", "line"), BROKEN)
def test_malformed_files_get_line_column_and_a_plain_sentence(data, line):
    """The operator reads what is wrong and where, in words for people who do not know libxml2."""
    assert line.split(": ", 2)[2] == str(parse_document("a.xml", data)).split(": ", 2)[2]
    assert line.split(":")[1] == str(parse_document("a.xml", data)).split(":")[1]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"<!DOCTYPE a><a/>", 1),
        (b'<?xml version="1.0"?>\n\n<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<a>&x;</a>', 3),
        (b'<?xml version="1.0"?>\n<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd">\n<a/>', 2),
    ],
)
def test_doctype_is_refused(data, line):
    """No entity is read from a file or the network, and the line is told."""
    assert f"a.xml:{line}: a DOCTYPE is not allowed in this file; take it out" == str(parse_document("a.xml", data))


def test_too_large_a_file_is_refused():
    """A log in the place of the configuration is not parsed."""
    found = parse_document("a.xml", b" " * (MAX_FILE_BYTES + 1))
    assert f"a.xml: the file is larger than {MAX_FILE_BYTES} bytes, the limit for it" == str(found)


def test_depth_is_limited():
    """One level more than allowed is refused with its line; the allowed depth is not."""
    assert not isinstance(parse_document("a.xml", b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH), Problem)
    deep = parse_document("a.xml", b"<a>\n" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1))
    assert f"a.xml:{MAX_DEPTH + 1}: elements are nested more than {MAX_DEPTH} deep" == str(deep)


@pytest.mark.parametrize("attributes", ["", f' xmlns="{NAMESPACE}"', ' xmlns="urn:other"'])
def test_namespaces_do_not_matter(attributes):
    """Elements of any namespace, or of none, arrive in one."""
    root = parse_document("a.xml", f"<a{attributes}><b/></a>".encode())
    assert not isinstance(root, Problem)
    assert [f"{{{NAMESPACE}}}a", f"{{{NAMESPACE}}}b"] == [element.tag for element in root.iter()]


def test_comments_do_not_split_texts():
    """A value with a comment in it is one value."""
    root = parse_document("a.xml", b"<a>80<!-- not 82 -->81<?x y?></a>")
    assert not isinstance(root, Problem)
    assert "8081" == root.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_declared_encodings_are_read(encoding):
    """Umlauts survive whatever the editor saved."""
    data = f'<?xml version="1.0" encoding="{encoding}"?><a>Zürich</a>'.encode(encoding)
    root = parse_document("a.xml", data)
    assert not isinstance(root, Problem)
    assert "Zürich" == root.text


@given(data=st.one_of(st.binary(), st.text("<>/&;=\"'!?[]-aDOCTYPE \n\x00\u202e").map(str.encode)))
def test_any_bytes_give_a_tree_or_one_printable_line(data):
    """No input raises."""
    found = parse_document("a.xml", data)
    if isinstance(found, Problem):
        assert str(found).isprintable()
