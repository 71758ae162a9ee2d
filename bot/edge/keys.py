"""What the application carries for its handlers, sub-applications included; read with `request.config_dict[KEY]`."""

from __future__ import annotations

from aiohttp import web
from jinja2 import Environment

from bot.edge.arrivals import Arrivals
from bot.edge.live import Live
from bot.edge.metrics import Metrics
from bot.edge.twilio_port import TwilioPort
from bot.services.reception import Reception
from bot.services.workshop import Workshop
from bot.settings import Settings

SHOP = web.AppKey("shop", Workshop)
SETTINGS = web.AppKey("settings", Settings)
LIVE = web.AppKey("live", Live)
METRICS = web.AppKey("metrics", Metrics)
TEMPLATES = web.AppKey("templates", Environment)
TWILIO = web.AppKey("twilio", TwilioPort)
RECEPTION = web.AppKey("reception", Reception)
ARRIVALS = web.AppKey("arrivals", Arrivals)
