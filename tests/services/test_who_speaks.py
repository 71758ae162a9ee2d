"""Who speaks, and what becomes of the case: the table of docs/guide.md, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actions.action_follow_up import is_fixed
from bot.core.assessment import Reading
from bot.core.dialogue import DialogueUnavailable
from bot.core.errors import Conflict
from bot.core.vocabulary import CaseState, Decided, HandoffReason, Medium, NextStep, Owner
from bot.services.entities import Agent, Case, ContactPoint, Conversation, Decision, Task, TimelineEntry
from bot.services.inbound import Received, receive_webchat
from bot.services.ports import UnitOfWork
from tests.services.house import UNHAPPY, House

THANKS = Reading("thanks", p=0.02, intent="thanks", intent_confidence=0.9)
PRAISE = Reading("the new soup was lovely", p=0.02, intent="satisfied", intent_confidence=0.9)
SAME = replace(UNHAPPY, text="an hour again")
OTHER = replace(UNHAPPY, text="and the bill is wrong", failure="price")
QUESTION = Reading("when does it come?", p=0.2, intent="nlu_fallback", intent_confidence=0.3)
STOP, SILENCE = "STOP", ""

GLAD, SORRY, OFFER, GOOD, AGAIN, ASK = (
    "Thank you.",
    "Sorry; you will hear.",
    "Shall I ask?",
    "Good.",
    "Not done.",
    "Is it?",
)
CONFIRMED, PROGRESS = "utter_opt_out[en]", "utter_progress[en]"
SAYS = {NextStep.CLOSE_WARMLY: GLAD, NextStep.RECOVER: SORRY, NextStep.OFFER_HAND: OFFER, NextStep.LISTEN: "Tell me."}

OPEN, CLAIMED, RESOLVED = CaseState.OPEN, CaseState.CLAIMED, CaseState.RESOLVED
REOPENED, CLOSED = CaseState.REOPENED, CaseState.CLOSED
Row = tuple[list[str], CaseState, Owner, int]
"""What the bot says, the state of the newest case, who speaks from then on, and how many cases there are."""


def left_to_them(state: CaseState) -> Row:
    """A person has it: the bot says nothing, and nothing changes."""
    return [], state, Owner.AGENT, 1


TABLE: dict[str, dict[str, Row]] = {
    "open": {
        **dict.fromkeys(["thanks", "same", "other", "praise", "question"], left_to_them(OPEN)),
        "stop": ([CONFIRMED], OPEN, Owner.AGENT, 1),
        "silence": ([PROGRESS], OPEN, Owner.AGENT, 1),
    },
    "claimed": {
        **dict.fromkeys(["thanks", "same", "other", "praise", "question"], left_to_them(CLAIMED)),
        "stop": ([CONFIRMED], CLAIMED, Owner.AGENT, 1),
        "silence": ([PROGRESS], CLAIMED, Owner.AGENT, 1),
    },
    "waiting": {
        **dict.fromkeys(["thanks", "same", "other", "praise", "question", "silence"], left_to_them(CLAIMED)),
        "stop": ([CONFIRMED], CLAIMED, Owner.AGENT, 1),
    },
    "handed back": {
        "thanks": ([GLAD], CLAIMED, Owner.BOT, 1),
        "same": ([SORRY], CLAIMED, Owner.AGENT, 1),
        "other": ([SORRY], CLAIMED, Owner.AGENT, 1),
        "praise": ([GLAD], CLAIMED, Owner.BOT, 1),
        "question": ([OFFER], CLAIMED, Owner.BOT, 1),
        "stop": ([CONFIRMED], CLAIMED, Owner.BOT, 1),
        "silence": ([], CLAIMED, Owner.BOT, 1),
    },
    "resolved": {
        "thanks": ([GLAD], RESOLVED, Owner.BOT, 1),
        "same": ([SORRY], REOPENED, Owner.AGENT, 1),
        "other": ([SORRY], OPEN, Owner.AGENT, 2),
        "praise": ([GLAD], RESOLVED, Owner.BOT, 1),
        "question": ([OFFER], RESOLVED, Owner.BOT, 1),
        "stop": ([CONFIRMED], CLOSED, Owner.BOT, 1),
        "silence": ([ASK, ASK], CLOSED, Owner.BOT, 1),
    },
    "follow-up asked": {
        "thanks": ([GOOD], CLOSED, Owner.BOT, 1),
        "same": ([AGAIN], REOPENED, Owner.AGENT, 1),
        "other": ([AGAIN], REOPENED, Owner.AGENT, 1),
        "praise": ([GOOD], CLOSED, Owner.BOT, 1),
        "question": ([AGAIN], REOPENED, Owner.AGENT, 1),
        "stop": ([CONFIRMED], CLOSED, Owner.BOT, 1),
        "silence": ([ASK], CLOSED, Owner.BOT, 1),
    },
    "closed": {
        "thanks": ([], CLOSED, Owner.BOT, 1),
        "same": ([SORRY], REOPENED, Owner.AGENT, 1),
        "other": ([SORRY], OPEN, Owner.AGENT, 2),
        "praise": ([], CLOSED, Owner.BOT, 1),
        "question": ([OFFER], CLOSED, Owner.BOT, 1),
        "stop": ([CONFIRMED], CLOSED, Owner.BOT, 1),
        "silence": ([], CLOSED, Owner.BOT, 1),
    },
}
SAID: dict[str, Reading | str] = {
    "thanks": THANKS,
    "same": SAME,
    "other": OTHER,
    "praise": PRAISE,
    "question": QUESTION,
    "stop": STOP,
    "silence": SILENCE,
}


@pytest.fixture
async def sam(house: House) -> Agent:
    """Sam, at a desk where the bot says what its next step is."""

    async def hear(conversation_id: str, message_id: str) -> None:
        step = (await house.recovery.assess_reply(conversation_id, message_id, house.reading)).next_step
        house.dialogue.says = [SAYS[step]] if step in SAYS else []
        if step is NextStep.RECOVER:
            await house.recovery.hand_off(conversation_id, message_id, HandoffReason.DISSATISFIED)
        elif step is NextStep.FOLLOW_UP:
            fixed = is_fixed(house.reading)
            recorded = await house.recovery.follow_up_answered(conversation_id, message_id, fixed)
            house.dialogue.says = [GOOD if recorded.outcome == "closed" else AGAIN]

    house.dialogue.during_turn = hear
    await house.serve()
    return await house.hires()


async def says(house: House, said: Reading | str) -> None:
    """The customer says something, or nothing for ten days."""
    if isinstance(said, Reading):
        house.reading = said
        await house.writes(said.text)
    elif said:
        await house.writes(said)
    else:
        house.dialogue.says = [ASK]
        for _ in range(10):
            house.later(days=1)
            await house.worker.drain()


async def in_state(house: House, sam: Agent, state: str) -> Case:
    """A case that has come as far as this."""
    await says(house, UNHAPPY)
    case = await house.case()
    if state in ("claimed", "waiting", "handed back"):
        await house.desk.claim(case.id, sam.id)
    if state in ("waiting", "handed back"):
        await house.desk.reply(case.id, sam.id, "Robin, Sam here.")
    if state == "handed back":
        await house.desk.hand_back(case.id, sam.id)
    if state in ("resolved", "follow-up asked", "closed"):
        await house.resolves(case, sam)
    if state in ("follow-up asked", "closed"):
        house.dialogue.says = [ASK]
        house.later(days=1)
    await house.worker.drain()
    if state == "closed":
        await says(house, THANKS)
    return await house.case()


@pytest.mark.parametrize(("state", "said"), [(state, said) for state, row in TABLE.items() for said in row])
async def test_the_table(house: House, sam: Agent, state: str, said: str) -> None:
    """Each cell: what the bot says, where the case stands, who speaks from then on."""
    await in_state(house, sam, state)
    before = len(house.sms.texts)
    house.later(minutes=5)

    await says(house, SAID[said])

    newest, conversation = await house.case(), await house.conversation()
    found = (house.sms.texts[before:], newest.state, conversation.owner, len(await house.cases()))
    assert found == TABLE[state][said]


def test_the_table_has_every_cell() -> None:
    """A case in every state hears every kind of utterance."""
    assert all(set(row) == set(SAID) for row in TABLE.values())


@pytest.mark.parametrize("state", ["handed back", "resolved", "closed"])
async def test_thanks_are_answered_once_at_most(house: House, sam: Agent, state: str) -> None:
    """However often they come, and the case stays where it is."""
    case = await in_state(house, sam, state)
    warm = house.sms.texts.count(GLAD)
    for _ in range(3):
        await says(house, THANKS)

    assert house.sms.texts.count(GLAD) - warm <= 1
    assert (await house.case()).state is case.state
    assert len(await house.cases()) == 1


@pytest.mark.parametrize("state", ["resolved", "closed"])
async def test_a_repeat_is_marked_and_comes_back_to_who_had_it(house: House, sam: Agent, state: str) -> None:
    """The same case with its history and its agent; the timeline has the customer's words; nothing is asked again."""
    case = await in_state(house, sam, state)
    house.later(days=29)
    await says(house, SAME)

    again = await house.case()
    assert (again.id, again.state, again.agent_id, again.repeats) == (case.id, REOPENED, sam.id, 1)
    assert (await house.conversation()).agent_id == sam.id
    entry = await house.one(TimelineEntry, case_id=case.id, what="reopened")
    assert (entry.who, entry.why) == ("customer", "an hour again")
    assert (await house.conversation()).awaited == "none"


