"""Open pages learn of changes within a fraction of a second, whichever process made them.

One watcher a process reads the `changes` table and wakes whoever listens to a topic. A change is only a hint to look
again: what is shown always comes from the store, so a hint too many does no harm, and one too few is made good by the
regular refresh.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import structlog
from aiohttp import ClientConnectionResetError, web

from bot.core.errors import AfterwordError
from bot.services.ports import Hint, Store

log = structlog.get_logger(__name__)

KEEP_ALIVE = 15.0
"""Seconds after which a silent stream says that it is still there."""
REFRESH = "*"
"""The topic under which everybody is woken: look again, whatever it is."""
_LOOK_BACK = 500
_MOST_MISSING = 500
# These and no others end a line of a stream: `str.splitlines` knows more, which may stand inside a JSON text.
_LINE_END = re.compile(r"\r\n|\n|\r")
_LATE_COMMIT = 3.0


class Line:
    """One listener: which of its topics changed since it last looked."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.topics = frozenset(topics)
        self._changed: set[str] = set()
        self._woken = asyncio.Event()

    def wake(self, topic: str) -> None:
        """Something under this topic changed."""
        self._changed.add(topic)
        self._woken.set()

    async def wait(self, seconds: float) -> frozenset[str]:
        """The topics that changed, as soon as there are some; none when so many seconds have passed."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)
        changed = frozenset(self._changed)
        self._changed.clear()
        self._woken.clear()
        return changed


class Seen:
    """Which changes have been told already: all up to the greatest number, except those that are still missing.

    Numbers are given before a transaction commits, so a change may appear after one with a greater number. A number
    that was passed over is waited for `keep` seconds; after that its transaction has been rolled back.
    """

    def __init__(self, keep: float = _LATE_COMMIT) -> None:
        self.greatest = 0
        self._keep = keep
        self._missing: dict[int, float] = {}

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers that may still appear although greater ones have been told."""
        return tuple(self._missing)

    def fresh(self, changes: Iterable[Hint], now: float) -> list[Hint]:
        """Those not told before; they are told now."""
        new = [change for change in changes if change.id > self.greatest or change.id in self._missing]
        numbers = {change.id for change in new}
        newest = max(numbers, default=self.greatest)
        passed_over = range(max(self.greatest, newest - _MOST_MISSING) + 1, newest)
        known = {number: at for number, at in self._missing.items() if at > now - self._keep}
        self._missing = {number: at for number, at in known.items() if number not in numbers}
        self._missing |= {number: now for number in passed_over if number not in numbers}
        self.greatest = max(self.greatest, newest)
        return new

    def start(self, newest: int) -> None:
        """Forget everything and begin a little before the newest change.

        Also when `newest` is smaller than the greatest told: the table was emptied and its numbers began anew.
        """
        self._missing.clear()
        self.greatest = max(0, newest - _LOOK_BACK)


class Live:
    """Wakes listeners by topic: `conversation:{id}`, `typing:{id}`, `desk`. Times in seconds.

    `poll`: how often the store is asked while anybody listens; `refresh`: how often everybody is woken regardless.
    """

    def __init__(self, store: Store, *, poll: float = 0.2, refresh: float = 60.0) -> None:
        self._store = store
        self._poll = poll
        self._refresh = refresh
        self._lines: dict[str, set[Line]] = defaultdict(set)
        self._wanted = asyncio.Event()
        self._seen = Seen()
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    def notify(self, topic: str) -> None:
        """Wake the listeners of a topic in this process at once; never blocks, never fails."""
        for line in self._lines.get(topic, ()):
            line.wake(topic)

    @contextlib.contextmanager
    def listen(self, *topics: str) -> Iterator[Line]:
        """A line that hears of these topics for as long as the block lasts."""
        line = Line(topics)
        for topic in line.topics:
            self._lines[topic].add(line)
        self._wanted.set()
        try:
            yield line
        finally:
            for topic in line.topics:
                self._lines[topic].discard(line)
                if not self._lines[topic]:
                    del self._lines[topic]
            if not self._lines:
                self._wanted.clear()

    @property
    def listeners(self) -> int:
        """How many lines are open."""
        return len({line for lines in self._lines.values() for line in lines})

    def start(self) -> None:
        """Begin to watch."""
        self.closed = False
        self._task = asyncio.create_task(self._watch())

    def hang_up(self) -> None:
        """End every stream, so that the server can stop."""
        self.closed = True
        self._wake_everybody()

    async def close(self) -> None:
        """Stop watching."""
        self.hang_up()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def _wake_everybody(self) -> None:
        for lines in list(self._lines.values()):
            for line in list(lines):
                line.wake(REFRESH)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        refresh_at = 0.0
        while True:
            idle = not self._wanted.is_set()
            await self._wanted.wait()
            try:
                await self._tell(loop.time(), everything_known=idle)
                if idle or loop.time() >= refresh_at:
                    self._wake_everybody()
                    refresh_at = loop.time() + self._refresh
                await asyncio.sleep(self._poll)
            except Exception as error:  # the store may be away for a while; the watcher must outlive that
                log.warning("live.store_away", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _tell(self, now: float, *, everything_known: bool) -> None:
        """Wake who listens to what changed. After an idle time everybody has looked at everything anyway."""
        async with self._store(read_only=True) as tx:
            if everything_known:
                self._seen.start(await tx.changes.newest())
            changes = await tx.changes.since(self._seen.greatest, self._seen.missing)
            if not changes and (newest := await tx.changes.newest()) < self._seen.greatest:
                self._seen.start(newest)
                changes = await tx.changes.since(self._seen.greatest)
        for topic in {change.topic for change in self._seen.fresh(changes, now)}:
            self.notify(topic)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream; `data` may have several lines, and `event` be `""` for an event without a name."""

    event: str
    data: str
    id: str | None = None

    def encode(self) -> bytes:
        """As the wire has it."""
        head = (f"id: {self.id}\n" if self.id else "") + (f"event: {self.event}\n" if self.event else "")
        return (head + "".join(f"data: {line}\n" for line in _LINE_END.split(self.data)) + "\n").encode()


Render = Callable[[frozenset[str]], Awaitable[Sequence[ServerEvent]]]
"""Which events to send now, given the topics that changed: all of them at first, REFRESH when nobody knows."""


async def stream(
    request: web.Request, live: Live, topics: Iterable[str], render: Render, *, keep_alive: float = KEEP_ALIVE
) -> web.StreamResponse:
    """Answer with server-sent events until the client goes, the server stops, or `render` raises an AfterwordError.

    `render` is first asked before the response begins, so that what it raises then is answered as an error. We listen
    before it looks: nothing that happens in between is missed.
    """
    response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    response.content_type = "text/event-stream"
    response.charset = "utf-8"
    with live.listen(*topics) as line:
        first = await render(line.topics)
        with contextlib.suppress(ClientConnectionResetError, ConnectionResetError, AfterwordError):
            await response.prepare(request)
            await response.write(b"retry: 2000\n\n" + b"".join(event.encode() for event in first))
            await _go_on(response, live, line, render, keep_alive)
    return response


async def _go_on(response: web.StreamResponse, live: Live, line: Line, render: Render, keep_alive: float) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time() + keep_alive
    while not live.closed:
        woken = await line.wait(max(0.0, due - loop.time()))
        if live.closed:
            return
        payload = b"".join(event.encode() for event in await render(woken)) if woken else b""
        if not payload and loop.time() >= due:
            payload = b": still here\n\n"
        if payload:
            await response.write(payload)
            due = loop.time() + keep_alive
