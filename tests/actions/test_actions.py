"""Each action translates what was heard, calls one service and says the words that fit its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions import runtime
from actions.action_apologise import ActionApologise
from actions.action_assess import ActionAssess
from actions.action_follow_up import ActionFollowUp
from actions.action_hand_off import ActionHandOff
from actions.action_offer_hand import ActionOfferHand
from actions.action_opt_out import ActionOptOut
from actions.action_wrong_person import ActionWrongPerson
from bot.core.assessment import Reading
from bot.core.vocabulary import HandoffReason, NextStep, Verdict


@dataclass
class Assessed:
    """What the services made of a reply."""

    verdict: Verdict = Verdict.MASKED
    next_step: NextStep = NextStep.RECOVER
    failure: str = "wait"
    failure_words: str = "bit of a wait"
    wait_minutes: int = 0
    language: str = "en"
    known_failure: str = ""


@dataclass
class Handed:
    """What the customer can be told about the person who comes."""

    case_id: str = "case-1"
    agent_name: str | None = "Sam"
    expected_by: str = "14:30"
    opens_at: str = ""
    already: bool = False
    ask_hidden_cost: bool = False


@dataclass
class Recorded:
    """What became of a follow-up."""

    outcome: str = "closed"


@dataclass
class Services:
    """Remembers what it was asked and answers what it was given."""

    assessed: Assessed = field(default_factory=Assessed)
    handed: Handed = field(default_factory=Handed)
    recorded: Recorded = field(default_factory=Recorded)
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    async def assess_reply(self, conversation_id: str, message_id: str, reading: Reading) -> Assessed:
        """Remember, and give the prepared verdict."""
        self.calls.append(("assess", conversation_id, message_id, reading))
        return self.assessed

    async def hand_off(self, conversation_id: str, message_id: str, reason: HandoffReason) -> Handed:
        """Remember, and give the prepared promise."""
        self.calls.append(("hand_off", conversation_id, message_id, reason))
        return self.handed

    async def follow_up_answered(self, conversation_id: str, message_id: str, fixed: bool | None) -> Recorded:
        """Remember, and give the prepared outcome."""
        self.calls.append(("follow_up", conversation_id, message_id, fixed))
        return self.recorded

    async def opt_out(self, conversation_id: str, message_id: str) -> None:
        """Remember."""
        self.calls.append(("opt_out", conversation_id, message_id))

    async def wrong_person(self, conversation_id: str, message_id: str) -> None:
        """Remember."""
        self.calls.append(("wrong_person", conversation_id, message_id))


@pytest.fixture
def services() -> Iterator[Services]:
    """Services that remember, in the place of the real ones."""
    fake = Services()
    runtime.use(fake)
    yield fake
    runtime.use(None)


def said(intent: str, *, slots: dict[str, Any] | None = None, **message: Any) -> Tracker:
    """A tracker whose customer has just said something with this intent."""
    latest = {
        "text": "it was fine I guess, bit of a wait though",
        "intent": {"name": intent, "confidence": 0.9},
        "metadata": {"message_id": "m-1", "language": "en", "context": "check_in"},
        **message,
    }
    return Tracker("c-1", slots or {}, latest, [], False, None, {}, "action_listen")


async def run(action: Any, tracker: Tracker) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The responses an action says, and the slots it sets."""
    dispatcher = CollectingDispatcher()
    events = await action.run(dispatcher, tracker, {})
    return dispatcher.messages, {event["name"]: event["value"] for event in events}


def words(messages: list[dict[str, Any]]) -> list[str]:
    """The names of the responses that were said."""
    return [message["response"] for message in messages]


async def test_assessing_passes_on_everything_that_was_heard(services: Services) -> None:
    """The reading carries score, signals, failure and rating; the next step becomes a slot."""
    heard = {
        "p": 0.91,
        "signals": [{"name": "hedge", "weight": 1.9, "evidence": "I guess", "start": 12, "end": 19}],
        "failure": "wait",
        "failure_words": "bit of a wait",
    }
    tracker = said("complaint", dissatisfaction=heard, metadata={"message_id": "m-7", "rating": 4})

    messages, slots = await run(ActionAssess(), tracker)

    [(_, conversation, message, reading)] = services.calls
    assert (conversation, message) == ("c-1", "m-7")
    assert (reading.p, reading.signals[0].evidence, reading.intent, reading.rating) == (0.91, "I guess", "complaint", 4)
    assert messages == []
    assert (slots["next_step"], slots["failure_words"], slots["language"]) == ("recover", "bit of a wait", "en")


async def test_an_answer_the_classifier_is_unsure_of_is_still_assessed(services: Services) -> None:
    """Behind a fallback stands the best real guess, with its true confidence."""
    tracker = said(
        "nlu_fallback",
        intent_ranking=[{"name": "nlu_fallback", "confidence": 0.35}, {"name": "satisfied", "confidence": 0.3}],
    )

    await run(ActionAssess(), tracker)

    reading = services.calls[0][3]
    assert (reading.intent, reading.intent_confidence) == ("satisfied", 0.3)


