"""What was asked, as far as it changes what an answer means: "nothing" is praise after "what could be better?"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.nlu.text import fold

OPEN, IMPROVE, GOOD, UNASKED = "open", "improve", "good", "unasked"
QUESTIONS = (OPEN, IMPROVE, GOOD, UNASKED)
"""An open question, what could be better, what was good; or a text that answers no question we know of."""

_OF_CONTEXT = {"check_in": OPEN, "follow_up": OPEN, "soft_question": IMPROVE}
_IMPROVE = re.compile(
    r"\b(improv|better|differently|missing|daha iyi|eksik|gelistir|iyilestir|bolje|poboljsa|popravi"
    r"|mejor|besser|verbesser|καλυτερ|βελτι|βελτιω)|بهتر|بهبود"
)
_GOOD = re.compile(
    r"\bwhat (was|did you find|went) (good|well)|\b(like|enjoy)(d)? (best|most)|ne(ler)? (iyiydi|guzeldi|hosunuza)"
    r"|begendi|sta je bilo dobro|que (fue bueno|te gusto|le gusto)|was war gut|gefallen|τι σας αρεσε"
    r"|چه چیزی خوب"
)


def question_of_text(asked: str) -> str:
    """The kind of a question, from its words in any of our languages."""
    folded = fold(asked).text.strip(" ?")
    if not folded:
        return UNASKED
    if _IMPROVE.search(folded):
        return IMPROVE
    return GOOD if _GOOD.search(folded) else OPEN


def question_of_context(context: Sequence[Mapping[str, Any]]) -> str:
    """The kind of the last question in a conversation, given as turns with a `text`; `UNASKED` without any."""
    return question_of_text(str(context[-1].get("text") or "")) if context else UNASKED


def question_of_metadata(metadata: Mapping[str, Any]) -> str:
    """What Rasa was told of the moment: the question's own words, else what is awaited, else the check-in."""
    if asked := str(metadata.get("question") or "").strip():
        return question_of_text(asked)
    return _OF_CONTEXT.get(str(metadata.get("context") or ""), OPEN)
