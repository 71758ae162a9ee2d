"""What the webhooks need from a Twilio adapter; `bot.app` fills it with that of `bot.channels.twilio`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class File(Protocol):
    """One file sent along with a message."""

    @property
    def url(self) -> str:
        """Where it lies."""
        ...

    @property
    def content_type(self) -> str:
        """What it is."""
        ...


class InboundSms(Protocol):
    """One message of a customer, its text exactly as sent."""

    @property
    def provider_id(self) -> str:
        """The provider's id of it."""
        ...

    @property
    def from_(self) -> str:
        """Who sent it, as the provider says; not always a number."""
        ...

    @property
    def text(self) -> str:
        """The words."""
        ...

    @property
    def media(self) -> Sequence[File]:
        """The files."""
        ...


class StatusUpdate(Protocol):
    """How far one message got."""

    @property
    def provider_id(self) -> str:
        """The provider's id of the message."""
        ...

    @property
    def status(self) -> str:
        """The provider's word."""
        ...

    @property
    def error_code(self) -> str | None:
        """The provider's error, where there is one."""
        ...

    @property
    def message_id(self) -> str | None:
        """Our own id of the message, where the callback address carried it."""
        ...


@dataclass(frozen=True, slots=True)
class TwilioPort:
    """`verify(url, form, headers)` tells whether Twilio itself signed a request.

    `parse_inbound(form)` and `parse_status(form, query)` raise ValueError for a form without what Twilio always sends.
    """

    verify: Callable[[str, Mapping[str, str], Mapping[str, str]], bool]
    parse_inbound: Callable[[Mapping[str, str]], InboundSms]
    parse_status: Callable[[Mapping[str, str], Mapping[str, str]], StatusUpdate]
