"""What Twilio does behind its API: takes messages, delivers them to phones, reports how far they got, and calls us when
a phone writes. The phones are imaginary; the forms, the signatures and the order of events are Twilio's."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import phonenumbers
from aiohttp import web

from bot.channels.simulator.book import AUTOMATIC, INBOUND, OUTBOUND, Book, Entry, now
from bot.channels.simulator.courier import Courier
from bot.channels.simulator.faults import Fault, Faults, Strike
from bot.core.sms import segments

API_VERSION = "2010-04-01"
_SLOW = 30
"""How many times the usual pace a slow status takes."""

_OWN_KEYWORDS = {
    "STOP": {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"},
    "START": {"START", "UNSTOP", "YES"},
    "HELP": {"HELP", "INFO"},
}
_OWN_ANSWERS = {
    "STOP": "You have successfully been unsubscribed. You will not receive any more messages from this number. "
    "Reply START to resubscribe.",
    "START": "You have successfully been re-subscribed to messages from this number. Reply HELP for help. "
    "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
    "HELP": "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}


class Lookalike:
    """One Twilio account with one number.

    `webhook_url` is called for inbound messages, `status_url` for statuses of messages that name no address of their
    own. `pace` is the time in seconds between two statuses, `hang_seconds` how long a `timeout` fault keeps silent,
    `retry_pause` how long a webhook that failed rests. `shared_key`: see `Courier`.
    With `handles_opt_out` it treats STOP, START and HELP itself, as Twilio does on numbers where that is switched on.
    """

    def __init__(
        self,
        book_path: Path,
        account_sid: str,
        auth_token: str,
        number: str,
        webhook_url: str,
        status_url: str,
        session: aiohttp.ClientSession,
        *,
        pace: float = 0.1,
        hang_seconds: float = 60.0,
        retry_pause: float = 1.0,
        shared_key: tuple[str, str] | None = None,
        handles_opt_out: bool = False,
    ) -> None:
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.number = number
        self.webhook_url = webhook_url
        self.status_url = status_url
        self.book = Book(book_path)
        self.faults = Faults()
        self.untaken: set[str] = set()
        self._courier = Courier(session, auth_token, pause=retry_pause, shared_key=shared_key)
        self._pace = pace
        self._hang_seconds = hang_seconds
        self._handles_opt_out = handles_opt_out
        self._under_way: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    async def start(self) -> None:
        """Go on delivering what a restart interrupted."""
        self._closing.clear()
        for entry in await self.book.unfinished():
            self._spawn(self._deliver(entry, None, first_pause=10 * self._pace))

    def wind_up(self) -> None:
        """Let go of clients that are kept waiting."""
        self._closing.set()

    async def close(self) -> None:
        """Stop delivering; what is unfinished is resumed by the next start."""
        self.wind_up()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self.book.close()

    async def settle(self) -> None:
        """Wait until every message under way has been delivered and reported."""
        while self._under_way:
            # `wait` lets the loop turn even when all are done already, so that they can leave the set.
            await asyncio.wait(self._under_way)

    async def hang(self) -> None:
        """Keep a client waiting."""
        try:
            await asyncio.wait_for(self._closing.wait(), self._hang_seconds)
        except TimeoutError:
            return

    async def accept(self, to: str, body: str, *, media: int, service: str | None, callback: str | None) -> Entry:
        """Take a message from the API and begin to deliver it."""
        entry = Entry(
            sid=_sid("MM" if media else "SM"),
            direction=OUTBOUND,
            from_=self.number,
            to=to,
            body=body,
            status="accepted" if service else "queued",
            created_at=(moment := now()),
            updated_at=moment,
            media=media,
            service=service,
            callback=callback or self.status_url,
        )
        strike = self.faults.on_delivery(to)
        await self.book.write(entry)
        delivery = self._spawn(self._deliver(entry, strike))
        if strike is not None and strike.fault is Fault.EARLY_STATUS:
            await asyncio.wait([delivery])
        return entry

    async def receive(self, from_: str, body: str, media: Sequence[tuple[str, str]] = ()) -> str:
        """A phone writes; the message's sid, once the webhook has been called. `media` is pairs of address and type.

        A message that the webhook did not take in the end is among the `untaken`.
        """
        entry = Entry(
            sid=_sid("MM" if media else "SM"),
            direction=INBOUND,
            from_=from_,
            to=self.number,
            body=body,
            status="received",
            created_at=(moment := now()),
            updated_at=moment,
            media=len(media),
            sent_at=moment,
        )
        await self.book.write(entry)
        form = self._inbound_form(entry, media)
        if self._handles_opt_out and (keyword := _own_keyword(body)):
            form["OptOutType"] = keyword
            await self._treat_keyword(from_, keyword)
        copies = 2 if self.faults.on_inbound(from_) else 1
        # Both at once: that is when a check for duplicates has to hold.
        taken = await asyncio.gather(*(self._courier.post(self.webhook_url, form) for _ in range(copies)))
        if not any(taken):
            self.untaken.add(entry.sid)
        return entry.sid

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _deliver(self, entry: Entry, strike: Strike | None, *, first_pause: float = 0.0) -> None:
        await asyncio.sleep(first_pause)
        fault = strike.fault if strike else None
        for status, code in _course(entry.status, strike):
            await asyncio.sleep(self._pace)
            await self.book.move(entry.sid, status, code)
            if fault is Fault.SLOW_STATUS:
                self._spawn(self._report(entry, status, code, after=_SLOW * self._pace))
            elif fault is not Fault.LOST_STATUS:
                for _ in range(2 if fault is Fault.DUPLICATE else 1):
                    await self._report(entry, status, code)

    async def _report(self, entry: Entry, status: str, code: int | None, *, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        form = {
            "SmsSid": entry.sid,
            "SmsStatus": status,
            "MessageStatus": status,
            "To": entry.to,
            "MessageSid": entry.sid,
            "AccountSid": self.account_sid,
            "From": entry.from_,
            "ApiVersion": API_VERSION,
        }
        if entry.service:
            form["MessagingServiceSid"] = entry.service
        if code:
            form["ErrorCode"] = str(code)
        await self._courier.post(entry.callback or self.status_url, form)

    def _inbound_form(self, entry: Entry, media: Sequence[tuple[str, str]]) -> dict[str, str]:
        form = {
            **_place("From", entry.from_),
            **_place("To", entry.to),
            "SmsMessageSid": entry.sid,
            "NumMedia": str(len(media)),
            "SmsSid": entry.sid,
            "SmsStatus": "received",
            "Body": entry.body,
            "NumSegments": str(segments(entry.body)),
            "MessageSid": entry.sid,
            "AccountSid": self.account_sid,
            "From": entry.from_,
            "To": entry.to,
            "ApiVersion": API_VERSION,
        }
        for n, (address, content_type) in enumerate(media):
            form |= {f"MediaUrl{n}": address, f"MediaContentType{n}": content_type}
        return form

    async def _treat_keyword(self, phone: str, keyword: str) -> None:
        if keyword == "STOP":
            await self.book.suppress(phone)
        elif keyword == "START":
            await self.book.release(phone)
        moment = now()
        await self.book.write(
            Entry(
                sid=_sid("SM"),
                direction=AUTOMATIC,
                from_=self.number,
                to=phone,
                body=_OWN_ANSWERS[keyword],
                status="delivered",
                created_at=moment,
                updated_at=moment,
                sent_at=moment,
            )
        )


LOOKALIKE = web.AppKey("lookalike", Lookalike)


def _sid(prefix: str) -> str:
    return prefix + uuid.uuid4().hex


def _course(status: str, strike: Strike | None) -> list[tuple[str, int | None]]:
    """The statuses still to come, each with its error code."""
    match strike:
        case Strike(Fault.UNREACHABLE | Fault.UNDELIVERED, code):
            return [("sent", None), ("undelivered", code)]
        case Strike(Fault.OPTED_OUT_LATER, code):
            return [("failed", code)]
        case Strike(Fault.LATE_STATUS):
            return [("delivered", None), ("sent", None)]
        case _:
            return [("delivered", None)] if status == "sent" else [("sent", None), ("delivered", None)]


def _own_keyword(body: str) -> str | None:
    word = body.strip().upper()
    return next((keyword for keyword, words in _OWN_KEYWORDS.items() if word in words), None)


def _place(side: str, number: str) -> Mapping[str, str]:
    """Twilio's guess of where a number is from; empty fields are sent too, and are part of what is signed."""
    try:
        country = phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        country = ""
    return {f"{side}City": "", f"{side}State": "", f"{side}Zip": "", f"{side}Country": country}
