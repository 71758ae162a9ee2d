"""Plain English for the trace: what a message was for, what was decided, and what became of it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError

from bot.core.delivery import UNDELIVERED, WITHHELD, problem
from bot.core.vocabulary import Decided, Direction, Medium, Purpose
from bot.services.conversing import SENDING
from bot.services.entities import Consent, Decision, Delivery, Json, Message
from bot.services.reconciling import UNCONFIRMED

_LONGEST = 70
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
_CHANNELS = {Medium.SMS: "SMS", Medium.WEBCHAT: "web chat"}
_PURPOSES = {
    Purpose.CHECK_IN: "the question how {service} was",
    Purpose.SOFT_QUESTION: "the soft question what could have been better",
    Purpose.REPLY: "the assistant's answer",
    Purpose.HANDOFF: "the word that a person takes over",
    Purpose.PROGRESS: "the word that a person's answer takes longer",
    Purpose.FOLLOW_UP: "the question whether the fix helped",
    Purpose.OPT_OUT: "the confirmation of the opt-out",
    Purpose.OPT_IN: "the confirmation that messages come again",
    Purpose.HELP: "the answer to HELP",
    Purpose.AGENT_REPLY: "{name}'s reply",
}


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells the trace of one customer on their own clock."""

    zone: ZoneInfo

    def when(self, at: datetime) -> str:
        """An instant on their clock: "Wed 4 Mar 2026, 12:00"."""
        local = at.astimezone(self.zone)
        return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"

    def planned(self, what: str, at: datetime | None) -> str:
        """What is still to come."""
        return f"{_capital(what)}, {f'at {self.when(at)}' if at else 'as soon as it can leave'}."

    def decision(self, decision: Decision, what: str, medium: Medium, asked: Message | None) -> str:
        """One decision that no message of ours came of; `asked` is what the customer had written."""
        why, by = decision.reason, f" by {channel(medium)}"
        match decision.outcome:
            case Decided.PLANNED:
                later = f" for {self.when(decision.next_at)}" if decision.next_at else ""
                return f"Planned {what}{by}{later}: {why}."
            case Decided.ALLOWED:
                return f"Decided to send {what}{by}: {_answers(decision)}."
            case Decided.POSTPONED:
                until = self.when(decision.next_at) if decision.next_at else "later"
                return f"Put off {what} until {until}: {why}{_window(decision)}."
            case Decided.CANCELLED:
                return f"Cancelled {what}: {why}."
            case Decided.REFUSED:
                return f"Did not take {decision.facts.get('by') or 'an agent'}'s reply: {why}. Nothing left."
        if asked is not None and decision.purpose is Purpose.REPLY:
            return f"Sent no answer to {quoted(asked.text)}: {why}."
        return f"Did not send {what}: {why}."

    def message(
        self, message: Message, what: str, medium: Medium, steps: list[Decision], reports: list[Delivery]
    ) -> str:
        """One message of ours, from the moment it was written to what the provider last said of it."""
        left = any(step.outcome in (Decided.SENT, Decided.FOUND) for step in steps)
        gone = left or (message.provider_id is not None and message.delivery != WITHHELD)
        verb = "Did not send" if message.delivery == WITHHELD else "Sent" if gone else "Wrote"
        said = [f"{verb} {what} by {channel(medium)}: {quoted(message.text)}"]
        # How it ended is said last; that a sending failed and another followed stands where it happened.
        again = message.delivery not in UNDELIVERED
        told = [step for step in steps if again or step.outcome is not Decided.UNDELIVERED]
        said += [self._step(step, message.at) for step in told]
        said += self._became(message, reports)
        return " ".join(_ended(one) for one in said)

    def _clock(self, at: datetime, written_at: datetime) -> str:
        """The time alone on the day of the writing."""
        local, then = at.astimezone(self.zone), written_at.astimezone(self.zone)
        return f"{local:%H:%M}" if local.date() == then.date() else self.when(at)

    def _step(self, step: Decision, written_at: datetime) -> str:
        at, later = self._clock(step.at, written_at), self._clock(step.next_at or step.at, written_at)
        match step.outcome:
            case Decided.SENT:
                return f"Left {at}{_manner(step.facts)}" + (f"; {_answers(step)}" if step.rules else "")
            case Decided.POSTPONED:
                return f"Held {at} until {later}: {step.reason}{_window(step)}"
            case Decided.RETRIED:
                return f"Not taken {at}: {step.reason}{_code(step.facts)}; tried again {later}"
            case Decided.UNCONFIRMED:
                return f"May have left {at}: {step.reason}; the provider is asked before anything is sent again"
            case Decided.UNDELIVERED:
                return f"Not delivered {at}: {step.reason}{_code(step.facts)}; it is tried once more"
            case Decided.FOUND:
                return f"Found {at}: {step.reason}"
            case Decided.FAILED:
                return f"Refused for good {at}: {step.reason}{_code(step.facts)}"
        return f"Held back {at}: {step.reason}"

    def _became(self, message: Message, reports: list[Delivery]) -> list[str]:
        """What the provider reported, or that it has not yet."""
        told = {report.status: self._clock(report.at, message.at) for report in reports}
        ends = [f"{_capital(status)} {told[status]}" for status in ("delivered", "read") if status in told]
        lost = [told[status] for status in told if status in UNDELIVERED]
        if message.delivery in UNDELIVERED and lost:
            meaning = problem(message.delivery_error).meaning if message.delivery_error else "no reason was given"
            ends.append(f"Not delivered, {lost[0]}: {meaning}{_code({'code': message.delivery_error})}")
        elif message.delivery in ("delivered", "read") and not ends:
            ends.append(_capital(message.delivery))
        elif message.provider_id and not ends and message.delivery not in (*UNDELIVERED, WITHHELD, UNCONFIRMED):
            ends.append("No report of its delivery yet")
        elif message.delivery in ("queued", SENDING) and not message.provider_id:
            ends.append("It waits to leave")
        return ends

    def consent(self, consent: Consent, source: Message | None) -> str:
        """One word of the customer on whether we may write to them."""
        by = channel(consent.medium)
        origin = f"they wrote {quoted(source.text)}" if source else consent.source or "no source is recorded"
        return _ended(f"{'Agreed to messages' if consent.granted else 'Opted out of messages'} by {by}: {origin}")


