"""The whole road with real processes: Rasa, the action server, the edge, the worker and the look-alike of Twilio."""

from __future__ import annotations

import pytest
import requests

from tests.e2e.business import LATE, ask, finished
from tests.e2e.house import House, eventually

pytestmark = pytest.mark.e2e


def test_from_a_finished_service_to_a_closed_case_by_sms(house: House, phone: str) -> None:
    """Asked, heard, apologised to, handed over, answered, made good, resolved, asked again, closed."""
    event = ask(house, finished(phone, facts=LATE))
    opening = eventually(lambda: house.received(phone))[0]
    assert "Harbour Kitchen" in opening
    assert "automated" in opening
    assert "STOP" in opening

    house.text(phone, "it was fine I guess, bit of a wait though")
    apology = " ".join(eventually(lambda: house.received(phone)[1:] if len(house.received(phone)) > 2 else None))
    assert "sorry" in apology.lower()
    assert "wait" in apology.lower() or "55" in apology

    case_id = eventually(lambda: house.api("GET", f"/service-events/{event['id']}").json()["case_id"])
    case = house.api("GET", f"/cases/{case_id}").json()
    assert case["state"] == "open"
    assert case["assessment"]["verdict"] in ("masked", "complaint")
    assert case["failure"]["code"] == "wait"
    assert case["service_event"]["facts"]["wait_minutes"] == 55
    assert [m["text"] for m in case["transcript"]][1] == "it was fine I guess, bit of a wait though"

    agent = {"agent": house.demo["desk"][0]["email"]}
    assert house.api("POST", f"/cases/{case_id}/claim", agent).status_code == 200
    other = {"agent": house.demo["desk"][1]["email"]}
    assert house.api("POST", f"/cases/{case_id}/claim", other).status_code == 409
    assert house.api("POST", f"/cases/{case_id}/replies", {**agent, "text": "Robin, this is Sam."}).status_code == 200
    eventually(lambda: "Robin, this is Sam." in house.received(phone))

    spoken = len(house.received(phone))
    house.text(phone, "thank you Sam")
    amount = {"value": "20.00", "currency": case["service_event"].get("currency", "GBP")}
    amount["currency"] = _currency(house, case_id, agent)
    granted = house.api(
        "POST", f"/cases/{case_id}/grants", {**agent, "kind": "voucher", "amount": amount, "note": "soup"}
    )
    assert granted.status_code == 200, granted.text
    refused = house.api("POST", f"/cases/{case_id}/resolve", {**agent, "summary": "lunch is on us"})
    assert refused.status_code == 422
    assert "act" in refused.json()["detail"]
    for step in ("act", "compassion"):
        done = house.api("POST", f"/cases/{case_id}/steps/{step}", {**agent, "state": "done", "note": "said and done"})
        assert done.status_code == 200, done.text
    assert len(house.received(phone)) == spoken, "the bot keeps silent while Sam has the conversation"
    resolved = house.api("POST", f"/cases/{case_id}/resolve", {**agent, "summary": "lunch is on us"})
    assert resolved.status_code == 200, resolved.text

    eventually(lambda: len(house.received(phone)) > spoken)
    house.text(phone, "yes, all good now, thanks")
    closed = eventually(lambda: house.api("GET", f"/cases/{case_id}").json()["state"] == "closed", within=15)
    assert closed


def _currency(house: House, case_id: str, agent: dict[str, str]) -> str:
    """The site's own, as the refusal of a wrong one names it."""
    wrong = {**agent, "kind": "voucher", "amount": {"value": "1.00", "currency": "XXX"}, "note": ""}
    detail = house.api("POST", f"/cases/{case_id}/grants", wrong).json()["detail"]
    return str(detail.split("pays in ")[1][:3])


def test_the_same_in_turkish(house: House, phone: str) -> None:
    """The customer's recorded language is the language of every word."""
    ask(house, finished(phone, "tr", facts=LATE))
    assert "otomatik" in eventually(lambda: house.received(phone))[0].lower()

    house.text(phone, "idare eder, biraz çok bekledik ama")

    answers = eventually(lambda: house.received(phone)[1:])
    assert "sorry" not in " ".join(answers).lower()
    assert any("özür" in answer.lower() or "üzgün" in answer.lower() for answer in answers)


