"""The web chat channel: committed means delivered; the listeners only have to look."""

from bot.channels.webchat import WebChatChannel
from tests.channels.town import outbound


async def test_sending_wakes_the_listeners() -> None:
    """The conversation's listeners are woken once, and the message is delivered under our own id."""
    woken: list[str] = []

    accepted = await WebChatChannel(woken.append).send(outbound(message_id="m-9"))

    assert woken == ["c-1"]
    assert (accepted.provider_id, accepted.status) == ("m-9", "delivered")