@pytest.mark.parametrize(
    ("slots", "response"),
    [
        ({"failure": "wait", "wait_minutes": 62, "failure_words": "an hour"}, "utter_apologise_wait_minutes"),
        ({"failure": "wait", "wait_minutes": 0, "failure_words": "bit of a wait"}, "utter_apologise_wait_words"),
        ({"failure": "damage", "failure_words": ""}, "utter_apologise_damage"),
        ({"failure": "", "failure_words": ""}, "utter_apologise_other"),
    ],
)
async def test_the_apology_is_as_specific_as_the_facts_allow(slots: dict[str, Any], response: str) -> None:
    """Minutes first, then the customer's words, then the kind of failure, then the plain apology."""
    messages, _ = await run(ActionApologise(), said("complaint", slots=slots))

    assert words(messages) == [response]


@pytest.mark.parametrize(
    ("handed", "response"),
    [
        (Handed(), "utter_handoff_with_agent"),
        (Handed(agent_name=None), "utter_handoff_expected"),
        (Handed(agent_name=None, expected_by="", opens_at="09:00"), "utter_handoff_nobody"),
        (Handed(agent_name="Sam", expected_by="", opens_at=""), "utter_handoff_listed"),
        (Handed(already=True), "utter_handoff_already"),
    ],
)
async def test_a_handoff_promises_only_what_is_known(services: Services, handed: Handed, response: str) -> None:
    """A name and a time only when there are such; the truth when nobody is there."""
    services.handed = handed

    messages, slots = await run(ActionHandOff(), said("complaint"))

    assert words(messages) == [response]
    assert slots["case_open"] is True


@pytest.mark.parametrize(
    ("intent", "reason", "first"),
    [
        ("ask_for_person", HandoffReason.ASKED_FOR_PERSON, "utter_handoff_with_agent"),
        ("call_me_back", HandoffReason.CALL_BACK, "utter_call_back_ack"),
        ("threat_or_safety", HandoffReason.SAFETY, "utter_safety"),
        ("affirm", HandoffReason.DISSATISFIED, "utter_handoff_with_agent"),
    ],
)
async def test_the_reason_of_a_handoff_is_what_the_customer_meant(
    services: Services, intent: str, reason: HandoffReason, first: str
) -> None:
    """Safety and call-backs are acknowledged as what they are before anything else."""
    messages, _ = await run(ActionHandOff(), said(intent))

    assert services.calls == [("hand_off", "c-1", "m-1", reason)]
    assert words(messages)[0] == first


async def test_a_hidden_cost_is_asked_for_with_the_handoff(services: Services) -> None:
    """Asked once, where the failure suggests one, and never when a person already has the case."""
    services.handed = Handed(ask_hidden_cost=True)
    messages, _ = await run(ActionHandOff(), said("complaint"))
    services.handed = Handed(already=True)
    again, _ = await run(ActionHandOff(), said("complaint"))

    assert words(messages)[-1] == "utter_hidden_cost"
    assert words(again) == ["utter_handoff_already"]


@pytest.mark.parametrize(
    ("intent", "heard", "fixed"),
    [
        ("affirm", {"p": 0.1}, True),
        ("satisfied", {"p": 0.05}, True),
        ("affirm", {"p": 0.9}, None),
        ("deny", {"p": 0.3}, False),
        ("complaint", {"p": 0.8}, False),
        ("lukewarm", {"p": 0.4}, None),
        ("lukewarm", {"p": 0.7, "failure": "quality"}, False),
    ],
)
async def test_an_answer_to_a_follow_up_is_taken_as_it_was_meant(
    services: Services, intent: str, heard: dict[str, Any], fixed: bool | None
) -> None:
    """A yes that sounds unhappy is asked again rather than closed."""
    await run(ActionFollowUp(), said(intent, dissatisfaction=heard))

    assert services.calls == [("follow_up", "c-1", "m-1", fixed)]


@pytest.mark.parametrize(
    ("outcome", "response"),
    [
        ("closed", "utter_follow_up_closed"),
        ("reopened", "utter_follow_up_reopened"),
        ("asked_again", "utter_follow_up_again"),
    ],
)
async def test_the_customer_hears_what_their_answer_changed(services: Services, outcome: str, response: str) -> None:
    """Closed, reopened or asked once more."""
    services.recorded = Recorded(outcome)

    messages, _ = await run(ActionFollowUp(), said("affirm"))

    assert words(messages) == [response]


async def test_an_offered_hand_waits_for_a_yes() -> None:
    """The remark comes back in the customer's words, and the next yes brings a person."""
    messages, slots = await run(ActionOfferHand(), said("satisfied", slots={"failure_words": "parking was a pain"}))

    assert words(messages) == ["utter_offer_hand_words"]
    assert slots == {"hand_offered": True}


@pytest.mark.parametrize(("failure", "response"), [("wait", "utter_offer_hand"), ("", "utter_default")])
async def test_a_hand_is_offered_for_a_remark_and_for_what_was_not_understood(failure: str, response: str) -> None:
    """Nobody is thanked for mentioning what they did not mention."""
    messages, _ = await run(ActionOfferHand(), said("nlu_fallback", slots={"failure": failure, "failure_words": ""}))

    assert words(messages) == [response]


async def test_leaving_is_recorded_before_it_is_confirmed(services: Services) -> None:
    """Opt-out and wrong person each record once and say one line."""
    left, _ = await run(ActionOptOut(), said("opt_out"))
    wrong, _ = await run(ActionWrongPerson(), said("wrong_person"))

    assert services.calls == [("opt_out", "c-1", "m-1"), ("wrong_person", "c-1", "m-1")]
    assert words([*left, *wrong]) == ["utter_opt_out", "utter_wrong_person"]
