"""What a JavaScript file of the original needs of a Python counterpart: its hooks and the library it calls. Pure.

The file is not run and not parsed: comments and the content of texts are blanked out, and words are looked for in the
rest. That finds what is written plainly, which is how the scripts in the field are written.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Final

import attrs

HOOKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "apia_http": "on_http(request)",
        "apia_input": "on_input(apxml)",
        "apia_event": "on_event(form)",
        "apia_response": "on_response(apxml)",
        "apia_callback": "on_callback(message)",
        "apia_remapped_data": "remapped_data()",
        "apia_startup": "on_startup()",
        "apia_shutdown": "on_shutdown()",
        "apia_suspend": "on_suspend()",
        "apia_resume": "on_resume()",
        "apia_interrupt": "on_interrupt()",
    }
)
"""The original's hooks and ours."""

LIBRARY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "IALOG": "context.log",
        "ServiceAPI.getLogger": "context.log",
        "ServiceAPI.createAPXML": "Apxml(method=...)",
        "ServiceAPI.sendAPXML": "context.send_apxml(message)",
        "ServiceAPI.getConfiguration": "context.agent_id, context.service, context.platform",
        "APXML.toString": "write_apxml(message)",
        "APXML.dedup": "context.dedup(filter)",
        "APXML.toEventJs": "form_of(message)",
        "APXML.toResponseJs": "callback_of(message)",
        "XMUtil.deduplicate": "<deduplication filter=...> in the descriptor, or context.dedup(filter)",
        "XMUtil.deduplicator": "context.dedup(filter)",
        "XMUtil.createEventTemplate": "callbacks_for(...)",
        "XMUtil.parseXML": "read_xml(text)",
        "XMIO.post": "xmio.post(...)",
        "XMIO.put": "xmio.put(...)",
        "XMIO.get": "xmio.get(...)",
        "XMIO.patch": "xmio.patch(...)",
        "XMIO.delete": "xmio.delete(...)",
        "XMIO.decryptFile": "<encrypted-constant> in the descriptor, and context.secrets[name]",
    }
)
"""Members of the script library, and what `agent.sdk` has for them; an object alone stands for its other members."""

SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CALLBACKS": "CALLBACKS, the same",
        "WEB_SERVICE_URL": "WEB_SERVICE_URL, the same: a URL that a destination leads to",
        "DEDUPLICATION_FILTER_NAME": "<deduplication filter=...> in the descriptor",
        "INITIATOR": "<basic> of the destination",
        "PASSWORD": "<basic> of the destination",
    }
)
"""Globals of a script that its library reads, and what stands for them here."""

_ASKING: Final = "xmio, or context.request(...)"
JAVA: Final[Mapping[str, str]] = MappingProxyType(
    {
        r"com\.alarmpoint\..*deduplicat": "context.dedup(filter)",
        r"com\.alarmpoint\..*retriable": "raise RetryableError(reason)",
        r"com\.alarmpoint\..*(password|crypt|secur)": "<encrypted-constant> in the descriptor, context.secrets[name]",
        r"com\.alarmpoint\..*soap": "agent.sdk.soap, and context.request(...)",
        r"com\.alarmpoint\..*(http|rest)": _ASKING,
        r"com\.alarmpoint\..*(apxml|token|message)": "Apxml and Token",
        r"com\.alarmpoint\..*config": "context.agent_id, context.service, context.platform",
        r"com\.alarmpoint\..*log": "context.log",
        r"com\.alarmpoint\.": "",
        r"com\.thoughtworks\.xstream": "callback_of(message), whose additionaltokens are a dict",
        r"org\.mule\..*httpresponse": "HttpResponse",
        r"org\.mule\.": "",
        r"org\.apache\.commons\.httpclient\.(httpversion|header)": "HttpResponse, and request.header(name)",
        r"org\.apache\.(commons\.httpclient|http)\b|java\.net\b|javax\.net\b": _ASKING,
        r"org\.apache\.log4j": "context.log",
        r"javax\.xml|org\.w3c|org\.xml": "read_xml(text)",
        r"javax?\.": "Python's own library",
        r"org\.apache\.commons\.": "Python's own library",
    }
)
"""Java in scripts, in lower case, and what stands for it here; the first that fits counts, other jars have nothing."""

STOCK: Final = frozenset({"log.js", "xmutil.js", "apxml.js", "xmio.js", "event.js"})
"""The script library itself: services load it, and nobody has to rewrite it."""

MAX_FOUND: Final = 200

_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_COMMENTS: Final = ("//", "/*")

