"""Whether, when and how to ask: every rule has its say, in order, and the trace shows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bot.core.check_in import (
    ContactDecision,
    ContactPolicy,
    Outcome,
    Reach,
    candidate_zones,
    decide_contact,
    waking,
)
from bot.core.hours import ContactWindow
from bot.core.vocabulary import Medium, Purpose
from tests.core.clocks import ZONES, places_in_time

RULES = ("address", "opt_out", "consent", "stale", "collision", "cap", "quiet_hours")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
LONDON, TOKYO = ZoneInfo("Europe/London"), ZoneInfo("Asia/Tokyo")
POLICY = ContactPolicy()
WILLING = Reach(Medium.SMS, has_address=True, consented=True, opted_out=False, zones=(LONDON,))


def decide(reach: Reach = WILLING, *, now: datetime = NOON, ended: timedelta = timedelta(hours=1)) -> ContactDecision:
    """The decision about a service that ended a while before `now`."""
    return decide_contact(reach, finished_at=now - ended, now=now, policy=POLICY)


def test_a_willing_customer_is_asked_by_day_and_every_rule_has_said_why() -> None:
    """All seven rules pass, each with its reason."""
    decision = decide()

    assert (decision.outcome, decision.send_at) == (Outcome.PASS, NOON)
    assert tuple(entry.rule for entry in decision.trace) == RULES
    assert all(entry.reason and entry.at == NOON for entry in decision.trace)


def test_without_an_address_nobody_is_asked() -> None:
    """A number that is invalid or somebody else's is no address."""
    decision = decide(replace(WILLING, has_address=False))

    assert (decision.outcome, decision.reason) == (Outcome.SKIP, "address")


def test_an_opt_out_outweighs_a_consent() -> None:
    """Who opted out is not asked, whatever the business has on record."""
    decision = decide(replace(WILLING, opted_out=True))

    assert (decision.outcome, decision.reason) == (Outcome.SKIP, "opt_out")


def test_a_text_needs_consent_and_the_website_does_not() -> None:
    """The customer opened the web chat; their phone is another matter."""
    unasked = replace(WILLING, consented=False)

    assert decide(unasked).reason == "consent"
    assert decide(replace(unasked, medium=Medium.WEBCHAT)).outcome is Outcome.PASS


def test_a_service_of_last_week_is_not_asked_about() -> None:
    """After three days the question would only show how slow we are."""
    assert decide(ended=timedelta(days=3)).outcome is Outcome.PASS
    late = decide(ended=timedelta(days=3, seconds=1))
    assert (late.outcome, late.reason) == (Outcome.SKIP, "stale")


def test_nobody_is_asked_cheerfully_while_a_person_is_talking_with_them() -> None:
    """Contacts do not collide (P32)."""
    decision = decide(replace(WILLING, busy=True))

    assert (decision.outcome, decision.reason) == (Outcome.SKIP, "collision")


def test_the_fourth_question_in_a_week_waits_until_the_first_is_a_week_old() -> None:
    """The cap postpones while the service is still fresh by then."""
    contacts = tuple(NOON - timedelta(days=days) for days in (6, 3, 1))

    decision = decide(replace(WILLING, recent_contacts=contacts))

    assert (decision.outcome, decision.reason) == (Outcome.POSTPONE, "cap")
    assert decision.send_at == NOON + timedelta(days=1)


def test_the_cap_drops_what_would_be_stale_by_then() -> None:
    """A question that could only be asked next week is not asked."""
    contacts = tuple(NOON - timedelta(days=days) for days in (1, 1, 1))

    decision = decide(replace(WILLING, recent_contacts=contacts))

    assert (decision.outcome, decision.reason) == (Outcome.SKIP, "cap")


def test_contacts_older_than_a_week_are_forgotten() -> None:
    """Only the last seven days count."""
    contacts = tuple(NOON - timedelta(days=days) for days in (7, 8, 9, 1, 2))

    assert decide(replace(WILLING, recent_contacts=contacts)).outcome is Outcome.PASS


