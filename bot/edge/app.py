"""The edge as one application: its middlewares, its rooms, and what lives and dies with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from aiohttp import web

from bot.edge import keys
from bot.edge.api.routes import add_api
from bot.edge.arrivals import Arrivals
from bot.edge.desk import add_desk
from bot.edge.live import Live
from bot.edge.metrics import Metrics, measured
from bot.edge.operations import add_operations
from bot.edge.pages import add_pages, error_page, page_globals, templates
from bot.edge.problems import LARGEST_BODY, problems
from bot.edge.security import install
from bot.edge.simulator import PhoneNews, add_simulator
from bot.edge.twilio_port import TwilioPort
from bot.edge.webchat import add_webchat
from bot.edge.webhooks import add_webhooks
from bot.services.reception import Reception
from bot.services.workshop import Workshop
from bot.serving import Check
from bot.settings import Settings

Context = Callable[[web.Application], AsyncIterator[None]]
"""Something that starts before the first request and ends after the last: a generator that yields once."""


def create_app(
    shop: Workshop,
    settings: Settings,
    *,
    twilio: TwilioPort,
    live: Live | None = None,
    metrics: Metrics | None = None,
    arrivals: Arrivals | None = None,
    contexts: Sequence[Context] = (),
    checks: Mapping[str, Check] | None = None,
    mounts: Mapping[str, web.Application] | None = None,
    phone_news: PhoneNews | None = None,
) -> web.Application:
    """The whole edge.

    `live`, `metrics` and `arrivals` may be made earlier, where a channel or the worker needs them. `contexts` run while
    the application does (the worker loop, say). `checks` join `/readyz`. `mounts` are applications by path prefix, such
    as `/simulator`; `phone_news` feeds the simulator's live line. In production neither simulator nor demo is there,
    whatever is given.
    """
    app = web.Application(client_max_size=LARGEST_BODY)
    simulator = settings.hosts_simulator
    names = page_globals(simulator=simulator, production=settings.production)
    app[keys.SHOP], app[keys.SETTINGS] = shop, settings
    app[keys.LIVE], app[keys.METRICS] = live or Live(shop.store), metrics or Metrics()
    app[keys.TEMPLATES], app[keys.TWILIO] = templates(names), twilio
    app[keys.ARRIVALS], app[keys.RECEPTION] = arrivals or Arrivals(), Reception(shop)
    app.middlewares.extend((measured(app[keys.METRICS]), problems(error_page), install(app, settings)))
    # Ended in reverse: the watcher stops asking the store before a context closes it.
    app.cleanup_ctx.extend((*contexts, _watching))
    app.on_shutdown.append(_hang_up)
    add_operations(app, checks or {})
    add_webhooks(app)
    add_webchat(app)
    add_api(app, version=str(names["version"]), server=settings.base_url())
    add_pages(app, demo=not settings.production)
    add_desk(app)
    if simulator:
        add_simulator(app, phone_news)
    if not settings.production:
        for prefix, mounted in (mounts or {}).items():
            app.add_subapp(prefix, mounted)
    return app


def create_worker_app(
    shop: Workshop, metrics: Metrics, checks: Mapping[str, Check], working: Context
) -> web.Application:
    """What operations ask of a worker that serves nobody else. `working` lasts as long as the application."""
    app = web.Application()
    app[keys.SHOP], app[keys.METRICS] = shop, metrics
    app.cleanup_ctx.append(working)
    add_operations(app, checks)
    return app


async def _watching(app: web.Application) -> AsyncIterator[None]:
    app[keys.LIVE].start()
    yield
    await app[keys.LIVE].close()


async def _hang_up(app: web.Application) -> None:
    """Streams would otherwise keep the server from stopping."""
    app[keys.LIVE].hang_up()
