"""The playbooks as files, and what they change in a case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.core.apology import lint
from bot.core.authority import Money
from bot.core.errors import Unusable
from bot.core.playbook import Gesture
from bot.core.vocabulary import Failure, GrantKind, HandoffReason, Severity
from bot.services import apology, resources
from bot.services.playbooks import LANGUAGES, load, read_playbooks
from bot.services.recovery import Recovery

from .house import House

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = load(ROOT / "data/playbooks")

WAIT = """\
failure: wait
version: 3
playbooks:
  high:
    first_response_minutes: 12
    ask_hidden_cost: false
    gesture: {kind: voucher, value: 20}
    words:
      en: "An hour is far too long, and I am sorry."
    hints:
    - Say how long it was.
"""


def written(folder: Path, text: str = WAIT, name: str = "wait.yml") -> Path:
    """A file of playbooks."""
    (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def ready(house: House, tmp_path: Path) -> House:
    """The Harbour, with a playbook for long waits."""
    house.shop = replace(house.shop, playbooks=load(written(tmp_path)))
    house.recovery = Recovery(house.shop)
    return house


def test_a_playbook_is_read_as_it_is_written(tmp_path: Path) -> None:
    """Every field of it."""
    [playbook] = load(written(tmp_path))

    assert playbook.id == "wait/high@3"
    assert playbook.gesture == Gesture(GrantKind.VOUCHER, Decimal(20))
    assert playbook.first_response == timedelta(minutes=12)
    assert playbook.asks_hidden_cost is False
    assert playbook.hints == ("Say how long it was.",)


def test_what_a_playbook_leaves_out_is_left_to_the_rules(tmp_path: Path) -> None:
    """Words alone are a playbook."""
    [playbook] = load(written(tmp_path, "failure: wait\nversion: 1\nplaybooks:\n  low: {words: {en: Sorry.}}\n"))

    assert (playbook.gesture, playbook.first_response, playbook.asks_hidden_cost) == (None, None, None)


@pytest.mark.parametrize(
    ("was", "now", "line", "reason"),
    [
        ("failure: wait", "failure: weather", 1, "failure must be one of wait, staff"),
        ("failure: wait", "", 2, "'failure' is missing"),
        ("version: 3", "version: three", 2, "whole number"),
        ("version: 3", "versions: 3", 2, "knows no 'versions'"),
        ("  high:", "  severe:", 4, "no severity"),
        ("minutes: 12", "minutes: 0", 5, "whole number from 1"),
        ("minutes: 12", "minutes: true", 5, "whole number from 1"),
        ("ask_hidden_cost: false", "ask_hidden_cost: often", 6, "write true or false"),
        ("kind: voucher", "kind: apology", 7, "kind must be one of refund"),
        ("value: 20", "value: 51", 7, "more than an agent may grant alone"),
        ("value: 20", "value: -1", 7, "not a positive amount"),
        ("value: 20", "value: .nan", 7, "not a positive amount"),
        ("value: 20}", "value: 20, currency: euro}", 7, "not a currency"),
        ('      en: "', '      fr: "', 9, "knows no 'fr'"),
        ("and I am sorry.", "and I am sorry, {name}.", 9, "cannot have {slots}"),
        ("    - Say how long it was.", "      first: this", 10, "a list of sentences"),
        ("    gesture:", "    gift:", 7, "knows no 'gift'"),
        ("  high:", "  high: [", 6, "no YAML"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(tmp_path: Path, was: str, now: str, line: int, reason: str) -> None:
    """So that whoever edits it finds it at once."""
    assert was in WAIT

    with pytest.raises(Unusable) as refused:
        load(written(tmp_path, WAIT.replace(was, now)))

    assert reason in str(refused.value)
    assert f"wait.yml:{line}: " in str(refused.value)


@pytest.mark.parametrize("text", ["", "- wait\n", "wait\n"])
def test_what_is_no_mapping_is_no_file_of_playbooks(tmp_path: Path, text: str) -> None:
    """An empty file too: it was meant to say something."""
    with pytest.raises(Unusable, match=r"wait\.yml:1: the file must have keys"):
        load(written(tmp_path, text))


def test_one_failure_has_one_file(tmp_path: Path) -> None:
    """Two would contradict each other one day."""
    written(tmp_path)

    with pytest.raises(Unusable, match=r"waits\.yml:1: wait\.yml has the playbooks for 'wait' already"):
        load(written(tmp_path, name="waits.yml"))


def test_the_shipped_playbooks_cover_every_failure_and_speak_every_language() -> None:
    """At every severity; what is said in Serbian is said in both scripts."""
    for failure in Failure:
        for severity in Severity:
            playbook = SHIPPED.find(failure, severity)
            assert playbook is not None, (failure, severity)
            assert all(playbook.words_in(language) for language in LANGUAGES), playbook.id
    assert len(read_playbooks(ROOT / "data/playbooks/wait.yml")) == 3


def test_the_shipped_words_are_apologies() -> None:
    """Nothing in them reads as an excuse, as blame or as anything else that spoils one."""
    rules = apology.load(ROOT / "data/apology")

    found = [
        (playbook.id, language, finding.kind, finding.evidence)
        for playbook in SHIPPED
        for language, words in playbook.words.items()
        for finding in lint(words, rules[language.partition("-")[0]])
    ]

    assert found == []


async def test_a_case_follows_its_playbook(ready: House) -> None:
    """It says which, a person is due when the playbook says, and the words and the gesture are proposed."""
    await ready.serve(facts={"wait_minutes": 70})

    case = await ready.complains()

    assert case.playbook == "wait/high@3"
    assert case.first_response_due == ready.clock.now + timedelta(minutes=12)
    assert await proposed(ready) == {
        "words": "An hour is far too long, and I am sorry.",
        "gesture": {"kind": "voucher", "amount": {"value": "20.00", "currency": "EUR"}},
        "hints": ["Say how long it was."],
    }


async def test_the_playbook_decides_whether_to_ask_what_else_it_cost(ready: House) -> None:
    """This one says no, although an hour's wait would make the bot ask."""
    await ready.serve(facts={"wait_minutes": 70})
    message = await ready.arrives("over an hour for a soup")

    handed = await ready.recovery.hand_off(message.conversation_id, message.id, HandoffReason.DISSATISFIED)

    assert handed.ask_hidden_cost is False


