"""A house to test the use cases in."""

from dataclasses import replace

import pytest

from bot.services.workshop import Workshop
from bot.work.loop import Worker
from tests.conftest import Clock, FakeChannel, FakeDialogue
from tests.services.house import House


@pytest.fixture
def house(shop: Workshop, clock: Clock, dialogue: FakeDialogue, sms: FakeChannel) -> House:
    """The Harbour with its worker and a customer, Robin."""
    shop = replace(shop, rules=replace(shop.rules, languages=frozenset({"en", "tr"})))
    return House(shop, Worker(shop), clock, dialogue, sms)
