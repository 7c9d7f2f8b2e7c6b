"""agent.gateway.doorman: what a sender with, without and with wrong credentials meets."""

from __future__ import annotations

import base64
import json

import pytest
from twisted.logger import LogEvent, globalLogPublisher

from agent.access import OPEN, Access, Account, Senders
from agent.boundaries import HttpResponse
from agent.config.model import GatewayConfig
from agent.credential import hash_token, show_key
from agent.gateway.doorman import THREAD_FROM_BYTES
from agent.secret import Secret
from agent.wire.guessing import FREE_GUESSES
from agent.wire.signature import make_mac
from tests.support.gateway import PLAN, SEED, SOAP, Client, Reply, Stage, post

TOKEN = "t" * 30
KEY = b"k" * 32
PASSWORDS = Access(
    senders=(
        Senders(accounts=(Account(name="ems", secret=Secret("right")), Account(name="lsr", secret=Secret("other")))),
    )
)
EVERYTHING = Access(
    senders=(
        *PASSWORDS.senders,
        Senders(
            accounts=(
                Account(name="crm", secret=Secret(hash_token(TOKEN))),
                Account(name="plant7", secret=Secret(show_key(KEY))),
            )
        ),
    )
)
TARGET = "/http/applications_sample-plan"


def basic(user: str = "ems", password: str = "right") -> str:
    return f"Authorization: Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def signed(stage: Stage, body: bytes = SEED, *, nonce: str = "n-1", off_s: int = 0, key: bytes = KEY) -> str:
    made_s = int(stage.clock.seconds()) + off_s
    mac = make_mac(key=key, made_s=made_s, nonce=nonce.encode(), method="POST", target=TARGET.encode(), body=body)
    return f'Authorization: HMAC-SHA256 key="plant7", ts={made_s}, nonce="{nonce}", mac={mac.hex()}'


def send(stage: Stage, *lines: str, client: Client | None = None, body: bytes = SEED, target: str = TARGET) -> Reply:
    """One request with its answer; what is to be done in threads is done."""
    client = client or stage.client()
    before = len(client.answers)
    client.send(post(body, *lines, target=target))
    while stage.threads:
        stage.run_threads()
    (answer,) = client.answers[before:]
    return answer


def problem(answer: Reply) -> str:
    return str(json.loads(answer.body)["type"].rpartition(":")[2])


def test_without_credentials() -> None:
    """401 with the challenge, before the body is read; the connection lives on, and nothing is stored."""
    stage = Stage(access=PASSWORDS)
    client = stage.client()
    answer = send(stage, client=client)
    assert (401, "not-authenticated") == (answer.status, problem(answer))
    assert 'Basic realm="integration-agent", charset="UTF-8"' == answer.headers["www-authenticate"]
    assert not client.transport.closed
    assert [] == stage.sink.events


def test_the_body_of_a_stranger_is_not_asked_for() -> None:
    """A sender that waits for 100 Continue gets 401 in its place."""
    stage = Stage(access=PASSWORDS)
    client = stage.client()
    client.send(post(b"", "Expect: 100-continue", "Content-Length: 9000000").replace(b"Content-Length: 0\r\n", b""))
    assert [401] == client.statuses


def test_the_right_password_is_checked_once() -> None:
    """The first request waits for a thread; from then on it is known by its digest."""
    stage = Stage(access=PASSWORDS)
    client = stage.client()
    client.send(post(SEED, basic()))
    assert [] == client.statuses
    stage.run_threads()
    assert [202] == client.statuses
    other = stage.client()
    other.send(post(SEED, basic()))
    assert ([202], []) == (other.statuses, stage.threads)


def test_the_log_says_who_sent_an_event() -> None:
    """Beside the address: behind a proxy that is the same for all."""
    stage = Stage(access=PASSWORDS)
    lines: list[LogEvent] = []
    globalLogPublisher.addObserver(lines.append)
    try:
        send(stage, basic())
    finally:
        globalLogPublisher.removeObserver(lines.append)
    ((event_id, accepted),) = [line for event in lines for line in event.get("log_lines", ())]
    assert stage.sink.events[0].id == event_id
    assert accepted.endswith(" from 192.0.2.7 as 'ems'")


def test_another_place_is_checked_anew() -> None:
    """What is remembered counts for the address it came from: `from` may exclude others."""
    stage = Stage(access=PASSWORDS)
    send(stage, basic())
    client = stage.client(peer="192.0.2.8")
    client.send(post(SEED, basic()))
    assert ([], 1) == (client.statuses, len(stage.threads))


