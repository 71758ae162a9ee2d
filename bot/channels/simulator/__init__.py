"""A phone on the screen and a Twilio to go with it, in the edge or beside it: for development, never for customers."""

from bot.channels.simulator.api import create_lookalike
from bot.channels.simulator.faults import Fault, Faults, Strike, Weather
from bot.channels.simulator.lookalike import LOOKALIKE, Lookalike
from bot.channels.simulator.phone import create_simulator, news_of
from bot.channels.simulator.relay import create_relay, relayed_news

__all__ = [
    "LOOKALIKE",
    "Fault",
    "Faults",
    "Lookalike",
    "Strike",
    "Weather",
    "create_lookalike",
    "create_relay",
    "create_simulator",
    "news_of",
    "relayed_news",
]