def test_at_night_the_question_waits_for_the_customers_morning() -> None:
    """Deferred, never dropped; noon in London is nine in the evening in Tokyo."""
    decision = decide(replace(WILLING, zones=(TOKYO,)))

    assert (decision.outcome, decision.reason) == (Outcome.POSTPONE, "quiet_hours")
    assert decision.send_at == datetime(2026, 3, 5, tzinfo=UTC)
    assert decision.trace[-1].reason == "it is 21:00 in Asia/Tokyo"


def test_an_unknown_zone_means_an_hour_that_suits_every_candidate() -> None:
    """The intersection of the candidates' days: nine in London is already six in Tokyo's evening."""
    decision = decide(replace(WILLING, zones=(LONDON, TOKYO)))

    assert decision.send_at == datetime(2026, 3, 5, 9, tzinfo=UTC)


def test_where_no_hour_suits_every_candidate_nobody_is_woken() -> None:
    """Auckland and New York share no waking hour in a short window."""
    policy = ContactPolicy(window=ContactWindow(time(10), time(12)))
    reach = replace(WILLING, zones=(ZoneInfo("Pacific/Auckland"), ZoneInfo("America/New_York")))

    decision = decide_contact(reach, finished_at=NOON, now=NOON, policy=policy)

    assert (decision.outcome, decision.reason) == (Outcome.SKIP, "quiet_hours")


@st.composite
def situations(draw: st.DrawFn) -> tuple[Reach, datetime, datetime]:
    """Any customer, any service and any moment; most of them could be asked."""
    zone, now = draw(places_in_time())
    rarely = st.integers(0, 9).map(lambda dice: dice == 0)
    others = draw(st.lists(st.sampled_from(ZONES).map(ZoneInfo), max_size=3))
    ago = st.timedeltas(timedelta(0), timedelta(days=9))
    reach = Reach(
        medium=draw(st.sampled_from(Medium)),
        has_address=not draw(rarely),
        consented=not draw(rarely),
        opted_out=draw(rarely),
        zones=(zone, *others),
        recent_contacts=tuple(now - draw(ago) for _ in range(draw(st.integers(0, 5)))),
        busy=draw(rarely),
    )
    return reach, now - draw(st.timedeltas(timedelta(0), timedelta(days=4))), now


@given(situations())
def test_whoever_is_asked_agreed_has_not_opted_out_and_is_awake_wherever_they_are(
    situation: tuple[Reach, datetime, datetime],
) -> None:
    """The promise of the product about writing first, for any customer at any moment."""
    reach, finished_at, now = situation

    decision = decide_contact(reach, finished_at=finished_at, now=now, policy=POLICY)

    if decision.outcome is Outcome.PASS:
        assert reach.has_address
        assert reach.consented or reach.medium is Medium.WEBCHAT
        assert not reach.opted_out
        assert not reach.busy
        assert all(POLICY.window.allows(now, zone) for zone in reach.zones)
        assert sum(at > now - POLICY.cap_window for at in reach.recent_contacts) < POLICY.cap


@given(situations())
def test_a_postponed_question_comes_back_later_and_in_a_waking_hour(
    situation: tuple[Reach, datetime, datetime],
) -> None:
    """Whichever rule postpones, the time it names suits the customer and lies within days."""
    reach, finished_at, now = situation

    decision = decide_contact(reach, finished_at=finished_at, now=now, policy=POLICY)

    assert (decision.outcome is Outcome.SKIP) is (decision.send_at is None)
    if decision.outcome is Outcome.POSTPONE:
        assert decision.send_at is not None
        assert now < decision.send_at <= now + timedelta(days=9)
        assert all(POLICY.window.allows(decision.send_at, zone) for zone in reach.zones)


@given(situations())
def test_the_trace_is_the_rules_in_order_and_ends_with_the_one_that_decided(
    situation: tuple[Reach, datetime, datetime],
) -> None:
    """Every rule before the last passed; the last one is the outcome."""
    reach, finished_at, now = situation

    decision = decide_contact(reach, finished_at=finished_at, now=now, policy=POLICY)

    asked = tuple(entry.rule for entry in decision.trace)
    assert asked == RULES[: len(asked)]
    assert all(entry.outcome is Outcome.PASS for entry in decision.trace[:-1])
    assert decision.trace[-1].outcome is decision.outcome
    assert decision.reason == asked[-1]


