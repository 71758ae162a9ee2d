"""The customer decides the language, and the script."""

from __future__ import annotations

from dataclasses import replace

from tests.services.house import House, robin


async def test_asking_for_another_language_gets_it_from_then_on(house: House) -> None:
    """The greeting comes in the new language, and so does everything after it."""
    await house.writes("Türkçe lütfen")

    assert house.sms.texts[-1] == "utter_still_here[tr]"
    assert (await house.conversation()).language == "tr"
    await house.writes("HELP")
    assert house.sms.texts[-1] == "utter_help[tr]"
    assert not any("turn" in asked for asked in house.dialogue.asked)


async def test_serbian_follows_the_script_the_customer_writes(house: House) -> None:
    """Recorded in one script, answered in the one they use."""
    house.shop = replace(house.shop, rules=replace(house.shop.rules, languages=frozenset({"en", "sr-Latn", "sr-Cyrl"})))
    house.worker._shop = house.shop
    await house.serve(customer=robin(language="sr"))
    assert house.dialogue.asked[-1]["language"] == "sr-Latn"

    await house.writes("чекали смо сат времена")

    assert (await house.conversation()).language == "sr-Cyrl"
    assert house.dialogue.asked[-1]["language"] == "sr-Cyrl"
