"""What the apology linter finds, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks.apology import NAMES, examples, measure, sentences, table
from bot.core.apology import ADVICE, READS_AS, ApologyRules, Kind, KindRules, lint
from bot.core.folding import fold
from bot.core.phrases import BadPhrase
from bot.services.apology import load

ROOT = Path(__file__).resolve().parents[2]
RULES = load(ROOT / "data/apology")


def kinds(text: str, language: str = "en") -> list[Kind]:
    """What is found in a text."""
    return [finding.kind for finding in lint(text, RULES[language])]


def looking_for(*find: str, language: str = "en", **more: tuple[str, ...]) -> ApologyRules:
    """Rules with excuses only."""
    return ApologyRules(language, {Kind.EXCUSE: KindRules(find, **more)})


def responses() -> list[tuple[str, str, str]]:
    """Every text of the bot with its name and its language."""
    domain = YAML(typ="safe", pure=True).load((ROOT / "domain.yml").read_text(encoding="utf-8"))
    found = []
    for name, variations in domain["responses"].items():
        for variation in variations:
            conditions = variation.get("condition") or ()
            language = next((c["value"] for c in conditions if c["name"] == "language"), "en")
            found.append((name, language, str(variation["text"])))
    return found


def test_the_bot_never_says_what_the_desk_would_be_warned_of() -> None:
    """Every variation of every response, in its own language."""
    said = responses()

    found = [(name, language, f.kind, f.evidence) for name, language, text in said for f in lint(text, of(language))]

    assert len(said) > 100
    assert found == []


def of(language: str) -> ApologyRules:
    """The rules for a language; `sr-Cyrl` is Serbian."""
    return RULES[language.partition("-")[0]]


@pytest.mark.parametrize("language", NAMES)
def test_what_is_found_is_there_and_what_is_there_is_found(language: str) -> None:
    """On the written set: at least 40 sentences, every kind among the bad ones, as many good ones to be left alone."""
    written = sentences(language)
    good = sum(not sentence.kinds for sentence in written)

    figures = measure(RULES[language], written)

    assert len(written) >= 40
    assert good >= 20
    assert {kind for sentence in written for kind in sentence.kinds} == set(Kind)
    assert figures.precision >= 0.9, figures.false
    assert figures.recall >= 0.85, figures.missed


def test_the_published_examples_and_figures_are_those_of_today() -> None:
    """`python -m benchmarks.apology` prints the table, `--examples` the sentences: put both into docs/apology.md."""
    published = (ROOT / "docs/apology.md").read_text(encoding="utf-8")

    assert table(RULES) in published
    assert examples() in published


def test_a_finding_says_where_and_what_to_write_instead() -> None:
    """The evidence stands in the text as it was written, accents, capitals and all."""
    text = "Üzgünüz. PERSONEL EKSİKLİĞİ vardı."

    [finding] = lint(text, RULES["tr"])

    assert (finding.kind, finding.evidence) == (Kind.EXCUSE, "PERSONEL EKSİKLİĞİ")
    assert text[finding.start : finding.end] == finding.evidence
    assert finding.advice == "Say what happens next instead."


def test_every_kind_has_its_words() -> None:
    """For the hint beside the draft."""
    assert set(READS_AS) == set(ADVICE) == set(Kind)


@pytest.mark.parametrize("text", ["Krivi smo. Nažalost, sistem je pao.", "Криви смо. Нажалост, систем је пао."])
def test_serbian_is_read_in_both_scripts(text: str) -> None:
    """One set of rules, letter for letter."""
    assert kinds(text, "sr") == [Kind.HOLLOW, Kind.EXCUSE]


@pytest.mark.parametrize("text", ["Personalmangel für Küche", "personalmangel fuer kueche"])
def test_german_without_umlauts_is_the_same_german(text: str) -> None:
    """As on a keyboard abroad."""
    assert lint(text, looking_for("für Küche", language="de"))[0].evidence == text[15:]


@pytest.mark.parametrize("text", ["می‌شود", "می شود", "میشود", "مي‌شود"])
def test_persian_is_the_same_with_and_without_the_half_space(text: str) -> None:
    """And on an Arabic keyboard."""
    assert lint(text, looking_for("می‌شود", language="fa"))


def test_but_counts_only_behind_an_apology() -> None:
    """In the same sentence, or at the start of the next."""
    assert kinds("I'm sorry, but the table was booked.") == [Kind.BUT]
    assert kinds("I'm sorry. But the table was booked.") == [Kind.BUT]
    assert kinds("I'm sorry. The soup was cold but the bread was warm.") == []
    assert kinds("Small but lovely.") == []


def test_a_gift_is_welcome_once_the_fix_is_said() -> None:
    """The fix comes before the gift."""
    assert kinds("Here is a voucher. We have replaced the lamp too.") == [Kind.DISCOUNT_BEFORE_FIX]
    assert kinds("We have replaced the lamp. Here is a voucher too.") == []


def test_the_customers_own_words_are_theirs() -> None:
    """What stands in quotation marks is quoted."""
    assert kinds('You wrote "unfortunately nobody came".') == []
    assert kinds("You wrote “unfortunately nobody came”. Unfortunately so.") == [Kind.HOLLOW]


def test_no_phrase_reaches_over_the_end_of_a_sentence() -> None:
    """Two sentences are two thoughts."""
    rules = looking_for("very busy", "busy .. kitchen")

    assert not lint("It is very. Busy bees", rules)
    assert not lint("We are busy. The kitchen is new.", rules)
    assert lint("a busy and rather small kitchen", rules)


def test_one_place_is_one_finding() -> None:
    """The longest words tell it."""
    rules = ApologyRules("en", {Kind.HOLLOW: KindRules(("any problem",)), Kind.EXCUSE: KindRules(("problem",))})

    assert [finding.kind for finding in lint("any problem", rules)] == [Kind.HOLLOW]


@pytest.mark.parametrize("phrase", ["", "  ", "(busy", "busy)", "*", "(a|)"])
def test_a_phrase_that_makes_no_sense_is_refused(phrase: str) -> None:
    """Rather than finding everything, or nothing."""
    with pytest.raises(BadPhrase):
        looking_for(phrase)


@pytest.mark.parametrize("text", ["", " ", "👍", "\n\n", "a" * 1600, "sorry, " * 200, '"' * 99, "because of " * 150])
def test_whatever_is_typed_is_read(text: str) -> None:
    """In every language, without an error."""
    for rules in RULES.values():
        lint(text, rules)


def test_a_folded_text_knows_the_way_back() -> None:
    """A letter that becomes two, one that disappears, and an accent that stands alone."""
    folded = fold("ђак и cafe\u0301!")

    assert folded.text == "djak i cafe!"
    assert folded.raw[slice(*folded.raw_span(7, 11))] == "cafe\u0301"