async def test_after_the_time_for_repeats_a_new_case_follows_the_old(house: House, sam: Agent) -> None:
    """With a link, and the same agent first; the old one stays closed."""
    old = await in_state(house, sam, "closed")
    house.later(days=31)
    await says(house, SAME)

    new = await house.case()
    assert (new.previous_case_id, new.agent_id, new.state, new.repeats) == (old.id, sam.id, OPEN, 0)
    assert (await house.one(Case, id=old.id)).state is CLOSED


async def test_another_complaint_about_the_same_visit_is_a_case_of_its_own_with_the_same_agent(
    house: House, sam: Agent
) -> None:
    """Linked, so that nobody has to ask what was before; and no repeat."""
    old = await in_state(house, sam, "resolved")
    house.later(hours=1)
    await says(house, OTHER)

    new = await house.case()
    assert (new.previous_case_id, new.agent_id, new.repeats) == (old.id, sam.id, 0)


async def test_who_has_left_is_not_promised_again(house: House, sam: Agent) -> None:
    """The case comes back to nobody in particular."""
    case = await in_state(house, sam, "resolved")
    async with house.shop.store() as tx:
        (await tx.get(Agent, sam.id)).active = False
        await tx.commit()
    await says(house, SAME)

    again = await house.case()
    assert (again.id, again.state, again.agent_id) == (case.id, REOPENED, None)


