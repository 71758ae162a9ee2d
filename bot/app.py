"""Where everything is put together, once, at the start of a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine

from bot import collector
from bot.channels.simulator import create_lookalike, create_relay, create_simulator, news_of, relayed_news
from bot.channels.twilio import TwilioChannel, parse_inbound, parse_status, verify
from bot.channels.webchat import WebChatChannel
from bot.core.check_in import ContactPolicy
from bot.core.dialogue import DialogueUnavailable, Parsed, Turn
from bot.core.errors import Unusable
from bot.core.hours import ContactWindow
from bot.core.pace import Pace, pace_of
from bot.core.sealing import Sealer
from bot.core.vocabulary import Medium
from bot.dialogue.client import RasaDialogue
from bot.dialogue.words import Words
from bot.edge.app import Context, create_app, create_worker_app
from bot.edge.arrivals import Arrivals
from bot.edge.live import Live
from bot.edge.metrics import Metrics
from bot.edge.twilio_port import TwilioPort
from bot.services import apology, playbooks, senders
from bot.services.ports import Channels
from bot.services.recovery import Recovery
from bot.services.workshop import Rules, Workshop
from bot.serving import Check, serve
from bot.settings import PREFIX, Settings, load
from bot.store.migrate import at_head, migrate
from bot.store.unit_of_work import SqlStore, async_url, create_engine
from bot.work.loop import Worker

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder: where domain.yml and data/ are."""

SIMULATED_ACCOUNT = "AC" + "0" * 32
SIMULATED_NUMBER = "+15005550006"
SIMULATED_TWILIO = "/simulator/twilio"


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def rules_of(settings: Settings, words: Words) -> Rules:
    """The business's own choices, as the use cases speak of them."""
    window = ContactWindow(settings.contact_from, settings.contact_until)
    return Rules(
        business=settings.business,
        language=settings.language,
        languages=words.languages(),
        contact=ContactPolicy(
            window=window,
            cap=settings.contact_cap,
            spacing=timedelta(minutes=settings.contact_spacing_minutes),
        ),
        check_in_delay=timedelta(minutes=settings.check_in_delay_minutes),
        silence_after=timedelta(hours=settings.silence_after_hours),
        bot_may_fail_for=timedelta(seconds=settings.bot_may_fail_seconds),
        lease=timedelta(seconds=settings.lease_seconds),
        listed_within=timedelta(seconds=settings.listed_within_seconds),
        catch_up_every=timedelta(seconds=settings.catch_up_seconds),
        follow_up_delay=timedelta(minutes=settings.follow_up_delay_minutes),
        follow_up_again_after=timedelta(hours=settings.follow_up_again_hours),
        repeat_within=timedelta(days=settings.repeat_within_days),
    )


def open_store(settings: Settings) -> SqlStore:
    """The store the settings name; the caller disposes of its engine."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        async_url(settings.sql_url()),
        connections=settings.database_connections,
        statement_seconds=settings.database_statement_seconds,
    )
    return SqlStore(engine, sealer_of(settings))


def sealer_of(settings: Settings) -> Sealer:
    """What makes the marks of erased people."""
    return Sealer(settings.suppression_key.get_secret_value())


async def ready_store(settings: Settings) -> SqlStore:
    """The store, once it answers with the newest schema. Raises Unusable, saying what to do, when it does not."""
    store = open_store(settings)
    try:
        current = await at_head(store.engine)
    except Exception as error:
        await store.engine.dispose()
        reason = type(error).__name__
        raise Unusable(f"the database does not answer ({reason}); check AFTERWORD_DATABASE_URL") from error
    if not current:
        await store.engine.dispose()
        raise Unusable("the database has an older schema, or none; run `uv run afterword migrate` first")
    try:
        await _must_know_the_erased(store)
    except BaseException:
        await store.engine.dispose()
        raise
    return store


async def _must_know_the_erased(store: SqlStore) -> None:
    """Raises Unusable when people opted out whom we could not recognise: they would be written to."""
    async with store(read_only=True) as tx:
        unknown = await tx.seals.foreign()
    if unknown:
        raise Unusable(
            f"{unknown} marks of erased people were made with another AFTERWORD_SUPPRESSION_KEY than the one set now. "
            "Set that one again, or people who opted out could be written to. If it is lost for good, "
            "`uv run afterword forget-marks` lets them go"
        )


@asynccontextmanager
async def workshop(settings: Settings, notify: Callable[[str], None]) -> AsyncIterator[Workshop]:
    """Everything the use cases need, closed again at the end. `notify` wakes the listeners of a conversation."""
    store = await ready_store(settings)
    words = Words.load(ROOT / "domain.yml", settings.language)
    sender = settings.twilio_sender or SIMULATED_NUMBER
    await senders.declare(store, Medium.SMS, sender, _pace(settings), now=now())
    async with aiohttp.ClientSession() as session:
        yield Workshop(
            store=store,
            clock=now,
            dialogue=RasaDialogue(
                session, settings.rasa_urls(), settings.rasa_token.get_secret_value(), timeout=settings.rasa_seconds
            ),
            words=words,
            channels=_channels(settings, session, notify),
            rules=rules_of(settings, words),
            playbooks=playbooks.load(ROOT / "data/playbooks"),
            apology=apology.load(ROOT / "data/apology"),
        )
    await store.engine.dispose()


def _pace(settings: Settings) -> Pace:
    """How fast texts may leave; the look-alike's imaginary carriers allow more than anybody needs."""
    return pace_of(settings.twilio_sender, settings.twilio_segments_per_second or 1000 * settings.simulated)


