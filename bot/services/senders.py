"""Our numbers and services: what each may send now, and what holds one back while its provider is unhappy with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.delivery import Hold, Problem, problem
from bot.core.pace import Meter, Pace, admit
from bot.core.vocabulary import Medium
from bot.services.entities import Sender
from bot.services.ports import Store, UnitOfWork

_STRENGTH = {Hold.NOTHING: 0, Hold.FIRSTS: 1, Hold.EVERYTHING: 2}


@dataclass(frozen=True, slots=True)
class Room:
    """Whether a message may leave: now when `at` is None, else ask again at `at`, `code` being the provider's error
    that pauses the sender, if one does. `counted`: whether the sender has a meter at all, which was moved."""

    at: datetime | None = None
    code: str = ""
    counted: bool = False


async def declare(store: Store, medium: Medium, name: str, pace: Pace, *, now: datetime) -> None:
    """Say which sender a medium has and how fast it may be. What it has sent and its pause stay, unless it is new."""
    async with store() as tx:
        sender = await tx.senders.hold(medium)
        if sender is None or sender.name != name:
            if sender is not None:
                await tx.delete(sender)
                await tx.flush()
            tx.add(
                Sender(
                    medium=medium,
                    name=name,
                    segments_per_second=pace.segments_per_second,
                    burst=pace.burst,
                    busy_until=now,
                    answers_until=now,
                    firsts_until=now,
                )
            )
        else:
            sender.segments_per_second, sender.burst = pace.segments_per_second, pace.burst
        await tx.commit()


async def find_room(tx: UnitOfWork, medium: Medium, *, segments: int, first: bool, placed: bool, now: datetime) -> Room:
    """Ask whether a message may leave now, and count it if so. The sender is ours until the transaction ends."""
    sender = await tx.senders.hold(medium)
    if sender is None:
        return Room()
    answers, firsts, code = sender.answers_until, sender.firsts_until, ""
    if (paused := _paused(sender, now)) and (first or sender.hold is Hold.EVERYTHING):
        code, placed = sender.pause_code, False
        answers = max(answers, paused) if sender.hold is Hold.EVERYTHING else answers
        firsts = max(firsts, paused)
    pace = Pace(sender.segments_per_second, sender.burst)
    meter, at = admit(
        pace, Meter(sender.busy_until, answers, firsts), segments=segments, first=first, placed=placed, now=now
    )
    sender.busy_until, sender.answers_until, sender.firsts_until = (
        meter.busy_until,
        meter.answers_until,
        meter.firsts_until,
    )
    return Room(at, code, counted=True)


async def pause(tx: UnitOfWork, medium: Medium, cause: Problem, *, now: datetime) -> None:
    """Hold back what a provider's error says, from now on. A pause that holds more, while it lasts, stays as it is."""
    sender = await tx.senders.hold(medium)
    if sender is None or cause.holds is Hold.NOTHING or cause.wait is None:
        return
    standing = _paused(sender, now)
    if standing and _STRENGTH[sender.hold] > _STRENGTH[cause.holds]:
        return
    same = standing is not None and sender.hold is cause.holds
    sender.paused_until = max(standing, now + cause.wait) if same and standing else now + cause.wait
    sender.paused_at = sender.paused_at if same else now
    sender.hold, sender.pause_code = cause.holds, cause.code
    tx.changed("desk")


async def back_off(tx: UnitOfWork, medium: Medium, wait: timedelta, *, now: datetime) -> None:
    """Send nothing for a while, and begin slowly afterwards: the provider is busy."""
    sender = await tx.senders.hold(medium)
    if sender is not None:
        burst = timedelta(seconds=sender.burst / sender.segments_per_second)
        sender.busy_until = max(sender.busy_until, now + wait + burst)


async def resume(store: Store, medium: Medium, *, now: datetime) -> bool:
    """End a pause before its time; whether there was one."""
    async with store() as tx:
        sender = await tx.senders.hold(medium)
        if sender is None or _paused(sender, now) is None:
            return False
        sender.paused_until, sender.hold = None, Hold.NOTHING
        sender.firsts_until = sender.answers_until = now
        tx.changed("desk")
        await tx.commit()
        return True


@dataclass(frozen=True, slots=True)
class Notice:
    """One sender that is held back: what waits, until when, because of which error, and since when."""

    medium: Medium
    hold: Hold
    until: datetime
    since: datetime
    problem: Problem

    @property
    def words(self) -> str:
        """What is wrong, for people."""
        waits = "every text waits" if self.hold is Hold.EVERYTHING else "questions and follow-ups wait, answers leave"
        return f"{self.problem.meaning} ({self.problem.code}): {waits}"


async def notices(tx: UnitOfWork, now: datetime) -> list[Notice]:
    """Every sender that is held back now."""
    found = []
    for sender in await tx.all(Sender):
        until = _paused(sender, now)
        if until is not None:
            since = sender.paused_at or now
            found.append(Notice(sender.medium, sender.hold, until, since, problem(sender.pause_code)))
    return found


def _paused(sender: Sender, now: datetime) -> datetime | None:
    return sender.paused_until if sender.paused_until is not None and sender.paused_until > now else None
