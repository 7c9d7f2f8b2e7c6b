"""A site's files, before they are used here."""

from agent.config.checked import Checked, Kind, Verdict
from agent.config.lint import Lint
from agent.config.passwordfile import seal, show_key
from tests.config.memory import DESCRIPTOR, HOME, NAMESPACE, SCHEMA, MemoryFiles

KEY = bytes(range(32))
CONFIG = (
    f'<iaconfig xmlns="{NAMESPACE}"><service-gateway/><service-configs dir="../integrationservices">'
    "<path>/a/pumps.xml</path></service-configs></iaconfig>"
)
FILTERS = (
    f'<deduplicator xmlns="{NAMESPACE}"><filter name="%s"><predicates><predicate>pump</predicate></predicates>'
    "<suppression_period>20</suppression_period><window_size>9</window_size></filter></deduplicator>"
)
SCRIPT = 'load("integrationservices/a/more.js"); var DEDUPLICATION_FILTER_NAME = "pumps"; function apia_input(m) {}'
EVERYTHING = f"""<integration-service version="1.0" xmlns="{NAMESPACE}">
<domain>applications</domain><name>pumps</name><initial-state>active</initial-state>
<concurrency><normal-priority-thread-count>3</normal-priority-thread-count>
<high-priority-thread-count>1</high-priority-thread-count></concurrency>
<script lang="js"><file>pumps.js</file></script>
<classpath><path>lib/*.jar</path></classpath>
<mapped-input method="add" subclass="event"><parameter type="string">pump</parameter><parameter>x</parameter>
</mapped-input>
<constants><constant name="site" overwrite="true">7</constant>
<encrypted-constant name="pw"><file>conf/.pw</file></encrypted-constant></constants>
</integration-service>"""
SITE: dict[str, str | bytes] = {
    "conf/IAConfig.xml": CONFIG,
    "conf/deduplicator-filter.xml": FILTERS % "pumps",
    "conf/.pw": seal("geheim", KEY),
    "conf/.iakey": show_key(KEY),
    "integrationservices/a/pumps.xml": EVERYTHING,
    "integrationservices/a/pumps.js": SCRIPT,
    "integrationservices/a/more.js": "function help() { XMIO.post(1); }",
}


def checked(files: dict[str, str | bytes], *paths: str) -> dict[str, Checked]:
    lint = Lint(files=MemoryFiles(files), schema=SCHEMA)
    return {each.file: each for each in lint.check([HOME / path for path in paths or ("",)])}


def said(result: Checked) -> str:
    return "\n".join(str(problem) for problem in result.problems)


def test_a_site_of_the_original_is_told_apart() -> None:
    """What works, and what its scripts need, those that they load included."""
    found = checked(SITE)
    assert [
        ("conf/IAConfig.xml", Kind.CONFIGURATION, Verdict.WORKS),
        ("conf/deduplicator-filter.xml", Kind.FILTERS, Verdict.WORKS),
        ("integrationservices/a/more.js", Kind.JAVASCRIPT, Verdict.COUNTERPART),
        ("integrationservices/a/pumps.js", Kind.JAVASCRIPT, Verdict.COUNTERPART),
        ("integrationservices/a/pumps.xml", Kind.DESCRIPTOR, Verdict.COUNTERPART),
    ] == [(name, each.kind, each.verdict) for name, each in found.items()]
    service = found["integrationservices/a/pumps.xml"]
    assert "applications|pumps" == service.service
    assert "mapped-input: method add, 2 parameters" in service.works
    assert "constants: 1, encrypted: 1" in service.works
    assert ["pumps.js", "apia_input", "DEDUPLICATION_FILTER_NAME", "XMIO.post in more.js"] == [
        need.name for need in service.needs
    ]
    assert "class path" in said(service)
    assert "begins with a slash" in said(found["conf/IAConfig.xml"])


def test_a_filter_that_does_not_exist_is_wrong() -> None:
    """In the original it is silently off; where it stands in a file of another name, that is said."""
    found = checked({**SITE, "conf/deduplicator-filter.xml": FILTERS % "pump"})["integrationservices/a/pumps.xml"]
    assert Verdict.WRONG == found.verdict
    assert 'pumps.js:1: there is no filter "pumps" in deduplicator-filter.xml (did you mean "pump"?)' in said(found)
    misnamed = {**SITE, "conf/deduplicator-filter.xml": FILTERS % "x", "conf/dedup-filter.pumps.xml": FILTERS % "pumps"}
    results = checked(misnamed)
    assert "it stands in dedup-filter.pumps.xml, which is not read" in said(results["integrationservices/a/pumps.xml"])
    assert "is not read under this name" in said(results["conf/dedup-filter.pumps.xml"])