def _channels(settings: Settings, session: aiohttp.ClientSession, notify: Callable[[str], None]) -> Channels:
    base_url = None
    if settings.simulated:
        base_url = (settings.simulator_url or f"http://{settings.host}:{settings.port}").rstrip("/") + SIMULATED_TWILIO
    sms = TwilioChannel(
        session,
        settings.twilio_account_sid or SIMULATED_ACCOUNT,
        settings.twilio_auth_token.get_secret_value(),
        settings.twilio_sender or SIMULATED_NUMBER,
        f"{settings.base_url()}/webhooks/twilio/status#rc=3&rp=all",
        base_url=base_url,
    )
    return {Medium.SMS: sms, Medium.WEBCHAT: WebChatChannel(notify)}


@asynccontextmanager
async def bare_workshop(settings: Settings) -> AsyncIterator[Workshop]:
    """A workshop for what needs only the store: commands, and the actions that Rasa calls. It reaches nobody."""
    store = await ready_store(settings)
    try:
        yield _bare(settings, store)
    finally:
        await store.engine.dispose()


async def build_recovery() -> Recovery:
    """The use cases the custom actions call, over the store that the settings name, for this process's life.

    Raises Unusable, saying what to do, when the store does not answer or has not the newest schema.
    """
    settings = load()
    return Recovery(_bare(settings, await ready_store(settings)))


async def migrate_store(settings: Settings) -> None:
    """Bring the database to the newest schema."""
    store = open_store(settings)
    await migrate(store.engine)
    await store.engine.dispose()


async def run_edge(settings: Settings) -> None:
    """Serve the edge until it is told to stop; then first the worker it hosts leaves, then the requests."""
    hosted = _Hosted(settings.stop_seconds)
    await serve(
        lambda: _edge(settings, hosted),
        host=settings.host,
        port=settings.port,
        what="the edge",
        choose=f"--port or {PREFIX}PORT",
        leave=hosted.leave,
    )


async def run_worker(settings: Settings, host: str, port: int) -> None:
    """Work off what is due until told to stop; unless `port` is 0, with /livez, /readyz and /metrics of its own."""
    hosted = _Hosted(settings.stop_seconds)
    await serve(
        lambda: _worker(settings, hosted), host=host, port=port, what="the worker", choose="--port", leave=hosted.leave
    )


class _Hosted:
    """The worker of a process, if it has one: from its start until it has left."""

    def __init__(self, stop_seconds: float) -> None:
        self._stop_seconds = stop_seconds
        self._worker: Worker | None = None
        self._running: asyncio.Task[None] | None = None

    def start(self, shop: Workshop, gives_way: Callable[[], bool] = lambda: False) -> None:
        """Begin to work; the store of this process hands new tasks over. While it `gives_way`, it takes but a few."""
        assert isinstance(shop.store, SqlStore)
        shop.store.worker = self._worker = Worker(shop, gives_way=gives_way)
        self._running = asyncio.create_task(self._worker.run())

    async def working(self) -> bool:
        """Whether it takes tasks."""
        return self._worker is not None and self._worker.working

    async def leave(self) -> None:
        """Finish what is under way, give the rest back. Asked again, it finishes what was handed over meanwhile."""
        if self._worker is not None and self._running is not None:
            await self._worker.stop(self._stop_seconds)
            await self._running