def purpose_words(purpose: Purpose, *, service: str = "", name: str = "") -> str:
    """What a message of this purpose is, in words that follow a verb."""
    return _PURPOSES[purpose].format(service=service or "the service", name=name or "an agent")


def channel(medium: Medium) -> str:
    """A channel's name."""
    return _CHANNELS[medium]


def quoted(text: str) -> str:
    """Words in quotation marks, shortened; what is read from right to left does not turn the sentence around it."""
    words = " ".join(text.split())
    words = words if len(words) <= _LONGEST else words[: _LONGEST - 1].rstrip() + "…"
    isolated = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in words)
    return f"“{_ISOLATE}{words}{_END_ISOLATE}”" if isolated else f"“{words}”"


def is_ours(message: Message) -> bool:
    """Whether we wrote it."""
    return message.direction is Direction.OUT


def _ended(sentence: str) -> str:
    """With a full stop, unless the words it quotes at its end have one."""
    return sentence if sentence.replace(_END_ISOLATE, "").endswith((".”", "…”", "!”", "?”", "؟”")) else f"{sentence}."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _answers(decision: Decision) -> str:
    """What each rule said, in the order they were asked."""
    said = [f"{rule['reason']}{_window(decision) if rule['rule'] == 'quiet_hours' else ''}" for rule in decision.rules]
    return "; ".join(said)


def _window(decision: Decision) -> str:
    window = decision.facts.get("window")
    quiet = bool(decision.rules) and decision.rules[-1]["rule"] == "quiet_hours"
    return f" (we may write {window})" if window and quiet else ""


def _manner(facts: Json) -> str:
    """From whom, in which language, at what length."""
    count, language = facts.get("segments"), facts.get("language")
    parts = [f"from {facts['sender']}" if facts.get("sender") else "", f"in {_language(language)}" if language else ""]
    parts.append(f"{count} segment{'' if count == 1 else 's'}" if count else "")
    said = ", ".join(part for part in parts if part)
    return f" {said}" if said else ""


def _language(code: str) -> str:
    try:
        return Locale.parse(code, sep="-").get_display_name("en") or code
    except (UnknownLocaleError, ValueError):
        return code


def _code(facts: Json) -> str:
    return f" ({facts['code']})" if facts.get("code") else ""
