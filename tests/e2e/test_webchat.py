"""The whole road over web chat with real processes, through HTTP only."""

from __future__ import annotations

import pytest
import requests

from tests.e2e.business import LATE, ask, finished
from tests.e2e.chat import Visitor, messages
from tests.e2e.house import House, eventually

pytestmark = pytest.mark.e2e


def signed_in(house: House, phone: str) -> Visitor:
    """The customer with that phone, on the website of the business, which says who they are."""
    answer = requests.get(f"{house.base_url}/demo/identity", params={"customer": f"c-{phone}"}, timeout=30)
    return Visitor(house, answer.json()["identity"])


def test_from_a_finished_service_to_an_agents_answer_by_web_chat(house: House, phone: str) -> None:
    """Asked where they are signed in; heard, apologised to, handed over and answered by name, all of it live."""
    event = ask(house, finished(phone, channel="webchat", facts=LATE))
    robin = signed_in(house, phone)
    assert robin.conversation_id == event["conversation_id"]
    opening = eventually(robin.thread)[0]
    assert opening["author"] == "bot"
    assert opening["name"] == "Harbour Kitchen"
    assert "automated" in opening["text"]

    with robin.listen() as events:
        robin.say("it was fine I guess, bit of a wait though", "one")
        told = messages(events, "bot")
        apology, handoff = next(told)["text"], next(told)["text"]
        assert "sorry" in apology.lower()
        assert any(name in handoff for name in ("Sam", "Maya", "list", "team")), handoff

        case_id = eventually(lambda: house.api("GET", f"/service-events/{event['id']}").json()["case_id"])
        case = house.api("GET", f"/cases/{case_id}").json()
        assert (case["channel"], case["state"], case["failure"]["code"]) == ("webchat", "open", "wait")
        agent = {"agent": house.demo["desk"][0]["email"]}
        sent = house.api("POST", f"/cases/{case_id}/replies", {**agent, "text": "Robin, lunch is on me."})
        assert sent.status_code == 200, sent.text

        answer = next(messages(events, "agent"))

    assert (answer["text"], answer["name"]) == ("Robin, lunch is on me.", "Sam")
    assert house.api("GET", f"/conversations/{event['conversation_id']}").json()["owner"] == "agent"


def test_who_comes_back_is_told_exactly_what_they_missed(house: House, phone: str) -> None:
    """A stream resumed after a message begins with the next one; so does the list."""
    visitor = Visitor(house)
    first = visitor.say("my soup was cold and nobody cared", "one")
    answers = eventually(lambda: visitor.thread(after=first))

    with visitor.listen(last_id=first) as events:
        resumed = next(event for event in events if event.name == "message")

    assert (resumed.data, resumed.id) == (answers[0], answers[0]["id"])


def test_the_same_client_id_is_the_same_message(house: House) -> None:
    """A widget that got no answer sends again; the business reads it once."""
    visitor = Visitor(house)

    first, second = visitor.say("hello", "same"), visitor.say("hello", "same")

    assert first == second
    eventually(lambda: len(visitor.thread()) > 1)
    assert [item["text"] for item in visitor.thread() if item["author"] == "customer"] == ["hello"]


def test_the_bot_keeps_silent_in_a_chat_that_an_agent_has(house: House, phone: str) -> None:
    """What the customer writes then goes to the agent and to nobody else."""
    event = ask(house, finished(phone, channel="webchat", facts=LATE))
    robin = signed_in(house, phone)
    eventually(robin.thread)
    robin.say("it was fine I guess, bit of a wait though", "one")
    case_id = eventually(lambda: house.api("GET", f"/service-events/{event['id']}").json()["case_id"])
    agent = {"agent": house.demo["desk"][0]["email"]}
    with robin.listen() as events:
        house.api("POST", f"/cases/{case_id}/replies", {**agent, "text": "Sam here."})
        next(messages(events, "agent"))

        robin.say("thanks Sam, and the soup was cold too", "two")
        house.api("POST", f"/cases/{case_id}/replies", {**agent, "text": "That as well."})
        next(messages(events, "agent"))

    assert [item["author"] for item in robin.thread()[-3:]] == ["agent", "customer", "agent"]


def test_a_chat_belongs_to_its_token_alone(house: House) -> None:
    """No token, a wrong one, or an identity nobody signed: 401 and 422, never a conversation."""
    base = f"{house.base_url}/webchat"
    wrong = {"Authorization": "Bearer nobody"}

    assert requests.get(f"{base}/messages", timeout=30).status_code == 401
    assert requests.get(f"{base}/messages", headers=wrong, timeout=30).status_code == 401
    assert requests.get(f"{base}/events", headers=wrong, timeout=30).status_code == 401
    assert requests.post(f"{base}/sessions", json={"identity": "e30.e30.e30"}, timeout=30).status_code == 422