async def _worker(settings: Settings, hosted: _Hosted) -> web.Application:
    """A worker's own small application. What it writes to open web chats reaches their edges through the store."""
    stack, metrics = AsyncExitStack(), Metrics()
    shop = await stack.enter_async_context(workshop(settings, notify=lambda conversation_id: None))
    shop = _counted(shop, metrics)
    checks = {"schema": lambda: at_head(_engine(shop)), "worker": hosted.working}
    return create_worker_app(shop, metrics, checks, _living(stack, lambda: hosted.start(shop), hosted))


async def _edge(settings: Settings, hosted: _Hosted) -> web.Application:
    """The edge with everything it hosts; what it opened is closed when the application is."""
    stack, metrics, arrivals = AsyncExitStack(), Metrics(), Arrivals()
    live: list[Live] = []
    shop = await stack.enter_async_context(
        workshop(settings, notify=lambda conversation_id: live[0].notify(f"conversation:{conversation_id}"))
    )
    shop = _counted(shop, metrics)
    live.append(Live(shop.store))
    mounts, news = {}, None
    if settings.hosts_simulator:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        twilio = lookalike(settings, session)
        mounts, news = {"/simulator": create_simulator(twilio)}, news_of(twilio)
    elif settings.simulated:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        mounts = {"/simulator": create_relay(session, settings.simulator_url)}
        news = relayed_news(session, settings.simulator_url)
    checks: dict[str, Check] = {"schema": lambda: at_head(_engine(shop))}
    if settings.worker:
        checks["worker"] = hosted.working

    def begin() -> None:
        hosted.start(shop, arrivals.are_many)

    return create_app(
        shop,
        settings,
        twilio=_twilio_port(settings),
        live=live[0],
        metrics=metrics,
        arrivals=arrivals,
        contexts=[
            _living(stack, (lambda: hosted.start(shop, arrivals.are_many)) if settings.worker else lambda: None, hosted)
        ],
        checks=checks,
        mounts=mounts,
        phone_news=news,
    )


def _living(stack: AsyncExitStack, start: Callable[[], None], hosted: _Hosted) -> Context:
    """From the application's start to its end: begin to work, and in the end close what was opened."""

    async def living(app: web.Application) -> AsyncIterator[None]:
        start()
        collector.settle()
        yield
        await hosted.leave()
        await stack.aclose()

    return living


def _counted(shop: Workshop, metrics: Metrics) -> Workshop:
    return replace(shop, channels={medium: metrics.counted(medium, c) for medium, c in shop.channels.items()})


def lookalike(settings: Settings, session: aiohttp.ClientSession, **options: Any) -> web.Application:
    """The look-alike of Twilio that calls the edge of these settings, on its own small book."""
    return create_lookalike(
        settings.data_dir / "simulator.sqlite",
        SIMULATED_ACCOUNT,
        settings.twilio_auth_token.get_secret_value(),
        SIMULATED_NUMBER,
        f"{settings.base_url()}/webhooks/twilio/sms#rc=3&rp=all",
        f"{settings.base_url()}/webhooks/twilio/status#rc=3&rp=all",
        session,
        shared_key=next(iter(settings.shared_keys().items()), None),
        **options,
    )


def _twilio_port(settings: Settings) -> TwilioPort:
    token = settings.twilio_auth_token.get_secret_value()
    return TwilioPort(
        verify=lambda url, form, headers: verify(url, form, headers, token, settings.shared_keys()),
        parse_inbound=parse_inbound,
        parse_status=parse_status,
    )


def _engine(shop: Workshop) -> AsyncEngine:
    assert isinstance(shop.store, SqlStore)
    return shop.store.engine


def _bare(settings: Settings, store: SqlStore) -> Workshop:
    words = Words.load(ROOT / "domain.yml", settings.language)
    return Workshop(
        store=store,
        clock=now,
        dialogue=_NoDialogue(),
        words=words,
        channels={},
        rules=rules_of(settings, words),
        playbooks=playbooks.load(ROOT / "data/playbooks"),
    )


class _NoDialogue:
    """The action server answers Rasa and never asks it anything."""

    async def turn(self, conversation_id: str, message_id: str, text: str, metadata: Mapping[str, Any]) -> Turn:
        """Never."""
        raise DialogueUnavailable("the action server does not converse")

    async def trigger(self, conversation_id: str, occasion: str, intent: str, slots: Mapping[str, Any]) -> Turn:
        """Never."""
        raise DialogueUnavailable("the action server does not converse")

    async def parse(self, items: Sequence[Mapping[str, Any]]) -> list[Parsed]:
        """Never."""
        raise DialogueUnavailable("the action server does not converse")

    async def resume(self, conversation_id: str) -> None:
        """Never."""
        raise DialogueUnavailable("the action server does not converse")

    async def ready(self) -> bool:
        """Never."""
        return False
