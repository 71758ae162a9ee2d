"""From one reply and what surrounds it to a verdict that explains itself, and to what the bot does next."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.assessment import Assessment, Circumstances, Reading, Signal, assess, next_step
from bot.core.calibration import Calibration
from bot.core.facts import Facts
from bot.core.vocabulary import AwaitedAnswer, Failure, NextStep, Verdict

BAD_FACTS = Facts(wait_minutes=55, promised_wait_minutes=20, remade=True)
FINE_I_GUESS = Reading("fine I guess", p=0.4)
HUMAN = ("ask_for_person", "call_me_back", "threat_or_safety")


def of(reading: Reading, **around: object) -> Assessment:
    """The assessment of a reply to a check-in."""
    return assess(reading, Circumstances(**around))  # type: ignore[arg-type]


def names(assessment: Assessment) -> set[str]:
    """Which signals moved it."""
    return {signal.name for signal in assessment.signals}


intents = st.sampled_from(["", "satisfied", "thanks", "complaint", "threat_or_safety", "ask_for_person", "faq"])
cues = st.lists(
    st.builds(Signal, st.sampled_from(["hedge", "contrast", "strong_words"]), st.floats(-2, 2), st.just("…")),
    max_size=2,
)
readings = st.builds(
    Reading,
    text=st.sampled_from(["", "ok", "fine I guess", "we waited an hour and nobody came to ask"]),
    p=st.floats(0, 1),
    signals=cues.map(tuple),
    intent=intents,
    intent_confidence=st.floats(0, 1),
    failure=st.sampled_from(["", "wait", "nonsense"]),
    rating=st.none() | st.integers(1, 5),
)
circumstances = st.builds(
    Circumstances,
    facts=st.builds(
        Facts,
        wait_minutes=st.floats(0, 200),
        late_minutes=st.floats(0, 200),
        remade=st.booleans(),
        rescheduled=st.integers(0, 4),
        refunded=st.booleans(),
        new_service=st.booleans(),
        staff_tenure_days=st.none() | st.integers(0, 90),
    ),
    reply_seconds=st.none() | st.floats(0, 200_000),
    usual_words=st.none() | st.floats(1, 60),
)


@given(readings, circumstances, st.floats(0, 1))
def test_an_unhappier_text_is_never_judged_happier(reading: Reading, around: Circumstances, p: float) -> None:
    """Whatever surrounds it, the probability grows with that of the text."""
    kinder, unkinder = sorted((reading.p, p))

    happier = assess(replace(reading, p=kinder), around)
    unhappier = assess(replace(reading, p=unkinder), around)

    assert happier.probability <= unhappier.probability


@given(readings, circumstances, st.floats(0.05, 0.95))
def test_the_verdict_follows_from_the_probability_and_the_weights_from_the_signals(
    reading: Reading, around: Circumstances, threshold: float
) -> None:
    """At the threshold it is unhappiness; the log-odds are the text's own plus those of the listed signals."""
    assessment = assess(reading, around, calibration=Calibration(threshold=threshold))

    unhappy = assessment.verdict in (Verdict.COMPLAINT, Verdict.MASKED)
    about_the_service = assessment.verdict not in (Verdict.OPTED_OUT, Verdict.UNREACHABLE)
    assert unhappy is (about_the_service and assessment.probability >= threshold)
    text_p = min(max(reading.p, 0.01), 0.99)
    moved = sum(s.weight for s in assessment.signals) - sum(s.weight for s in reading.signals)
    assert assessment.probability == pytest.approx(
        1 / (1 + math.exp(-math.log(text_p / (1 - text_p)) - moved)), abs=2e-4
    )
    assert all(signal.evidence for signal in assessment.signals)


@given(readings, circumstances)
def test_the_strongest_reason_comes_first(reading: Reading, around: Circumstances) -> None:
    """Whoever reads the signals reads the decisive one first."""
    weights = [abs(signal.weight) for signal in assess(reading, around).signals]

    assert weights == sorted(weights, reverse=True)


# Each signal, alone and explained


def test_a_low_rating_weighs_heavily() -> None:
    """Two of five under kind words is not kindness."""
    assessment = of(replace(FINE_I_GUESS, rating=2))

    assert assessment.signals[0] == Signal("low_rating", 1.6, "2 of 5")
    assert assessment.verdict is Verdict.MASKED


def test_words_outweigh_a_kind_rating_that_contradicts_them() -> None:
    """Four stars and a complaint: the words are believed, and the gap is a hint of restraint."""
    assessment = of(Reading("good but nobody spoke to us", p=0.6, rating=4))

    assert assessment.signals[0].name == "rating_against_text"
    assert assessment.probability > 0.6


def test_a_kind_rating_under_kind_words_is_believed() -> None:
    """Five stars calm a doubt."""
    assessment = of(replace(FINE_I_GUESS, rating=5))

    assert names(assessment) == {"high_rating"}
    assert assessment.verdict is Verdict.SATISFIED


def test_three_of_five_says_nothing() -> None:
    """The middle of a scale is no evidence."""
    assert names(of(replace(FINE_I_GUESS, rating=3))) == set()


