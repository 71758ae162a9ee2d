"""What Twilio's forms say, as typed values. New fields appear without notice: unknown ones are kept, never refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MESSAGE_ID_PARAMETER = "message"
"""The parameter that carries our own message id in the query of the status callback address."""


class MalformedWebhook(ValueError):
    """A form without a field that Twilio always sends; `field` names it. Answer 400: a retry would not help."""

    def __init__(self, field: str) -> None:
        super().__init__(f"the form has no {field}")
        self.field = field


class OtherChannel(ValueError):
    """A message that came over another channel than SMS, `whatsapp:` say. Answer 400: we could not reply to it."""

    def __init__(self, channel: str) -> None:
        super().__init__(
            f"messages over {channel} are not supported, only SMS and MMS: point this webhook at a phone number or a "
            f"Messaging Service without {channel} senders"
        )


@dataclass(frozen=True, slots=True)
class Media:
    """One file sent along with a message."""

    url: str
    content_type: str


@dataclass(frozen=True, slots=True)
class InboundSms:
    """One message of a customer, its text exactly as sent.

    `opt_out_type` (STOP, START or HELP) is there only when Twilio's own opt-out handling recognised a keyword.
    """

    provider_id: str
    from_: str
    to: str
    text: str
    media: tuple[Media, ...] = ()
    opt_out_type: str | None = None
    raw: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """How far one message got. `message_id` is ours, when the callback address carried it."""

    provider_id: str
    status: str
    error_code: str | None = None
    message_id: str | None = None


def parse_inbound(form: Mapping[str, str]) -> InboundSms:
    """The message in an inbound webhook; a picture without words has the text "".

    Raises MalformedWebhook, and OtherChannel for an address with the name of a channel before it.
    """
    sender = _required(form, "From")
    channel, prefixed, _ = sender.partition(":")
    if prefixed:
        raise OtherChannel(channel.lower()[:20])
    return InboundSms(
        provider_id=_required(form, "MessageSid", "SmsSid"),
        from_=sender,
        to=_required(form, "To"),
        text=form.get("Body", ""),
        media=tuple(_media(form)),
        opt_out_type=form.get("OptOutType", "").upper() or None,
        raw=dict(form),
    )


def parse_status(form: Mapping[str, str], query: Mapping[str, str] | None = None) -> StatusUpdate:
    """The status in a callback; `query` is that of the request. Raises MalformedWebhook."""
    return StatusUpdate(
        provider_id=_required(form, "MessageSid", "SmsSid"),
        status=_required(form, "MessageStatus", "SmsStatus").lower(),
        error_code=form.get("ErrorCode") or None,
        message_id=(query or {}).get(MESSAGE_ID_PARAMETER) or None,
    )


def _required(form: Mapping[str, str], *names: str) -> str:
    for name in names:
        if value := form.get(name):
            return value
    raise MalformedWebhook(names[0])


def _media(form: Mapping[str, str]) -> list[Media]:
    count = form.get("NumMedia", "0")
    numbers = range(min(int(count), 10)) if count.isdecimal() else range(0)
    urls = ((form.get(f"MediaUrl{n}"), form.get(f"MediaContentType{n}", "")) for n in numbers)
    return [Media(url, content_type) for url, content_type in urls if url]
