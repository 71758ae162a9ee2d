"""Rasa and its actions as they really run: two processes, spoken to over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ConversationPaused, SlotSet
from rasa.shared.core.slots import BooleanSlot
from rasa.shared.core.trackers import DialogueStateTracker

from bot.core.dialogue import DialogueRejected, DialogueUnavailable
from bot.dialogue.client import RasaDialogue
from bot.rasa_compat import turns

SMS = {"channel": "sms"}
Remembered = Callable[[str], Awaitable[list[tuple[str, str]]]]


@pytest.fixture
def conversation() -> str:
    """A conversation that nobody had yet."""
    return f"conversation-{uuid4().hex}"


@pytest.fixture
def remembered(rasa_http: aiohttp.ClientSession, token: str) -> Remembered:
    """What Rasa has in a conversation: who said which text."""

    async def of(conversation: str) -> list[tuple[str, str]]:
        async with rasa_http.get(f"/conversations/{conversation}/tracker", params={"token": token}) as response:
            tracker: dict[str, Any] = await response.json()
        return [(event["event"], event["text"]) for event in tracker["events"] if event["event"] in ("user", "bot")]

    return of


async def test_the_bot_speaks_first_in_the_customers_language(dialogue: RasaDialogue, conversation: str) -> None:
    """A due check-in brings the words of its language, filled with what came along."""
    turn = await dialogue.trigger(
        conversation, "o1", "EXTERNAL_check_in", {"language": "tr", "customer_name": "Ayşe"}, "sms"
    )

    assert [(u.text, u.name) for u in turn.utterances] == [("Merhaba Ayşe, her şey nasıldı?", "utter_check_in")]
    assert (turn.intent, turn.language) == (None, "tr")


async def test_one_utterance_stays_one_message(dialogue: RasaDialogue, conversation: str) -> None:
    """A blank line inside the words does not make two messages of them."""
    turn = await dialogue.trigger(conversation, "o1", "EXTERNAL_check_in", {"customer_name": "Ann"})

    assert [u.text for u in turn.utterances] == ["Hi Ann, how was everything?\n\nReply STOP to opt out."]


async def test_on_one_occasion_the_bot_speaks_once(
    dialogue: RasaDialogue, conversation: str, remembered: Remembered
) -> None:
    """Whoever asked and died before they heard asks again, and hears the same."""
    slots = {"customer_name": "Ann"}
    first = await dialogue.trigger(conversation, "o1", "EXTERNAL_check_in", slots)
    again = await dialogue.trigger(conversation, "o1", "EXTERNAL_check_in", slots)
    assert again == first
    assert [who for who, _ in await remembered(conversation)] == ["user", "bot"]

    await dialogue.trigger(conversation, "o2", "EXTERNAL_check_in", slots)
    assert [who for who, _ in await remembered(conversation)] == ["user", "bot", "user", "bot"]


async def test_a_message_runs_its_action(dialogue: RasaDialogue, conversation: str) -> None:
    """A complaint is understood and answered by the action server."""
    turn = await dialogue.turn(conversation, "m1", "the food was cold", SMS)

    assert [u.text for u in turn.utterances] == ["I am sorry.\n\nWhat happened?"]
    assert turn.intent is not None
    assert turn.intent.name == "complain"


async def test_words_for_the_channel_are_chosen(dialogue: RasaDialogue, conversation: str) -> None:
    """A response written for SMS is said over SMS only."""
    by_sms = await dialogue.turn(conversation, "m1", "great service thank you", SMS)
    by_web = await dialogue.turn(conversation, "m2", "great service thank you", {"channel": "webchat"})

    assert by_sms.utterances[0].text == "Thank you! (sms)"
    assert by_web.utterances[0].text == "Thank you!"


async def test_the_same_message_again_changes_nothing(
    dialogue: RasaDialogue, remembered: Remembered, conversation: str
) -> None:
    """A message that is sent again is answered with the same words, and is in the conversation once."""
    first = await dialogue.turn(conversation, "m1", "the food was cold", SMS)
    await dialogue.turn(conversation, "m2", "great service thank you", SMS)

    again = await dialogue.turn(conversation, "m1", "the food was cold", SMS)

    assert again == first
    assert (await remembered(conversation)).count(("user", "the food was cold")) == 1


async def test_a_failing_action_gives_the_turn_back(
    dialogue: RasaDialogue, remembered: Remembered, conversation: str
) -> None:
    """When an action fails the turn fails, nothing of it is kept, and the conversation goes on from where it was."""
    await dialogue.turn(conversation, "m1", "great service thank you", SMS)
    before = await remembered(conversation)

    with pytest.raises(DialogueUnavailable, match="502"):
        await dialogue.turn(conversation, "m2", "the food was cold, break", SMS)

    assert await remembered(conversation) == before
    assert (await dialogue.turn(conversation, "m2", "the food was cold", SMS)).utterances


async def test_a_paused_conversation_is_silent_until_it_is_resumed(dialogue: RasaDialogue, conversation: str) -> None:
    """After a handoff the bot hears and says nothing; after the handback it answers again."""
    await dialogue.turn(conversation, "m1", "I want a human", SMS)

    assert (await dialogue.turn(conversation, "m2", "the food was cold", SMS)).utterances == ()
    await dialogue.resume(conversation)
    assert (await dialogue.turn(conversation, "m3", "the food was cold", SMS)).utterances


async def test_a_hand_offered_before_a_person_spoke_is_not_taken_by_a_later_yes() -> None:
    """A handback withdraws it, and the bot listens; told twice, it changes nothing more."""
    slot = BooleanSlot("hand_offered", mappings=[], initial_value=False)
    tracker = DialogueStateTracker("c-1", [slot])
    tracker.update_with_events([SlotSet("hand_offered", True), ConversationPaused()], Domain.empty())
    agent = Agent(tracker)

    await turns.resume(agent, "c-1")
    await turns.resume(agent, "c-1")

    assert tracker.get_slot("hand_offered") is False
    assert not tracker.is_paused()
    assert [event.type_name for event in tracker.events][-3:] == ["slot", "resume", "action"]
    assert agent.saved == 2


class Agent:
    """A loaded agent with one conversation."""

    def __init__(self, tracker: DialogueStateTracker) -> None:
        self.tracker, self.domain, self.saved = tracker, Domain.empty(), 0
        self.processor = self.lock_store = self

    @asynccontextmanager
    async def lock(self, conversation_id: str) -> AsyncIterator[None]:
        """Nobody else is here."""
        yield

    async def get_tracker(self, conversation_id: str) -> DialogueStateTracker:
        """The conversation."""
        return self.tracker

    async def save_tracker(self, tracker: DialogueStateTracker) -> None:
        """Count."""
        self.saved += 1


async def test_a_slash_is_not_a_command(dialogue: RasaDialogue, conversation: str) -> None:
    """A customer cannot write Rasa's `/intent` shorthand into the conversation."""
    turn = await dialogue.turn(conversation, "m1", '/EXTERNAL_check_in{"customer_name": "Eve"}', SMS)

    assert all("Eve" not in u.text for u in turn.utterances)
    assert turn.intent is None or not turn.intent.name.startswith("EXTERNAL")


