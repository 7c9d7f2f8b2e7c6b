"""Takes the SOAP notifications of a ticket system and answers each with an envelope, or with a fault.

    <soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
      <t:ticketChanged xmlns:t="urn:example:tickets">
        <t:number>INC0012345</t:number><t:state>open</t:state><t:text>Pump P-101 is hot</t:text>
      </t:ticketChanged>
    </soap:Body></soap:Envelope>

Some senders append the ticket to the URL (/event_change/INC0012345) instead of writing it into the message.
"""

from lxml import etree

from agent.sdk import context, soap

TICKETS = "urn:example:tickets"
STATES = ("open", "updated", "closed")


@soap.answering
def on_http(envelope: soap.Envelope) -> etree._Element:
    """Runs while the sender waits. What it returns is the body of the answer; what it raises becomes a fault."""
    if envelope.operation != "ticketChanged":
        raise soap.Fault(f"the operation is {envelope.operation!r}, expected 'ticketChanged'")
    path = envelope.request.path if envelope.request else ""
    number = envelope.find("number") or path.rpartition("/")[2]
    state = envelope.find("state")
    if not number:
        raise soap.Fault("the notification has no <number>, and the URL ends in none")
    if state not in STATES:
        raise soap.Fault(f"<state> is {state!r}, expected one of {', '.join(STATES)}")

    # Stored, together with the fact that this request is done, before the sender hears of it.
    context.send(json={"properties": {"ticket": number, "state": state, "text": envelope.find("text") or ""}})
    answer = etree.Element(f"{{{TICKETS}}}ticketChangedResponse", nsmap={None: TICKETS})
    etree.SubElement(answer, f"{{{TICKETS}}}accepted").text = number
    return answer