async def test_no_second_gesture_is_proposed(ready: House) -> None:
    """Once something was granted, the next one is judgement."""
    await ready.serve()
    case, sam = await ready.complains(), await ready.hires()
    await ready.desk.claim(case.id, sam.id)

    await ready.desk.grant(case.id, sam.id, GrantKind.VOUCHER, Money(Decimal(20), "EUR"), "")

    suggestion = await proposed(ready)
    assert suggestion["gesture"] is None
    assert suggestion["words"]


async def test_a_gesture_in_another_currency_is_not_proposed(house: House, tmp_path: Path) -> None:
    """The Harbour pays in euros."""
    text = WAIT.replace("value: 20", "value: 20, currency: GBP")
    house.shop = replace(house.shop, playbooks=load(written(tmp_path, text)))
    house.recovery = Recovery(house.shop)
    await house.serve()
    await house.complains()

    assert (await proposed(house))["gesture"] is None


async def test_without_playbooks_everything_is_as_it_was(house: House) -> None:
    """The case names its failure and its severity; nothing is proposed."""
    await house.serve()

    case = await house.complains()

    assert case.playbook == "wait/high"
    assert await proposed(house) is None


async def proposed(house: House) -> resources.Json | None:
    """What the playbook of the newest case proposes."""
    case = await house.case()
    async with house.shop.store(read_only=True) as tx:
        snapshot = await resources.case_snapshot(tx, case.id, house.clock(), house.shop.playbooks)
    suggestion: resources.Json | None = snapshot["playbook_suggestion"]
    return suggestion