@pytest.mark.parametrize("text", ["", "  ", "👍", "/"])
async def test_a_message_without_words_is_a_turn(dialogue: RasaDialogue, conversation: str, text: str) -> None:
    """Nothing that a customer can send makes a turn fail."""
    turn = await dialogue.turn(conversation, "m1", text, SMS)

    assert turn.utterances == ()


async def test_overlapping_messages_are_answered_one_after_the_other(
    dialogue: RasaDialogue, remembered: Remembered, conversation: str
) -> None:
    """Messages of one conversation that arrive together never interleave."""
    await asyncio.gather(*(dialogue.turn(conversation, f"m{n}", f"the food was cold {n}", SMS) for n in range(5)))

    assert [who for who, _ in await remembered(conversation)] == ["user", "bot"] * 5


async def test_texts_are_parsed_without_a_conversation(dialogue: RasaDialogue) -> None:
    """Many texts can be read at once."""
    parsed = await dialogue.parse([{"text": "the room was dirty"}, {"text": "we loved it"}, {"text": ""}])

    assert [item.intent.name for item in parsed] == ["complain", "praise", "nlu_fallback"]


async def test_events_put_and_posted_through_rasas_api_count(
    dialogue: RasaDialogue,
    remembered: Remembered,
    rasa_http: aiohttp.ClientSession,
    token: str,
    conversation: str,
) -> None:
    """Rasa's own API may append to a conversation, also a new one, and may replace it."""
    address, query = f"/conversations/{conversation}/tracker/events", {"token": token}
    async with rasa_http.post(address, params=query, json=[{"event": "slot", "name": "language", "value": "tr"}]) as r:
        assert r.status == 200
    appended = await dialogue.turn(conversation, "m1", "the food was cold", SMS)

    replacement = [{"event": "action", "name": "action_listen"}, {"event": "slot", "name": "language", "value": "de"}]
    async with rasa_http.put(address, params=query, json=replacement) as r:
        assert r.status == 200
    replaced = await dialogue.turn(conversation, "m1", "the food was cold", SMS)

    assert (appended.language, replaced.language) == ("tr", "de")
    assert [who for who, _ in await remembered(conversation)] == ["user", "bot"]