_BLANKED: Final = re.compile(
    r"""//[^\n]*|/\*.*?(?:\*/|\Z)|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|`(?:[^`\\]|\\.)*`?"""
    r"""|(?<=[(,=:\[!&|?{};])[ \t]*/(?:[^/\\\n\[]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n]){0,200}\]){1,500}/""",
    re.DOTALL,
)
"""Comments, texts, and regular expressions, which hold quotes that begin no text."""
_HOOK: Final = re.compile(r"\bfunction\s+(apia_\w+)|\b(apia_\w+)\s*(?:=|:)\s*(?:async\s+)?(?:function\b|\()")
_CALL: Final = re.compile(r"\b(IALOG|ServiceAPI|APXML|XMUtil|XMIO)\s*\.\s*(\w+)")
_LOAD: Final = re.compile(r"""\bload\s*\(\s*(?:"([^"\n]+)"|'([^'\n]+)')""")
_JAVA: Final = re.compile(
    r"\b(?:Packages\s*\.\s*)?((?:javax?|com\.alarmpoint|com\.thoughtworks|org\.(?:apache|mule))\.[\w.]{0,200}[A-Z]\w*)"
    r"|\bPackages\s*\.\s*([\w.]{0,200}[A-Z]\w*)"
    r"|\bimportPackage\s*\(\s*(?:Packages\s*\.\s*)?([\w.]{1,200})"
)
_IMPORTER: Final = re.compile(r"\bJavaImporter\s*\(([\w\s.,]{1,1000})\)")
_PACKAGE: Final = re.compile(r"(?:Packages\s*\.\s*)?([\w.]{1,200})")
_DECLARED: Final = r"(?:^|[;{}])\s*(?:(?:var|let|const)\s+|this\s*\.\s*)?"
_GLOBAL: Final = re.compile(_DECLARED + r"""(DEDUPLICAT\w*FILTER\w*)\s*=\s*(?:"([^"\n]*)"|'([^'\n]*)')""", re.MULTILINE)
_SETTING: Final = re.compile(_DECLARED + rf"({'|'.join(SETTINGS)})\s*=(?!=)", re.MULTILINE)
_E4X: Final = re.compile(
    r"\bfor\s+each\s*\(|\bdefault\s+xml\s+namespace\b|\bnew\s+XML(?:List)?\s*\(|[\w*]::[\w*]|\w\.\("
    r"|(?:[=(,:]|\breturn)\s*<[A-Za-z_>]|\w\.@\w|(?<![.\d])\.\.[A-Za-z_]"
)


@attrs.frozen
class Place:
    """A word and the line where it stands first."""

    name: str
    line: int


@attrs.frozen(kw_only=True)
class JavaScript:
    """What one file holds. `loads` are paths as written; `filters` are the values of globals that name a filter."""

    hooks: tuple[Place, ...] = ()
    calls: tuple[Place, ...] = ()
    java: tuple[Place, ...] = ()
    settings: tuple[Place, ...] = ()
    loads: tuple[Place, ...] = ()
    filters: tuple[tuple[Place, str], ...] = ()
    is_e4x: bool = False


def read_javascript(data: bytes) -> JavaScript:
    """Look through one file; bytes that do not fit its encoding do not matter."""
    text = data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig", "replace")
    comments = _BLANKED.sub(lambda found: _blank(found[0]) if found[0].startswith(_COMMENTS) else found[0], text)
    code = _BLANKED.sub(lambda found: _blank(found[0]), text)
    return JavaScript(
        hooks=_firsts(code, ((found, found[1] or found[2]) for found in _HOOK.finditer(code))),
        calls=_firsts(code, ((found, f"{found[1]}.{found[2]}") for found in _CALL.finditer(code))),
        java=_firsts(code, _java(code)),
        settings=_firsts(code, ((found, found[1]) for found in _SETTING.finditer(code))),
        loads=_firsts(comments, ((found, found[1] or found[2]) for found in _LOAD.finditer(comments))),
        filters=tuple(
            (Place(found[1], _line(comments, found.start(1))), found[2] or found[3] or "")
            for found in islice(_GLOBAL.finditer(comments), MAX_FOUND)
        ),
        is_e4x=bool(_E4X.search(code)),
    )


def _java(code: str) -> Iterator[tuple[re.Match[str], str]]:
    for found in _JAVA.finditer(code):
        yield found, found[1] or found[2] or found[3]
    for importer in _IMPORTER.finditer(code):
        for package in _PACKAGE.finditer(code, *importer.span(1)):
            yield package, package[1]


def counterpart(call: str) -> str:
    """What our library has for a member of the original's; empty where it has nothing."""
    return LIBRARY.get(call) or LIBRARY.get(call.partition(".")[0], "")


def java_counterpart(name: str) -> str:
    """What is written here instead of a Java class or package; empty where nothing is known."""
    return next((ours for pattern, ours in JAVA.items() if re.match(pattern, name.lower())), "")


def _firsts(text: str, found: Iterator[tuple[re.Match[str], str]]) -> tuple[Place, ...]:
    first: dict[str, Place] = {}
    for match, name in found:
        if name not in first and len(first) < MAX_FOUND:
            first[name] = Place(name, _line(text, min(start for start, _ in match.regs[1:] if start >= 0)))
    return tuple(first.values())


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _blank(text: str) -> str:
    """As long as before, and with its lines: places stay."""
    return re.sub(r"[^\n]", " ", text)