async def test_the_same_trouble_in_another_conversation_follows_the_case_of_the_first(house: House, sam: Agent) -> None:
    """From the phone to the website: a new case there, marked as a repeat, with the agent who knows."""
    old = await in_state(house, sam, "resolved")
    async with house.shop.store() as tx:
        web = await _on_the_web(tx, await tx.get(Conversation, old.conversation_id))
        await tx.commit()
    house.reading = SAME
    house.later(hours=1)
    await receive_webchat(house.shop, web, Received("an hour again", client_id="c1"))
    await house.worker.drain()

    new = await house.case()
    assert (new.conversation_id, new.previous_case_id, new.agent_id, new.repeats) == (web, old.id, sam.id, 1)


async def _on_the_web(tx: UnitOfWork, phone: Conversation) -> str:
    point = ContactPoint(customer_id=phone.customer_id, medium=Medium.WEBCHAT, address="c-1")
    tx.add(point)
    await tx.flush()
    web = Conversation(
        customer_id=phone.customer_id,
        contact_point_id=point.id,
        medium=Medium.WEBCHAT,
        check_in_id=phone.check_in_id,
        created_at=phone.created_at,
    )
    tx.add(web)
    return web.id


async def test_thanks_that_the_bot_could_not_read_open_nothing_again(house: House, sam: Agent) -> None:
    """Rasa was down for a minute: a person looks, in a case of its own."""
    old = await in_state(house, sam, "resolved")
    house.dialogue.broken = DialogueUnavailable("away")
    await house.arrives("thanks")
    for _ in range(8):
        await house.worker.drain()
        house.later(seconds=20)

    assert (await house.one(Case, id=old.id)).state is RESOLVED
    assert (await house.case()).reason is HandoffReason.BOT_UNAVAILABLE