@given(st.sets(st.sampled_from(ZONES), min_size=1, max_size=4), places_in_time())
def test_nobody_is_skipped_for_their_zone_while_a_common_hour_exists(
    zones: set[str], place: tuple[ZoneInfo, datetime]
) -> None:
    """Checked against every quarter of an hour of the next day and a half."""
    _, now = place
    reach = replace(WILLING, zones=tuple(ZoneInfo(name) for name in sorted(zones)))
    quarters = (now + timedelta(minutes=15 * step) for step in range(4 * 36))

    decision = decide_contact(reach, finished_at=now, now=now, policy=POLICY)

    if decision.outcome is Outcome.SKIP:
        assert not any(all(POLICY.window.allows(at, zone) for zone in reach.zones) for at in quarters)


def test_two_services_that_end_together_are_not_asked_about_together() -> None:
    """The second question waits until four hours after the first, on whichever channel that went (P32)."""
    decision = decide(replace(WILLING, contacted_at=NOON - timedelta(minutes=10)))

    assert (decision.outcome, decision.reason) == (Outcome.POSTPONE, "collision")
    assert decision.send_at == NOON + timedelta(hours=3, minutes=50)
    assert decision.trace[-1].reason == "somebody else reached out to this customer 10 minutes ago"


def test_a_follow_up_is_put_off_and_never_dropped() -> None:
    """The case began with the customer: no consent is asked for, and the cap only makes it wait, however long."""
    contacts = tuple(NOON - timedelta(days=days) for days in (1, 1, 1))
    reach = replace(WILLING, consented=False, recent_contacts=contacts)

    decision = decide_contact(
        reach, finished_at=NOON - timedelta(days=9), now=NOON, policy=POLICY, purpose=Purpose.FOLLOW_UP
    )

    assert (decision.outcome, decision.reason) == (Outcome.POSTPONE, "cap")
    assert decision.send_at == NOON + timedelta(days=6)


def test_a_word_of_progress_waits_for_the_morning_whatever_the_cap() -> None:
    """Who waits for a promised answer is told that it takes longer."""
    night = datetime(2026, 3, 4, 22, tzinfo=UTC)
    contacts = tuple(night - timedelta(days=days) for days in (1, 1, 1))

    late = decide_contact(WILLING, finished_at=night, now=night, policy=POLICY, purpose=Purpose.PROGRESS)
    often = decide_contact(
        replace(WILLING, recent_contacts=contacts),
        finished_at=night,
        now=night,
        policy=POLICY,
        purpose=Purpose.PROGRESS,
    )

    for decision in (late, often):
        assert (decision.outcome, decision.send_at) == (Outcome.POSTPONE, datetime(2026, 3, 5, 9, tzinfo=UTC))


def test_the_recorded_zone_comes_first() -> None:
    """Whatever the number and the place say."""
    assert candidate_zones(TOKYO, [LONDON], [LONDON], NOON, POLICY.window) == (TOKYO,)


def test_an_unknown_zone_may_be_the_numbers_or_the_places() -> None:
    """Somebody with a Turkish number, served in London, may be in either."""
    istanbul = ZoneInfo("Europe/Istanbul")

    assert candidate_zones(None, [LONDON], [istanbul, LONDON], NOON, POLICY.window) == (LONDON, istanbul)


def test_a_number_whose_zones_share_no_waking_hour_tells_nothing() -> None:
    """A toll-free number lies everywhere; the customer was served in London."""
    everywhere = [ZoneInfo("Pacific/Honolulu"), ZoneInfo("America/New_York"), ZoneInfo("Pacific/Guam")]

    assert candidate_zones(None, [LONDON], everywhere, NOON, POLICY.window) == (LONDON,)


@given(
    st.lists(st.sampled_from(ZONES), min_size=1, max_size=3),
    st.lists(st.sampled_from(ZONES), max_size=5),
    places_in_time(),
)
def test_wherever_they_may_be_there_is_an_hour_to_write(
    near: list[str], of_number: list[str], place: tuple[ZoneInfo, datetime]
) -> None:
    """Deferred and never dropped: a site is always near, and its day has waking hours."""
    _, now = place
    zones = candidate_zones(
        None, [ZoneInfo(one) for one in near], [ZoneInfo(one) for one in of_number], now, POLICY.window
    )

    assert zones
    assert waking(zones, now, POLICY.window) is not None