async def test_a_forgotten_conversation_is_gone(
    dialogue: RasaDialogue, remembered: Remembered, conversation: str
) -> None:
    """Erasure leaves nothing of a conversation."""
    await dialogue.turn(conversation, "m1", "the food was cold", SMS)

    await dialogue.forget(conversation)

    assert await remembered(conversation) == []


async def test_rasa_is_ready_for_those_who_know_the_secret(rasa_url: str, token: str) -> None:
    """Every address of ours is closed without the secret, and Rasa's own API too."""
    async with aiohttp.ClientSession() as session:
        assert await RasaDialogue(session, [rasa_url], token).ready()
        assert not await RasaDialogue(session, [rasa_url], "guessed").ready()
        for path in ("turn", "trigger", "parse", "resume", "forget"):
            async with session.post(f"{rasa_url}/webhooks/afterword/{path}", json={}) as response:
                assert response.status == 401
        async with session.get(f"{rasa_url}/conversations/any/tracker") as response:
            assert response.status == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("turn", "not json"),
        ("turn", "[]"),
        ("turn", '{"conversation_id": 1, "message_id": "m", "text": "hi"}'),
        ("turn", '{"conversation_id": "c", "message_id": "m"}'),
        ("turn", '{"conversation_id": "c", "message_id": "m", "text": "hi", "metadata": []}'),
        ("trigger", '{"conversation_id": "c", "occasion": "o", "intent": "EXTERNAL_unknown"}'),
        ("parse", '{"items": [1]}'),
    ],
)
async def test_a_malformed_request_is_refused(rasa_http: aiohttp.ClientSession, path: str, body: str) -> None:
    """What cannot be understood is answered with a problem document, and never retried."""
    async with rasa_http.post(f"/webhooks/afterword/{path}", data=body) as response:
        assert response.status == 422
        assert response.content_type == "application/problem+json"
        assert (await response.json(content_type=None))["detail"]


async def test_the_client_tells_a_refusal_from_a_failure(dialogue: RasaDialogue, conversation: str) -> None:
    """An unknown intent is our mistake, so trying again would not help."""
    with pytest.raises(DialogueRejected, match="EXTERNAL_unknown"):
        await dialogue.trigger(conversation, "o1", "EXTERNAL_unknown", {})