@pytest.mark.parametrize("line", [basic("ems", "wrong"), basic("nobody", "right"), "Authorization: Basic !", "X: y"])
def test_the_answer_does_not_tell_what_was_wrong(line: str) -> None:
    """Byte for byte the same for a wrong password, a wrong user, nonsense and nothing."""
    stage = Stage(access=PASSWORDS)
    answer, nothing = send(stage, line), send(stage)
    assert (nothing.status, nothing.headers, nothing.body) == (answer.status, answer.headers, answer.body)


def test_strangers_do_not_learn_which_services_there_are() -> None:
    """401 also for URLs that lead nowhere; who may send gets the 404."""
    stage = Stage(access=PASSWORDS)
    assert 401 == send(stage, target="/http/nothing").status
    assert 401 == send(stage, basic("ems", "wrong"), target="/http/nothing").status
    assert 404 == send(stage, basic(), target="/http/nothing").status
    assert 404 == send(stage, basic(), target="/http/nothing").status


def test_guessing_is_slowed_down() -> None:
    """After some guesses 429 with a growing Retry-After; nothing is computed meanwhile, not even for the right one."""
    stage = Stage(access=PASSWORDS)
    statuses = [send(stage, basic("ems", str(number))).status for number in range(FREE_GUESSES + 3)]
    assert [401] * FREE_GUESSES + [429] * 3 == statuses
    client = stage.client()
    client.send(post(SEED, basic()))
    assert ([429], []) == (client.statuses, stage.threads)
    assert "1" == client.answers[0].headers["retry-after"]
    stage.clock.advance(1)
    assert 202 == send(stage, basic()).status


def test_guessing_does_not_hold_up_others() -> None:
    """Behind the same proxy: other accounts, and senders of the same account that were found right before."""
    stage = Stage(access=EVERYTHING)
    assert 202 == send(stage, basic()).status
    for number in range(50):
        send(stage, basic("ems", str(number)))
    assert 202 == send(stage, basic()).status
    assert 202 == send(stage, basic("lsr", "other")).status
    assert 202 == send(stage, f"Authorization: Bearer {TOKEN}").status
    assert 202 == send(stage, signed(stage)).status


def test_guessing_all_at_once_gains_nothing() -> None:
    """Guesses that wait for their turn are dropped when the account has to wait."""
    stage = Stage(access=PASSWORDS)
    clients = [stage.client() for _ in range(8)]
    for number, client in enumerate(clients):
        client.send(post(SEED, basic("ems", str(number))))
    while stage.threads:
        stage.run_threads()
    assert [401] * FREE_GUESSES + [429] * 3 == [client.statuses[0] for client in clients]


def test_one_wrong_password_for_many_services_is_one_guess() -> None:
    """A badly configured sender is not taken for an attacker."""
    stage = Stage(access=PASSWORDS)
    targets = [f"/http/applications_{name}" for name in ("sample-plan", "soap", "asleep")] * 4
    assert {401} == {send(stage, basic("ems", "wrong"), target=target).status for target in targets}


def test_a_head_that_repeats_is_judged_where_it_leads() -> None:
    """What was let in to one service on this connection is asked again by another."""
    stage = Stage(access=PASSWORDS, access_of={SOAP: Access(networks=("198.51.100.0/24",))})
    client = stage.client()
    assert [202, 202, 403, 202] == [
        send(stage, basic(), client=client, target=f"/http/applications_{name}").status
        for name in ("sample-plan", "sample-plan", "soap", "sample-plan")
    ]


def test_new_credentials_count_on_open_connections() -> None:
    """Also where the same head was let in a moment ago."""
    stage = Stage(access=PASSWORDS)
    client = stage.client()
    assert [202, 202] == [send(stage, basic(), client=client).status for _ in range(2)]
    stage.gateway._doorman.configure(Access(networks=("198.51.100.0/24",)), {})
    assert 403 == send(stage, basic(), client=client).status


def test_a_reload_for_another_reason_forgets_nobody() -> None:
    """Who was found right before is let in at once, though others have guessed at the same account since."""
    stage = Stage(access=PASSWORDS)
    assert 202 == send(stage, basic()).status
    for number in range(8):
        send(stage, basic("ems", f"wrong{number}"))
    assert 429 == send(stage, basic("ems", "another")).status
    accounts = tuple(Account(name=one, secret=Secret(word)) for one, word in (("ems", "right"), ("lsr", "other")))
    again = Access(senders=(Senders(accounts=accounts),))
    stage.gateway._doorman.configure(again, {})
    assert 202 == send(stage, basic()).status


def test_a_flood_of_users_keeps_to_itself() -> None:
    """Nine users at a time from one place are too many; another place gets its turn."""
    stage = Stage(access=PASSWORDS)
    clients = [stage.client() for _ in range(10)]
    for number, client in enumerate(clients):
        client.send(post(SEED, basic(f"user{number}", "x")))
    assert [[]] * 9 + [[503]] == [client.statuses for client in clients]
    client = stage.client(peer="192.0.2.8")
    client.send(post(SEED, basic()))
    stage.run_threads()
    stage.run_threads()
    assert [202] == client.statuses