def test_a_file_of_filters_in_utf_16_is_read() -> None:
    """Editors of Windows call it Unicode."""
    filters = ('<?xml version="1.0" encoding="UTF-16"?>' + FILTERS % "pumps").encode("utf-16")
    found = checked({**SITE, "conf/deduplicator-filter.xml": filters})
    assert "there is no filter" not in said(found["integrationservices/a/pumps.xml"])


def test_the_wrong_variable_is_wrong() -> None:
    """The library reads another one."""
    script = 'DEDUPLICATOR_FILTER = "pumps"; function apia_event(form) {}'
    found = checked({**SITE, "integrationservices/a/pumps.js": script})["integrationservices/a/pumps.js"]
    assert "the script sets DEDUPLICATOR_FILTER; the library reads DEDUPLICATION_FILTER_NAME" in said(found)


def test_a_filter_that_compares_what_is_not_sent_is_told() -> None:
    """Also where a script chooses it: in the original it never suppresses anything, and nobody knows why."""
    filters = (FILTERS % "pumps").replace("</predicates>", "<predicate>hall</predicate></predicates>")
    found = checked({**SITE, "conf/deduplicator-filter.xml": filters})["integrationservices/a/pumps.xml"]
    assert 'filter "pumps": the predicate "hall" of the filter is neither a parameter nor a constant here' in said(
        found
    )
    assert Verdict.COUNTERPART == found.verdict
    assert "predicate" not in said(checked(SITE)["integrationservices/a/pumps.xml"])


def test_old_secrets_and_slashes_are_told() -> None:
    """What was encrypted by the original must be entered again."""
    descriptor = EVERYTHING.replace("<file>pumps.js", "<file>/pumps.js")
    found = checked({**SITE, "conf/.pw": b"QUJDREVGR0g=", "integrationservices/a/pumps.xml": descriptor})
    service = found["integrationservices/a/pumps.xml"]
    assert "conf/.pw is an encrypted file of the original agent, whose key nobody has" in said(service)
    assert 'script/file: "/pumps.js" begins with a slash' in said(service)


def test_services_of_ours_are_compiled_and_their_hooks_named() -> None:
    """Without running them."""
    files: dict[str, str | bytes] = {"a/pumps.xml": DESCRIPTOR, "a/pumps.py": "def on_event(event):\n    pass\n"}
    (found,) = checked(files, "a").values()
    assert (Verdict.WORKS, "hooks: on_event") == (found.verdict, found.works[-1])
    (found,) = checked({**files, "a/pumps.py": "def on_event(event:\n"}, "a").values()
    assert (Verdict.WRONG, True) == (found.verdict, "pumps.py):1: SyntaxError" in said(found))
    (found,) = checked({**files, "a/pumps.py": "x = 1"}, "a/pumps.py").values()
    assert Verdict.WRONG == found.verdict


def test_one_file_alone_is_checked_too() -> None:
    """Without a home around it; other files in folders are passed over, and said to be no such thing when named."""
    (found,) = checked({"x/some.xml": EVERYTHING}, "x/some.xml").values()
    assert 'the script "pumps.js" does not exist: what it needs cannot be said' in found.notes
    assert {} == checked({"x/other.xml": "<html/>", "x/readme.txt": "", "x/broken.xml": "<a"}, "x")
    (found,) = checked({"x/other.xml": "<html/>"}, "x/other.xml").values()
    assert "neither a descriptor nor a file of filters" in said(found)
    (found,) = checked({"x/broken.xml": "<integration-service>"}, "x").values()
    assert "not well-formed XML" in said(found)
    (found,) = checked({}, "nowhere.xml").values()
    assert "does not exist" in said(found)


def test_files_of_the_same_name_are_told_apart() -> None:
    """By their folders below the one that was named, also where there is no configuration."""
    found = checked({"site/a/x.xml": EVERYTHING, "site/b/x.xml": EVERYTHING}, "site")
    assert ["a/x.xml", "b/x.xml"] == list(found)


def test_a_javaclient_is_named() -> None:
    """It has no counterpart but to be written anew."""
    script = '<script lang="js"><file>pumps.js</file></script>'
    descriptor = EVERYTHING.replace(script, "<javaclient><file>j.xml</file></javaclient>")
    found = checked({**SITE, "integrationservices/a/pumps.xml": descriptor})["integrationservices/a/pumps.xml"]
    assert ["javaclient"] == [need.kind for need in found.needs]


def test_what_works_is_said_beside_what_is_wrong() -> None:
    """Nearly every site has password files of the original, which are wrong; the rest of the descriptor is not."""
    found = checked({**SITE, "conf/.pw": "q83vEjRWeJA="})["integrationservices/a/pumps.xml"]
    assert Verdict.WRONG == found.verdict
    assert "an encrypted file of the original agent" in said(found)
    assert "mapped-input: method add, 2 parameters" in found.works
    assert found.loadable is None
