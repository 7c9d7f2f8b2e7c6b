"""Faults of SOAP 1.1 and 1.2, written and read; and what `agent.sdk.soap` and this have in common.

Sources: the SOAP 1.1 note of the W3C, section 4.4; SOAP 1.2 part 1 (second edition), section 5.4.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from lxml import etree

from agent.errors import SenderError
from agent.event.xml import parse_xml
from agent.sdk.values import MAX_XML_DEPTH, text_of

V11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
V12: Final = "http://www.w3.org/2003/05/soap-envelope"
VERSIONS: Final = {V11: "1.1", V12: "1.2"}
NAMESPACES: Final = {version: namespace for namespace, version in VERSIONS.items()}

CODES: Final = {
    "sender": {"1.1": "Client", "1.2": "Sender"},
    "receiver": {"1.1": "Server", "1.2": "Receiver"},
    "must-understand": {"1.1": "MustUnderstand", "1.2": "MustUnderstand"},
    "version-mismatch": {"1.1": "VersionMismatch", "1.2": "VersionMismatch"},
}
"""Who is to blame, in the words of both versions."""

Xml: TypeAlias = str | bytes | etree._Element


_UNWRITABLE: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Fault(Exception):
    """What the other side is told instead of an answer, and what an answer of a SOAP service may hold.

    `code` is `sender` (the request is wrong, do not repeat it as it is), `receiver` (our side has failed, repeat it),
    `must-understand` or `version-mismatch`. `detail` is XML, an element or its text; `ValueError` for what is
    none. Example:

        raise soap.Fault("the notification has no <ticket>")
    """

    def __init__(
        self,
        reason: str,
        *,
        code: str = "sender",
        detail: Xml | None = None,
        version: str = "",
    ) -> None:
        super().__init__(reason)
        if code not in CODES:
            raise ValueError(f"code is {code!r}, expected {', '.join(CODES)}")
        self.reason: Final = reason
        self.code: Final = code
        self.detail: Final = None if detail is None else element_of(detail)
        self.version: Final = version
        self.not_understood: tuple[str, ...] = ()


def fault_element(fault: Fault, version: str) -> etree._Element:
    namespace = NAMESPACES[version]
    code = f"soap:{CODES[fault.code][version]}"
    reason = _UNWRITABLE.sub("\ufffd", fault.reason)
    root = etree.Element(f"{{{namespace}}}Fault", nsmap={"soap": namespace})
    if version == "1.1":
        etree.SubElement(root, "faultcode").text = code
        etree.SubElement(root, "faultstring").text = reason
        detail = "detail"
    else:
        value = etree.SubElement(etree.SubElement(root, f"{{{namespace}}}Code"), f"{{{namespace}}}Value")
        value.text = code
        text = etree.SubElement(etree.SubElement(root, f"{{{namespace}}}Reason"), f"{{{namespace}}}Text")
        text.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
        text.text = reason
        detail = f"{{{namespace}}}Detail"
    if fault.detail is not None:
        etree.SubElement(root, detail).append(fault.detail)
    return root


def fault_headers(fault: Fault, version: str) -> list[etree._Element]:
    blocks = []
    if fault.code == "version-mismatch":
        upgrade = etree.Element(f"{{{V12}}}Upgrade", nsmap={"soap12": V12, "soap11": V11})
        for prefix in ("soap12", "soap11"):
            etree.SubElement(upgrade, f"{{{V12}}}SupportedEnvelope", qname=f"{prefix}:Envelope")
        blocks.append(upgrade)
    if version == "1.2":
        for tag in fault.not_understood:
            namespace, _, name = tag.rpartition("}")
            block = etree.Element(f"{{{V12}}}NotUnderstood", nsmap={"x": namespace.lstrip("{")} if namespace else {})
            block.set("qname", f"x:{name}" if namespace else name)
            blocks.append(block)
    return blocks


def fault_in(element: etree._Element, version: str) -> Fault:
    if version == "1.1":
        code, reason, detail = (_text(element, "", name) for name in ("faultcode", "faultstring", "detail"))
    else:
        code = _text(element, f"{{{V12}}}", "Code")
        reason = _text(element, f"{{{V12}}}", "Reason")
        detail = _text(element, f"{{{V12}}}", "Detail")
    said = code.strip().split()[0].rpartition(":")[2].partition(".")[0] if code.strip() else ""
    kind = next((ours for ours, words in CODES.items() if words[version] == said), "receiver")
    sentence = ": ".join(part for part in (reason, detail[:500]) if part)
    return Fault(sentence or f"a SOAP fault {code}".rstrip(), code=kind, version=version)


def _text(element: etree._Element, namespace: str, name: str) -> str:
    found = next((child for child in elements_of(element) if child.tag == f"{namespace}{name}"), None)
    return "" if found is None else text_of(found)


def element_of(what: Xml) -> etree._Element:
    if not isinstance(what, str | bytes):
        return what
    try:
        data, charset = (what.encode(), "utf-8") if isinstance(what, str) else (what, None)
        return parse_xml(data, charset, max_depth=MAX_XML_DEPTH)
    except SenderError as error:
        raise ValueError(f"{what[:80]!r} is no XML element: {error.sentence}") from error


def elements_of(parent: etree._Element) -> list[etree._Element]:
    # The tag of a comment or a processing instruction is a function.
    return [child for child in parent if isinstance(child.tag, str)]
