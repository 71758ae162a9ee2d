"""Segments: what a text costs to send."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.sms import GSM7_BASIC, GSM7_EXTENSION, Encoding, cost, encoding_of, segments

# Letters that never join their neighbours into one grapheme, so that Twilio's calculator counts them as carriers do.
PLAIN = sorted(GSM7_BASIC)
LETTERS = [*PLAIN, *sorted(GSM7_EXTENSION), *"şğıİΆώпжћسلامة🙂🛑’…"]
HAND_PICKED = [
    "",
    "a" * 160,
    "a" * 161,
    "a" * 306,
    "a" * 307,
    "€" * 80,
    "€" * 81,
    "a" * 152 + "€" + "a" * 152,
    "^{}\\[~]|€\f" * 18,
    "ş" * 70,
    "ş" * 71,
    "ş" * 134,
    "ş" * 135,
    "ş" * 66 + "🙂" + "ş" * 66,
    "🙂" * 35,
    "🙂" * 36,
    "Hi Ayşe, how was lunch at Harbour Kitchen? Reply STOP to opt out.",
    "Ευχαριστούμε! Πώς ήταν το γεύμα σας σήμερα;",
    "غذا چطور بود؟ برای لغو پیام‌ها «لغو» را بفرستید.",
    "Како је било? Одговорите СТОП за одјаву.",
    "“Smart quotes” – and dashes…",
    "line\nbreaks\r\nand\ttabs",
]
"""The limits themselves, and texts as people and this product write them."""
ORACLE = """
const {SegmentedMessage} = require('sms-segments-calculator');
const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const counted = texts.map(text => new SegmentedMessage(text)).map(m => [m.encodingName, m.segments.length]);
console.log(JSON.stringify(counted));
"""


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", Encoding.GSM7, 0, 1),
        ("a" * 160, Encoding.GSM7, 160, 1),
        ("a" * 161, Encoding.GSM7, 161, 2),
        ("a" * 306, Encoding.GSM7, 306, 2),
        ("a" * 307, Encoding.GSM7, 307, 3),
        ("€" * 80, Encoding.GSM7, 160, 1),
        ("€" * 81, Encoding.GSM7, 162, 2),
        ("ş" * 70, Encoding.UCS2, 70, 1),
        ("ş" * 71, Encoding.UCS2, 71, 2),
        ("ş" * 135, Encoding.UCS2, 135, 3),
        ("🙂" * 35, Encoding.UCS2, 70, 1),
        ("ş" + "€" * 69, Encoding.UCS2, 70, 1),
    ],
)
def test_cost(text: str, encoding: Encoding, units: int, count: int) -> None:
    """Limits are 160/153 septets and 70/67 code units; extension letters count double in GSM-7 only."""
    assert cost(text).encoding is encoding

    assert (cost(text).units, cost(text).segments) == (units, count)


def test_an_extension_letter_is_not_split() -> None:
    """An escape and its letter stay together: 153 septets cannot end in half a euro sign."""
    text = "a" * 152 + "€" + "a" * 152

    assert cost(text).units == 306
    assert segments(text) == 3


def test_a_surrogate_pair_is_not_split() -> None:
    """67 code units cannot end in half an emoji."""
    text = "ş" * 66 + "🙂" + "ş" * 66

    assert cost(text).units == 134
    assert segments(text) == 3


@given(st.text(alphabet=LETTERS, max_size=700))
def test_segments_hold_the_text_and_no_more(text: str) -> None:
    """Enough segments for every unit, and never more than one wasted unit in each."""
    found = cost(text)
    room = 153 if found.encoding is Encoding.GSM7 else 67

    assert found.segments >= 1
    if found.segments > 1:
        assert found.units <= found.segments * room
        assert found.units > (found.segments - 1) * (room - 1)


@given(st.text(alphabet=LETTERS, max_size=400), st.sampled_from(LETTERS))
def test_more_text_never_costs_less(text: str, letter: str) -> None:
    """Adding a letter never saves a segment."""
    assert segments(text + letter) >= segments(text)


@given(st.text(max_size=200))
def test_one_foreign_letter_decides_the_alphabet(text: str) -> None:
    """GSM-7 is all or nothing."""
    assert encoding_of(text + "ş") is Encoding.UCS2
    assert (encoding_of(text) is Encoding.GSM7) == all(c in GSM7_BASIC | GSM7_EXTENSION for c in text)


def test_agrees_with_twilios_calculator() -> None:
    """The counts are those of Twilio Labs' own calculator, on a thousand texts around the limits."""
    web = Path(__file__).parents[2] / "web"
    node = shutil.which("node")
    if node is None or not (web / "node_modules" / "sms-segments-calculator").is_dir():
        pytest.skip("sms-segments-calculator is not installed in web/node_modules")
    texts: list[str] = []

    @settings(max_examples=1000, database=None, derandomize=True)
    @given(st.text(alphabet=LETTERS, min_size=50, max_size=400) | st.text(alphabet=PLAIN, min_size=140, max_size=700))
    def collect(text: str) -> None:
        texts.append(text)

    collect()
    texts += HAND_PICKED

    answer = subprocess.run(
        [node, "-e", ORACLE], input=json.dumps(texts), text=True, capture_output=True, cwd=web, check=True
    )

    ours = [[found.encoding.value, found.segments] for found in map(cost, texts)]
    assert ours == json.loads(answer.stdout)
