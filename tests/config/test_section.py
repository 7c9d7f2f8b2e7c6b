from __future__ import annotations

from lxml import etree

from agent.config import values
from agent.config.document import parse_document
from agent.config.section import MAX_PROBLEMS, Problems, Section


def section(text: str) -> Section:
    root = parse_document("a.xml", text.encode())
    assert isinstance(root, etree._Element)
    return Section(element=root, problems=Problems(file="a.xml", anchor=root))


def told(of: Section) -> list[str]:
    return [str(problem) for problem in of.problems.found]


def test_reading_goes_on_after_a_fault():
    """A value that does not fit gives its default, and the next one is read."""
    root = section('<a x="1" y="z">\n<b>5</b><c/></a>')
    assert (1, 7) == (root.attribute("x", values.port, 9), root.attribute("y", values.port, 7))
    assert (5, None) == (root.value("b", values.port, 0), root.required_value("c", values.port))
    assert ['a.xml:1: a/@y: "z" is not a port (1-65535)', "a.xml:2: c: a value is missing here"] == told(root)


def test_what_is_absent_is_the_default_without_a_word():
    """Only what is required is missed."""
    root = section("<a/>")
    assert (1, 2) == (root.attribute("x", values.port, 1), root.value("b", values.port, 2))
    assert [] == told(root)
    assert (None, None) == (root.required_attribute("x", values.port), root.required_value("b", values.port))
    assert ['a.xml:1: a: the attribute "x" is missing', 'a.xml:1: a: the element "b" is missing'] == told(root)


def test_the_same_fault_is_told_once():
    """Two reads of one value do not double the line."""
    root = section('<a x="z"/>')
    assert [1, 1] == [root.attribute("x", values.port, 1) for _ in range(2)]
    assert 1 == len(told(root))


def test_places_are_paths_from_the_root():
    """The root's own name would stand in every line and tell nothing."""
    root = section("<a><b><c/></b></a>")
    (b,) = root.children("b")
    (c,) = b.children("c")
    assert ["a", "b", "b/c"] == [root.where, b.where, c.where]


def test_a_flood_of_problems_is_cut_but_an_error_is_never_lost():
    """Warnings beyond the limit go, and leave the errors their place."""
    root = section("<a>" + "<b/>" * (MAX_PROBLEMS + 5) + "<c/></a>")
    for child in root.children("b"):
        child.warning("odd")
    for child in root.children("c"):
        child.error("wrong")
    assert MAX_PROBLEMS + 1 == len(told(root))
    assert "more of this kind" in told(root)[MAX_PROBLEMS - 1]
    assert "a.xml:1: c: wrong" == told(root)[-1]
