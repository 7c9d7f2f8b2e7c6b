"""Gives the platform the values of a form's fields while somebody fills the form in."""

from agent.sdk import Apxml, context, is_property_request, property_reply

BUILDINGS = {
    "Victoria": ["Building A", "Building B"],
    "London": ["Tower", "Annex"],
}
"""Stands for a database: ask yours with a time-out well under the hook's own, because somebody waits."""


def on_response(apxml: Apxml) -> Apxml | None:
    """Runs for each message of the platform. A message that it returns is sent back."""
    if not is_property_request(apxml):
        context.log.info("the platform answered %s %s", apxml.method, apxml.value("error_code"))
        return None
    city = apxml.value("city")
    values = {"city": list(BUILDINGS), "building": BUILDINGS.get(city, [])}
    context.log.info("%s: buildings of %s: %d", apxml.value("xmattersrebrequestaction"), city, len(values["building"]))
    return property_reply(apxml, values)
