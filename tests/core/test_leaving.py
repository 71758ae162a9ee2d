"""The door: what may still leave, in the words of the rule that holds it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.check_in import Outcome
from bot.core.hours import ContactWindow
from bot.core.leaving import Leaving, may_leave
from bot.core.vocabulary import MessageKind, Owner

NOON, NIGHT = datetime(2026, 3, 4, 12, tzinfo=UTC), datetime(2026, 3, 4, 22, tzinfo=UTC)
WINDOW = ContactWindow()
FREE = Leaving(
    kind=MessageKind.DIALOGUE,
    opted_out=False,
    unreachable=False,
    owner=Owner.BOT,
    moved_on=False,
    writes_first=True,
    talking_elsewhere=False,
    overtaken=False,
    zones=(ZoneInfo("Europe/London"),),
)


def test_a_question_leaves_by_day_and_every_rule_has_said_so() -> None:
    """Seven rules, each with its reason."""
    decision = may_leave(FREE, now=NOON, window=WINDOW)

    assert decision.outcome is Outcome.PASS
    assert [entry.rule for entry in decision.trace] == [
        "opt_out",
        "address",
        "owner",
        "version",
        "collision",
        "point",
        "quiet_hours",
    ]
    assert all(entry.reason for entry in decision.trace)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"opted_out": True}, "opt_out"),
        ({"unreachable": True}, "address"),
        ({"owner": Owner.AGENT}, "owner"),
        ({"moved_on": True}, "version"),
        ({"overtaken": True}, "point"),
    ],
)
def test_what_holds_a_question_back_is_named(changed: dict[str, object], rule: str) -> None:
    """The first rule that objects decides, and nothing after it is asked."""
    decision = may_leave(replace(FREE, **changed), now=NIGHT, window=WINDOW)  # type: ignore[arg-type]

    assert (decision.outcome, decision.reason) == (Outcome.SKIP, rule)


def test_at_night_a_question_waits_and_an_answer_does_not() -> None:
    """Whoever writes at night is answered at night."""
    asked = may_leave(FREE, now=NIGHT, window=WINDOW)
    answered = may_leave(replace(FREE, writes_first=False), now=NIGHT, window=WINDOW)

    assert (asked.outcome, asked.send_at) == (Outcome.POSTPONE, datetime(2026, 3, 5, 9, tzinfo=UTC))
    assert answered.outcome is Outcome.PASS


def test_an_agents_words_are_held_back_by_an_opt_out_alone() -> None:
    """Hours, owners and versions bind the bot."""
    words = replace(
        FREE, kind=MessageKind.AGENT, owner=Owner.AGENT, moved_on=True, unreachable=True, writes_first=False
    )

    assert may_leave(words, now=NIGHT, window=WINDOW).outcome is Outcome.PASS
    assert may_leave(replace(words, opted_out=True), now=NOON, window=WINDOW).reason == "opt_out"


@given(
    st.builds(
        Leaving,
        kind=st.just(MessageKind.COMPLIANCE),
        opted_out=st.booleans(),
        unreachable=st.booleans(),
        owner=st.sampled_from(Owner),
        moved_on=st.booleans(),
        writes_first=st.just(False),
        overtaken=st.booleans(),
        zones=st.just(()),
    ),
    st.sampled_from([NOON, NIGHT]),
)
def test_the_answer_to_stop_start_and_help_always_leaves(leaving: Leaving, now: datetime) -> None:
    """Its own suppression does not swallow a confirmation, nor does the night."""
    assert may_leave(leaving, now=now, window=WINDOW).outcome is Outcome.PASS