def test_a_happy_customer_gets_one_warm_line_and_no_case(house: House, phone: str) -> None:
    """All good, thanks: then silence."""
    event = ask(house, finished(phone))
    eventually(lambda: house.received(phone))

    house.text(phone, "all good, thanks!")

    eventually(lambda: len(house.received(phone)) == 2)
    seen = house.api("GET", f"/service-events/{event['id']}").json()
    assert seen["assessment"]["verdict"] == "satisfied"
    assert seen["case_id"] is None
    assert seen["check_in"]["state"] == "answered"


def test_stop_ends_it_with_one_confirmation(house: House, phone: str) -> None:
    """And nothing is ever sent again."""
    ask(house, finished(phone))
    eventually(lambda: house.received(phone))

    house.text(phone, "STOP")

    eventually(lambda: len(house.received(phone)) == 2)
    again = ask(house, finished(phone, external_id=f"later-{phone}"))
    skipped = eventually(
        lambda: house.api("GET", f"/service-events/{again['id']}").json()["check_in"]["state"] == "skipped"
    )
    assert skipped
    assert len(house.received(phone)) == 2


def test_an_opt_out_in_their_own_words_is_obeyed_while_a_person_has_the_conversation(house: House, phone: str) -> None:
    """Confirmed once; the person is told so, nothing of theirs leaves, and the account says why."""
    event = ask(house, finished(phone, facts=LATE))
    eventually(lambda: house.received(phone))
    house.text(phone, "an hour for a soup, and it was cold")
    case_id = eventually(lambda: house.api("GET", f"/service-events/{event['id']}").json()["case_id"])
    agent = {"agent": house.demo["desk"][0]["email"]}
    assert house.api("POST", f"/cases/{case_id}/replies", {**agent, "text": "Sam here."}).status_code == 200
    eventually(lambda: "Sam here." in house.received(phone))

    house.text(phone, "the noise didn't stop either")
    house.text(phone, "please stop texting me")

    eventually(lambda: "won't get any more messages" in house.received(phone)[-1])
    refused = house.api("POST", f"/cases/{case_id}/replies", {**agent, "text": "But wait"})
    assert (refused.status_code, "opted out" in refused.json()["detail"]) == (409, True)
    account = house.api("GET", f"/contacts/{phone}/decisions").json()
    assert account["standing"].startswith("They opted out")
    said = [item["sentence"] for item in account["items"]]
    assert any(one.startswith("Sent no answer to “the noise didn't stop either”") for one in said)
    assert any("they wrote “please stop texting me”" in one for one in said)
    assert any(" from +15005550006, in English, 1 segment" in one for one in said)
    assert said[-1].endswith("reply: the customer opted out. Nothing left.")


@pytest.mark.parametrize(
    "body",
    ["", "x" * 5000, "🙂🙃", "سلام، غذا سرد بود", "<script>alert(1)</script>", "'; DROP TABLE messages; --"],
    ids=["empty", "long", "emoji", "right-to-left", "script", "sql"],
)
def test_whatever_an_unknown_phone_writes_is_kept_as_sent_and_answered(house: House, phone: str, body: str) -> None:
    """An unknown phone gets a conversation like anybody."""
    house.text(phone, body)

    eventually(lambda: house.received(phone))
    assert house.phone(phone)[0]["body"] == body


def test_an_unsigned_webhook_is_refused(house: House) -> None:
    """Anybody can post to a public address; only Twilio can sign."""
    form = {"MessageSid": "SM" + "1" * 32, "From": "+447700900999", "To": "+15005550006", "Body": "hi"}
    answer = requests.post(f"{house.base_url}/webhooks/twilio/sms", data=form, timeout=30)
    assert answer.status_code == 403


def test_a_malformed_service_event_names_the_field(house: House, phone: str) -> None:
    """What is wrong, where, in RFC 9457."""
    answer = house.api("POST", "/service-events", finished(phone, finished_at="yesterday"))
    assert answer.status_code == 422
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert "finished_at" in answer.text


def test_when_rasa_is_down_the_message_is_kept_and_a_person_gets_it(house: House, phone: str) -> None:
    """Nothing is lost; the customer is told that a person comes."""
    house.kill("bot rasa")

    house.text(phone, "my soup was cold and nobody cared")

    eventually(lambda: house.received(phone), within=30)
    cases = house.api("GET", "/cases?state=open").json()["items"]
    assert any(case["reason"] == "bot_unavailable" for case in cases)
    eventually(lambda: requests.get(f"{house.base_url}/readyz", timeout=5).status_code == 200, within=60)
