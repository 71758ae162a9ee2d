"""A phone on the screen and a Twilio to go with it, in this process: for development and tests, never for customers."""

from bot.channels.simulator.api import create_lookalike
from bot.channels.simulator.faults import Fault, Faults
from bot.channels.simulator.lookalike import LOOKALIKE, Lookalike
from bot.channels.simulator.phone import create_simulator, news_of

__all__ = ["LOOKALIKE", "Fault", "Faults", "Lookalike", "create_lookalike", "create_simulator", "news_of"]