def test_wrong_tokens_wait_but_right_ones_do_not() -> None:
    """A token cannot be guessed: holding up the right one would only help whoever wants to disturb."""
    stage = Stage(access=EVERYTHING)
    statuses = [send(stage, f"Authorization: Bearer wrong{number}").status for number in range(FREE_GUESSES + 2)]
    assert [401] * FREE_GUESSES + [429] * 2 == statuses
    assert 202 == send(stage, f"Authorization: Bearer {TOKEN}").status


def test_signed_requests() -> None:
    """In time, once, with the body that was signed."""
    stage = Stage(access=EVERYTHING)
    line = signed(stage)
    assert 202 == send(stage, line).status
    assert 401 == send(stage, line).status
    assert 401 == send(stage, signed(stage, nonce="n-2"), body=SEED + b" ").status
    assert 401 == send(stage, signed(stage, nonce="n-3", key=b"x" * 32)).status
    assert 401 == send(stage, signed(stage, nonce="n-4", off_s=-301)).status
    assert 202 == send(stage, signed(stage, nonce="n-5", off_s=299)).status
    assert 2 == len(stage.sink.events)


def test_a_nonce_of_a_wrong_signature_is_not_used_up() -> None:
    """Or anybody could spoil the requests of others."""
    stage = Stage(access=EVERYTHING)
    assert 401 == send(stage, signed(stage, key=b"x" * 32)).status
    assert 202 == send(stage, signed(stage)).status


def test_large_signed_bodies_are_checked_in_a_thread() -> None:
    """The others do not wait for the digest of megabytes."""
    stage = Stage(access=EVERYTHING)
    body = b"<e>" + b"x" * THREAD_FROM_BYTES + b"</e>"
    client = stage.client()
    client.send(post(body, signed(stage, body)))
    assert ([], 1) == (client.statuses, len(stage.threads))
    while stage.threads:
        stage.run_threads()
    assert [202] == client.statuses


def test_networks_alone() -> None:
    """403 without a challenge: no password would help."""
    stage = Stage(access=Access(networks=("198.51.100.0/24",)))
    answer = send(stage)
    assert (403, "not-permitted") == (answer.status, problem(answer))
    assert "www-authenticate" not in answer.headers
    assert 202 == send(stage, client=stage.client(peer="198.51.100.9")).status


def test_a_service_of_its_own() -> None:
    """What a service demands takes the place of what the gateway demands, in both directions."""
    stage = Stage(access=PASSWORDS, access_of={PLAN: OPEN})
    assert [202, 401] == [send(stage).status, send(stage, target="/http/applications_soap").status]
    stage = Stage(access_of={SOAP: PASSWORDS})
    assert [202, 401] == [send(stage).status, send(stage, target="/http/applications_soap").status]


def test_a_service_does_not_see_the_credentials_of_the_agent() -> None:
    """Where the agent looks at them; on an open gateway they are the service's own matter."""
    for access, names in ((PASSWORDS, set()), (None, {"authorization"})):
        stage = Stage(access=access)
        stage.host.answers["applications|soap"] = HttpResponse(status=204)
        assert 204 == send(stage, basic(), target="/http/applications_soap").status
        ((_, request),) = stage.host.asked
        assert names == {"authorization"} & {name for name, _ in request.headers}


def test_new_credentials_count_at_once() -> None:
    """After a reload the old password is wrong, although it was remembered as right."""
    stage = Stage(access=PASSWORDS)
    send(stage, basic())
    changed = Access(senders=(Senders(accounts=(Account(name="ems", secret=Secret("new")),)),))
    stage.gateway._doorman.configure(changed, {})
    assert 401 == send(stage, basic()).status
    assert 202 == send(stage, basic("ems", "new")).status


def test_who_left_or_waited_too_long() -> None:
    """An answer that was given stands: nothing is stored after a 503."""
    stage = Stage(access=PASSWORDS)
    client = stage.client()
    client.send(post(SEED, basic()))
    stage.pass_time(GatewayConfig().limits.answer_timeout_s + 1)
    assert [503] == client.statuses
    stage.run_threads()
    assert ([503], []) == (client.statuses, stage.sink.events)


def test_failures_are_counted() -> None:
    """Wrong credentials are; a request without any is the beginning of a challenge and no failure."""
    stage = Stage(access=PASSWORDS)
    send(stage)
    send(stage, basic("ems", "wrong"))
    assert 1 == stage.counters.counts["gateway.wrong_credentials", ""]
    assert 2 == stage.counters.counts["gateway.refused", "not-authenticated"]