def test_a_clear_intent_counts_and_an_unsure_one_does_not() -> None:
    """Below 0.6 the classifier is guessing."""
    said = replace(FINE_I_GUESS, intent="complaint", intent_confidence=0.8)

    assert of(said).signals[0] == Signal("says_so", 1.2, "read as complaint, 80% sure")
    assert names(of(replace(said, intent_confidence=0.5))) == set()


def test_a_threat_is_a_complaint_however_calmly_it_is_worded() -> None:
    """Injury, illness and lawyers are never waited out."""
    said = Reading("my daughter got sick", p=0.2, intent="threat_or_safety", intent_confidence=0.9)

    assert of(said).verdict is Verdict.COMPLAINT


@pytest.mark.parametrize(("intent", "verdict"), [("opt_out", "opted_out"), ("wrong_person", "unreachable")])
def test_what_is_not_about_the_service_is_not_held_against_it(intent: str, verdict: str) -> None:
    """ "Please stop texting me" says nothing about the lunch."""
    said = Reading("please stop texting me", p=0.9, intent=intent, intent_confidence=0.9)

    assert of(said).verdict == verdict


@pytest.mark.parametrize("cue", ["contrast", "named_failure", "hedge"])
def test_praise_with_a_but_is_not_praise(cue: str) -> None:
    """ "Lovely, though…" loses the credit of "lovely" (P5)."""
    praise = replace(FINE_I_GUESS, intent="satisfied", intent_confidence=0.9)

    assert "says_well" in names(of(praise))
    assert "says_well" not in names(of(replace(praise, signals=(Signal(cue, 0.4, "though"),))))


def test_an_answer_much_shorter_than_usual_is_a_hint() -> None:
    """Someone who usually writes a paragraph writes "fine I guess"."""
    assessment = of(FINE_I_GUESS, usual_words=18)

    assert assessment.signals == (Signal("shorter_than_usual", 0.5, "3 words where 18 are usual"),)
    assert names(of(FINE_I_GUESS, usual_words=8)) == set()
    assert names(of(replace(FINE_I_GUESS, text="ok"), usual_words=4)) == set()


def test_a_slow_answer_is_a_hint_unless_it_is_kind() -> None:
    """Twelve hours to say "fine"."""
    assert of(FINE_I_GUESS, reply_seconds=13 * 3600).signals == (Signal("slow_reply", 0.2, "answered after 13 h"),)
    assert names(of(FINE_I_GUESS, reply_seconds=11 * 3600)) == set()
    assert names(of(Reading("wonderful", p=0.05), reply_seconds=13 * 3600)) == set()


def test_what_operations_know_turns_a_lukewarm_answer_into_a_masked_complaint() -> None:
    """ "Fine I guess" after an hour's wait is not fine."""
    assert of(FINE_I_GUESS).verdict is Verdict.LUKEWARM

    assessment = of(FINE_I_GUESS, facts=BAD_FACTS)

    assert assessment.verdict is Verdict.MASKED
    assert {"long_wait", "remade"} <= names(assessment)
    assert assessment.failure is Failure.QUALITY


def test_kind_words_halve_what_operations_know() -> None:
    """Someone who forgives is not argued with."""
    assert of(Reading("wonderful, thank you", p=0.03), facts=BAD_FACTS).verdict is Verdict.SATISFIED


def test_open_words_make_a_complaint_and_hidden_ones_a_mask() -> None:
    """Whether it was said aloud decides between the two."""
    unhappy = Reading("awful", p=0.9)

    assert of(unhappy).verdict is Verdict.MASKED
    assert of(replace(unhappy, intent="complaint")).verdict is Verdict.COMPLAINT
    assert of(replace(unhappy, signals=(Signal("strong_words", 1.0, "awful"),))).verdict is Verdict.COMPLAINT


def test_the_customers_own_failure_outranks_what_operations_know() -> None:
    """The words come first; an unknown code falls back to the facts, and no facts to nothing."""
    assert of(replace(FINE_I_GUESS, failure="price"), facts=BAD_FACTS).failure is Failure.PRICE
    assert of(replace(FINE_I_GUESS, failure="nonsense"), facts=BAD_FACTS).failure is Failure.QUALITY
    assert of(FINE_I_GUESS).failure is Failure.NONE


# What the bot does next


def step(reading: Reading, awaited: AwaitedAnswer = AwaitedAnswer.CHECK_IN, **around: object) -> NextStep:
    """The next step after a reply."""
    return next_step(of(reading, **around), reading, awaited)


def test_unsure_asks_softly_once_and_never_twice() -> None:
    """A second "fine" is believed and thanked."""
    assert step(FINE_I_GUESS) is NextStep.ASK_SOFTLY
    assert step(FINE_I_GUESS, AwaitedAnswer.SOFT_QUESTION) is NextStep.CLOSE_WARMLY


