"""What the provider knows and we do not: texts and statuses whose webhooks never reached us, whoever was down.

A provider tries a webhook a few times and then lets it go. Its list of messages does not: it is read again and again,
from before the last look, and what is missing here is taken in as if the webhook had come.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from bot.core.delivery import advance
from bot.core.errors import ChannelError, Conflict
from bot.core.vocabulary import Medium
from bot.services.delivering import record_status
from bot.services.entities import Message, Task
from bot.services.inbound import Received, receive_sms
from bot.services.ports import Listed
from bot.services.workshop import Workshop

log = structlog.get_logger(__name__)

_KIND = "catch_up"


async def keep_catching_up(shop: Workshop) -> None:
    """Plan the first look unless it is planned; from then on one follows the other, through every restart."""
    now = shop.clock()
    try:
        async with shop.store() as tx:
            task = await tx.one(Task, key=_KIND)
            if task is None:
                since = {"since": now.isoformat()}
                tx.add(Task(kind=_KIND, payload=since, key=_KIND, lock=_KIND, due_at=now, created_at=now))
            elif task.state == "failed":
                # Given up in a long outage of ours; it goes on where it stopped.
                task.state, task.due_at, task.attempts = "todo", now, 0
            await tx.commit()
    except Conflict:
        return  # another worker was faster


async def catch_up(shop: Workshop, task: Task) -> None:
    """Work off the `catch_up` task: take in what is missing since the last look, oldest first, and plan the next.

    Looks overlap by the time within which the provider surely lists what it took. The first look after a restoration
    (`restored`: when the backup was taken) brings back what was lost with the store, which may have been answered.
    """
    began, since = shop.clock(), datetime.fromisoformat(task.payload["since"])
    restored = task.payload.get("restored")
    try:
        listed = await shop.channels[Medium.SMS].listed_since(since - shop.rules.listed_within)
        await _take_in(shop, listed, doubtful_since=restored and datetime.fromisoformat(restored))
        since, restored = began, None
    except ChannelError as error:
        log.warning("the provider could not be asked what was missed", reason=str(error))
    async with shop.store() as tx:
        payload = {"since": since.isoformat(), **({"restored": restored} if restored else {})}
        await tx.tasks.repeat(task, at=shop.clock() + shop.rules.catch_up_every, payload=payload)
        await tx.commit()


async def _take_in(shop: Workshop, listed: list[Listed], *, doubtful_since: datetime | None) -> None:
    async with shop.store(read_only=True) as tx:
        kept = {m.provider_id: m for m in await tx.all(Message, provider_id=[one.provider_id for one in listed])}
    unknown = [one for one in listed if one.inbound and one.provider_id not in kept]
    missed = [one for one in unknown if not await _was_erased(shop, one)]
    for one in missed:
        received = Received(one.text, provider_id=one.provider_id, media=one.media, doubtful_since=doubtful_since)
        await receive_sms(shop, one.address, received)
    if missed:
        log.warning("took in texts whose webhook never came", texts=len(missed))
    for one in listed:
        message = kept.get(one.provider_id)
        if message is not None and not one.inbound and advance(message.delivery, one.status) != message.delivery:
            await record_status(
                shop,
                message_id=message.id,
                provider_id=one.provider_id,
                status=one.status,
                error_code=one.error_code,
            )


async def _was_erased(shop: Workshop, one: Listed) -> bool:
    """Whether we have forgotten this text because its writer asked for it: the provider has not."""
    async with shop.store(read_only=True) as tx:
        seal = await tx.seals.find(Medium.SMS.value, one.address)
    erased_at = seal.erased_at if seal else None
    return erased_at is not None and one.created_at is not None and one.created_at <= erased_at