async def test_a_no_while_another_case_is_live_joins_that_one(house: House, sam: Agent) -> None:
    """A conversation has one live case; the other one's timeline says where it went."""
    old = await in_state(house, sam, "resolved")
    await says(house, OTHER)
    [live] = await house.all(Case, previous_case_id=old.id)
    await house.desk.claim(live.id, sam.id)
    await house.desk.hand_back(live.id, sam.id)
    house.dialogue.says = [ASK]
    house.later(days=1)
    await house.worker.drain()
    assert house.sms.texts[-1] == ASK

    await says(house, SAME)

    assert house.sms.texts[-1] == AGAIN
    assert (await house.conversation()).case_id == live.id
    assert (await house.timeline(old))[-1] == "said that it did not hold"
    assert (await house.timeline(live))[-1] == "handed off again"
    with pytest.raises(Conflict, match="another case that is not settled yet"):
        await house.desk.reopen(old.id, sam.id, "it broke")


async def test_the_bot_is_told_of_a_handback_before_it_hears_the_next_message(house: House, sam: Agent) -> None:
    """Explicitly, once, in turn with the customer's messages."""
    case = await in_state(house, sam, "waiting")
    house.reading = THANKS
    await house.desk.hand_back(case.id, sam.id)
    await house.arrives("thanks")
    asked = len(house.dialogue.asked)
    await house.worker.drain()

    told = [next(iter(call)) for call in house.dialogue.asked[asked:]]
    assert told == ["resume", "turn"]


async def test_a_bot_that_is_away_at_the_handback_does_not_keep_the_customer_waiting(house: House, sam: Agent) -> None:
    """After a minute their words go to the person as they always do."""
    case = await in_state(house, sam, "waiting")
    house.dialogue.broken = DialogueUnavailable("away")
    await house.desk.hand_back(case.id, sam.id)
    await house.arrives("hello?")
    for _ in range(20):
        await house.worker.drain()
        house.later(seconds=7)

    assert (await house.conversation()).owner is Owner.AGENT
    assert await house.all(Task, kind="resume_dialogue", state=("todo", "doing")) == []


async def test_claiming_ones_own_case_takes_the_conversation_back(house: House, sam: Agent) -> None:
    """And what the bot was thinking meanwhile does not leave."""
    case = await in_state(house, sam, "handed back")
    think = house.dialogue.during_turn

    async def sam_is_faster(conversation_id: str, message_id: str) -> None:
        await think(conversation_id, message_id)
        await house.desk.claim(case.id, sam.id)

    house.dialogue.during_turn = sam_is_faster
    before = len(house.sms.texts)
    await says(house, THANKS)

    assert house.sms.texts[before:] == []
    assert (await house.conversation()).owner is Owner.AGENT
    why = "a person took over while the bot was answering"
    assert why in [decision.reason for decision in await house.all(Decision, outcome=Decided.SKIPPED)]
    await house.desk.claim(case.id, sam.id)
    assert (await house.timeline(case)).count("took the conversation back") == 1


async def test_a_hidden_cost_is_asked_for_once(house: House, sam: Agent) -> None:
    """Who comes back about it is not asked a second time what it cost them."""
    house.later(hours=5)
    await house.serve("order-2", facts={"wait_minutes": 90, "promised_wait_minutes": 10})
    asked = []
    for _ in range(2):
        message = await house.arrives("an hour for a soup")
        handed = await house.recovery.hand_off(message.conversation_id, message.id, HandoffReason.DISSATISFIED)
        asked.append(handed.ask_hidden_cost)
        case = await house.case()
        await house.resolves(case, sam)
        house.later(hours=1)

    assert asked == [True, False]
    assert (await house.case()).repeats == 1