def test_where_nothing_was_asked_thanks_are_the_last_word_and_riddles_meet_an_open_ear() -> None:
    """Silence only for what is surely a goodbye; a stranger's first words are always answered."""
    thanks = Reading("thanks", p=0.02, intent="thanks", intent_confidence=0.9)

    assert step(thanks, AwaitedAnswer.NOTHING) is NextStep.STAY_SILENT
    assert step(replace(thanks, intent_confidence=0.3), AwaitedAnswer.NOTHING) is NextStep.LISTEN
    assert step(thanks, AwaitedAnswer.FIRST_WORDS) is NextStep.LISTEN
    assert step(replace(thanks, intent="satisfied"), AwaitedAnswer.FIRST_WORDS) is NextStep.CLOSE_WARMLY
    assert step(Reading("it was cold", p=0.9), AwaitedAnswer.FIRST_WORDS) is NextStep.RECOVER


def test_a_passing_remark_gets_an_offer_and_not_a_question() -> None:
    """Who named what was wrong is not asked what could have been better."""
    assert step(replace(FINE_I_GUESS, failure="wait")) is NextStep.OFFER_HAND
    assert step(replace(FINE_I_GUESS, failure="wait"), AwaitedAnswer.SOFT_QUESTION) is NextStep.OFFER_HAND


def test_a_hand_is_offered_once() -> None:
    """Who did not take it is thanked and left alone, even where operations know of a failure."""
    late = Facts(late_minutes=20)

    assert step(Reading("it was fine", p=0.2), facts=late) is NextStep.OFFER_HAND
    assert step(Reading("no need", p=0.2), AwaitedAnswer.HAND_OFFERED, facts=late) is NextStep.CLOSE_WARMLY


def test_the_happy_get_a_warm_close_and_the_unhappy_a_recovery() -> None:
    """And nothing more, or nothing less (P2)."""
    assert step(Reading("lovely", p=0.02)) is NextStep.CLOSE_WARMLY
    assert step(Reading("it was cold", p=0.9)) is NextStep.RECOVER
    assert step(Reading("it was cold", p=0.9), AwaitedAnswer.SOFT_QUESTION) is NextStep.RECOVER
    assert step(Reading("it was cold", p=0.9), AwaitedAnswer.NOTHING) is NextStep.RECOVER


@given(readings, circumstances, st.sampled_from(HUMAN), st.sampled_from(AwaitedAnswer))
def test_whoever_asks_for_a_person_gets_one(
    reading: Reading, around: Circumstances, intent: str, awaited: AwaitedAnswer
) -> None:
    """A person is one word away, however happy the rest of the words and whatever was asked."""
    asked = replace(reading, intent=intent, intent_confidence=0.9)

    assert next_step(assess(asked, around), asked, awaited) is NextStep.RECOVER


def test_a_guess_that_they_might_want_a_person_is_not_enough() -> None:
    """Below 0.6 the rest decides."""
    assert (
        step(Reading("lovely people", p=0.02, intent="ask_for_person", intent_confidence=0.4)) is NextStep.CLOSE_WARMLY
    )


def test_thanks_after_the_close_is_left_in_peace() -> None:
    """Nobody needs the last word (P2); a complaint after the close is another matter."""
    thanks = Reading("thanks!", p=0.02, intent="thanks", intent_confidence=0.9)

    assert step(thanks, AwaitedAnswer.NOTHING) is NextStep.STAY_SILENT
    assert step(replace(thanks, p=0.99), AwaitedAnswer.NOTHING) is NextStep.RECOVER


def test_thanks_to_a_person_are_answered_once_whatever_operations_know() -> None:
    """After a fix they are the last word; what went wrong was dealt with, and makes no complaint of them."""
    thanks = Reading("thanks!", p=0.3, intent="thanks", intent_confidence=0.9)
    grave = of(thanks, facts=BAD_FACTS)
    assert grave.verdict is Verdict.MASKED

    assert next_step(grave, thanks, AwaitedAnswer.LAST_WORD, story_known=True) is NextStep.CLOSE_WARMLY
    assert next_step(grave, thanks, AwaitedAnswer.NOTHING, story_known=True) is NextStep.STAY_SILENT
    assert next_step(grave, thanks, AwaitedAnswer.CHECK_IN) is NextStep.RECOVER


def test_who_has_told_their_story_is_offered_the_person_who_knows_it() -> None:
    """Instead of being asked for it again."""
    riddle = Reading("and the other one?", p=0.2, intent="nlu_fallback", intent_confidence=0.2)

    for awaited in (AwaitedAnswer.NOTHING, AwaitedAnswer.LAST_WORD):
        assert next_step(of(riddle), riddle, awaited, story_known=True) is NextStep.OFFER_HAND
        assert next_step(of(riddle), riddle, awaited) is NextStep.LISTEN


@given(readings, circumstances)
def test_an_answer_to_the_follow_up_belongs_to_the_follow_up(reading: Reading, around: Circumstances) -> None:
    """Whether it helped is asked by the case, not by the check-in; only a wish for a person goes first."""
    expected = NextStep.FOLLOW_UP
    if reading.intent in HUMAN and reading.intent_confidence >= 0.6:
        expected = NextStep.RECOVER

    assert next_step(assess(reading, around), reading, AwaitedAnswer.FOLLOW_UP) is expected
